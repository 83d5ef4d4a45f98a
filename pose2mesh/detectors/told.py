"""What a caller says about an input, beside what the input itself tells."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.detectors import Chosen, Detector
from pose2mesh.detectors.intrinsics import Calibration, IntrinsicsLike, as_intrinsics
from pose2mesh.errors import InputError
from pose2mesh.plugins import check_name
from pose2mesh.types import Intrinsics, Keypoints2D, Subject

_LEAST_FOCAL = 0.1  # of a picture's longest side: beyond 157 degrees no pinhole sees


class Told(NamedTuple):
    """None where nothing was said."""

    joint_set: str | None
    detector: str | Detector
    handedness: str | Sequence[str] | None
    intrinsics: Intrinsics | None
    image_size: tuple[int, int] | None  # (width, height) pixels
    subject: Subject | None

    @classmethod
    def checked(
        cls,
        joint_set: str | None,
        detector: str | Detector,
        handedness: str | Sequence[str] | None,
        intrinsics: IntrinsicsLike | None,
        image_size: Any,
        subject: Subject | None = None,
    ) -> "Told":
        """The arguments of a prediction. Raises InputError, FormatError."""
        known = None if intrinsics is None else as_intrinsics(intrinsics)
        if not isinstance(detector, str | Detector):
            raise InputError(f"detector is {detector!r:.60}; give a name, such as auto, or one with detect(image)")
        if isinstance(detector, str):
            check_name("detector", detector)  # also of keypoints, which need none
        if not (handedness is None or np.iterable(handedness)):
            raise InputError(f"handedness is {handedness!r:.60}; it must be left or right, or a word for each hand")
        if not isinstance(subject, Subject | None):
            raise InputError(f"subject is {subject!r:.60}; give a Subject, as in Subject(age=8, height=1.2)")
        if image_size is not None:
            sides = np.asarray(image_size)
            if sides.shape != (2,) or sides.dtype.kind not in "iu" or sides.min() < 1:
                raise InputError(f"image_size is {sides.tolist()!r:.60}; it must be (width, height) in whole pixels")
            image_size = int(sides[0]), int(sides[1])
        return cls(joint_set, detector, handedness, known, image_size, subject)

    def of_keypoints(self) -> "Told":
        """The same. Raises InputError where a detector is named for an array, which needs none."""
        if isinstance(self.detector, str) and self.detector not in ("auto", "none"):
            raise InputError(f"keypoints: detector {self.detector!r:.60} is of pictures; leave it out")
        return self

    def of_picture(self, where: str) -> "Told":
        """The same. Raises InputError where a joint set is named, which is of keypoints."""
        if self.joint_set is not None:
            raise InputError(
                f"{where}: joint_set {self.joint_set!r:.60} is of keypoints, and this is a picture; leave it out"
            )
        return self

    def apply(self, keypoints: Keypoints2D, where: str) -> Keypoints2D:
        """The people who are wanted, with the camera, the picture's size and the subject.

        Raises InputError where the picture has another size, or one that the camera cannot have taken.
        """
        if isinstance(self.detector, Chosen):  # keypoint files know no detector
            keypoints = self.detector.among(keypoints)
        size = keypoints.image_size or self.image_size
        if size:
            self.check_size(size, where)
        camera = self.intrinsics or keypoints.intrinsics
        if isinstance(camera, Calibration) and size and camera.image_size != tuple(size):
            found, given = ("x".join(map(str, sides)) for sides in (size, camera.image_size))
            raise InputError(
                f"{where}: the picture has {found} pixels, but the camera took pictures of {given}; scale fx, fy, cx "
                "and cy, and leave the size out"
            )
        if camera:
            seen = keypoints.points[keypoints.confidence > 0]  # [N, 2]
            check_focal(camera.focal, max(size or (seen.max(initial=0),)), where)
        return replace(keypoints, image_size=size, intrinsics=camera, subject=self.subject)

    def check_size(self, size: tuple[int, int], where: str) -> None:
        """Raise InputError where a picture of (width, height) pixels has another size than was said."""
        if self.image_size and tuple(size) != self.image_size:
            found, given = ("x".join(map(str, sides)) for sides in (size, self.image_size))
            raise InputError(f"{where}: the picture has {found} pixels, not {given}; leave the size out")


def check_batch_size(batch_size: Any) -> None:
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise InputError(f"batch size is {batch_size!r:.60}; it must be a whole number, at least 1")


def check_focal(focal: float, longest: float, where: str) -> None:
    """Raise InputError for a focal length that cannot be in the pixels of a picture of this longest side."""
    if focal < _LEAST_FOCAL * longest:
        raise InputError(
            f"{where}: a focal length of {focal:g} pixels is too short for a picture of {longest:.0f}; give pixels of "
            "this picture, not millimetres nor fractions"
        )
