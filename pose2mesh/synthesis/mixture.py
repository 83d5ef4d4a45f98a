"""What samples are made of, as the `data` section of a configuration says it. Shares need not sum to one."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from pose2mesh.augmentation.cameras import CameraRange, PhotoCameras
from pose2mesh.augmentation.detector_noise import DetectorNoise
from pose2mesh.augmentation.everyday_poses import EverydayPoses
from pose2mesh.augmentation.framing import Framing
from pose2mesh.augmentation.poses import PoseAugmentation
from pose2mesh.augmentation.ranges import Fraction, Positive, unread_at_zero
from pose2mesh.settings import Strict

Framed = Annotated[Framing, unread_at_zero(guess=("guess_error", "guess_confidence"))]
Photo = Annotated[
    PhotoCameras,
    unread_at_zero(
        close=("close_distance", "close_height", "close_aim"),
        steep=("steep_degrees",),
        facing=("facing_degrees",),
        tilted=("tilt_degrees",),
    ),
]


class NoiseShare(Strict):
    """A kind of detections and the share of samples that get it."""

    share: Positive
    detector: Annotated[DetectorNoise, unread_at_zero(miss=("miss_range",))] = DetectorNoise()


class CameraShare(Strict):
    """Cameras aimed at the body, or as people hold them, and the share of samples that get them."""

    share: Positive
    range: CameraRange = CameraRange()
    photo: Photo | None = None  # instead of `range`

    @model_validator(mode="after")
    def _check(self):
        if self.photo and self.range != CameraRange():
            raise ValueError("range does nothing beside photo; leave one of them out")
        return self

    @property
    def camera(self) -> CameraRange | PhotoCameras:
        return self.photo or self.range


class DetectorShare(Strict):
    """The joints that a detector knows, and the share of samples that it sees."""

    share: Positive
    joint_set: str


class Mixture(Strict):
    """Poses, bodies, cameras, and how detectors see them."""

    children: Fraction = 0.2  # share of bodies of 4-17 years, the rest are adults
    poses: PoseAugmentation = PoseAugmentation()
    everyday: Fraction = 0.0  # share of poses of everyday life, drawn from ranges, beside those of motion or prior
    everyday_poses: EverydayPoses = EverydayPoses()
    noise: tuple[NoiseShare, ...] = Field(default=(NoiseShare(share=1.0),), min_length=1)
    framing: Framed | None = None  # of the photos; without it people are seen whole
    everyday_framing: Framed | None = None  # of everyday poses: photos cut people who stand or sit, not those who act
    cameras: tuple[CameraShare, ...] = Field(default=(CameraShare(share=1.0),), min_length=1)
    detectors: tuple[DetectorShare, ...] = ()  # of a union of joint sets; without them samples have all its joints


def pairs(shares: Sequence[Any], of: str) -> list[tuple[float, Any]]:
    """Each share with what it is `of`: detector, camera, joint_set."""
    return [(each.share, getattr(each, of)) for each in shares]
