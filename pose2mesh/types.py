"""The values that travel between the parts. Frozen; shape and unit stand in each field.

Axis letters: P people, J joints, K keypoints, V vertices, F faces. The camera frame is x right, y down, z forward.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose2mesh.errors import InputError

GENDERS = ("female", "male")
_RANGES = {"age": (2.0, 100.0, "years"), "height": (0.6, 2.4, "m"), "weight": (6.0, 300.0, "kg")}


@dataclass(frozen=True)
class Intrinsics:
    """What is known of the camera behind a picture: a pinhole with square pixels."""

    focal: float  # pixels
    center: tuple[float, float] | None = None  # principal point (x, y), pixels; None: the middle of the picture


@dataclass(frozen=True)
class Subject:
    """What is known of a person; None where nothing is. Raises InputError for values that nobody has."""

    age: float | None = None  # years
    height: float | None = None  # metres
    gender: str | None = None  # female or male
    weight: float | None = None  # kilograms

    def __post_init__(self) -> None:
        if self.gender not in (None, *GENDERS):
            raise InputError(f"subject: gender is {self.gender!r}; give {' or '.join(GENDERS)}, or leave it out")
        for name, (low, high, unit) in _RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
                raise InputError(f"subject: {name} is {value!r}; it goes from {low:g} to {high:g} {unit}")

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self != Subject()

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Keypoints2D:
    """2D joints of the people, or of the hands, in one picture."""

    points: np.ndarray  # [P, J, 2] pixels, float32; any value where the confidence is 0
    confidence: np.ndarray  # [P, J] in [0, 1]; 0 means missing
    joint_set: str  # a name known to pose2mesh.skeletons
    image_size: tuple[int, int] | None = None  # (width, height) pixels, if known
    handedness: tuple[str, ...] | None = None  # [P] of left, right; None for bodies and where nobody told
    intrinsics: Intrinsics | None = None  # of the camera, if known
    tracks: tuple[int, ...] | None = None  # [P] the same number in every frame of a video; None where nobody followed
    subject: Subject | None = None  # what is known of the people
    clothes: np.ndarray | None = None  # [P, 4, 3] colors of what they wear (tracking.clothes), if somebody looked

    def __len__(self) -> int:
        return len(self.points)

    def select(self, keep: np.ndarray) -> "Keypoints2D":
        """The people of a mask bool [P]."""
        told = {
            name: values and tuple(value for value, kept in zip(values, keep, strict=True) if kept)
            for name, values in (("handedness", self.handedness), ("tracks", self.tracks))
        }
        clothes = None if self.clothes is None else self.clothes[keep]
        return replace(self, points=self.points[keep], confidence=self.confidence[keep], clothes=clothes, **told)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera and the position of a root-relative body in front of it."""

    focal: float  # pixels
    center: tuple[float, float]  # principal point (x, y), pixels
    translation: np.ndarray  # [3] metres, added to root-relative points
    image_size: tuple[int, int] | None = None  # (width, height) pixels

    def project(self, points: np.ndarray) -> np.ndarray:
        """Root-relative points [..., 3] in metres to pixels [..., 2]."""
        in_camera = np.asarray(points, np.float64) + self.translation  # [..., 3]
        return self.focal * in_camera[..., :2] / in_camera[..., 2:] + np.asarray(self.center)


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh."""

    vertices: np.ndarray  # [V, 3] metres
    faces: np.ndarray  # [F, 3] int32, counter-clockwise from outside


@dataclass(frozen=True)
class Person:
    """One recovered person or hand: mesh, joints, the camera that sees it, and the input it came from."""

    vertices: np.ndarray  # [V, 3] metres, relative to the pelvis (hand: wrist), camera axes; V = 0: not asked for
    faces: np.ndarray  # [F, 3] int32
    joints: np.ndarray  # [J, 3] metres, same frame as the vertices
    joint_names: tuple[str, ...]
    keypoints: np.ndarray  # [K, 3] x, y in pixels and confidence, the network's joint set
    camera: Camera | None = None
    score: float = 1.0  # mean confidence of the visible keypoints
    parameters: dict[str, np.ndarray] | None = field(default=None)  # rotations and betas of the body; None: not told
    handedness: str | None = None  # left or right, the subject's; None for bodies
    track: int | None = None  # who it is over time, in frames of `Pose2Mesh.track`
    keypoint_names: tuple[str, ...] = ()  # [K] of the keypoints; empty where nobody told
    uncertainty: np.ndarray | None = None  # [J] m, holds the true joint in 68 of 100 cases; None: not told
    seen: np.ndarray | None = None  # [J] bool, whether the picture showed the joint; None where nobody told

    @property
    def mesh(self) -> Mesh:
        return Mesh(self.vertices, self.faces)

    def save(self, path: str | Path) -> Path:
        """Write the person; the suffix chooses the format. Returns the path.

        Meshes are .obj, .ply and .glb; everything is .npz, everything but the mesh .json; .html is a page.
        """
        if Path(path).suffix.lower() == ".html":
            from pose2mesh.viewer import people_page

            return people_page([self], path)
        from pose2mesh.exporters import save_person  # exporters stand above types in the layering

        return save_person(self, Path(path))


class FramePrediction(NamedTuple):
    """The people of one picture or frame."""

    name: str  # stem for output files
    image: np.ndarray | None  # uint8 [H, W, 3], None for keypoint files
    people: list[Person]
    index: int = 0  # of the frame in its video
    time: float = 0.0  # seconds since the video's start


@dataclass(frozen=True)
class Motion:
    """People over time: N rows, one for each frame and person, in the order of frames, then tracks."""

    frame: np.ndarray  # [N] int64, number in the video
    time: np.ndarray  # [N] seconds since the video's start
    track: np.ndarray  # [N] int64, one number per person
    joints: np.ndarray  # [N, J, 3] metres, relative to the pelvis, camera axes
    translation: np.ndarray  # [N, 3] metres, to be added to the joints: where they are before the camera
    rotations: np.ndarray  # [N, B, 3, 3], as in `networks.prediction.BodyParameters`
    betas: np.ndarray  # [N, S], the same in all rows of a track
    keypoints: np.ndarray  # [N, K, 3] x, y in pixels and confidence; zeros where nothing was detected
    joint_names: tuple[str, ...]
    bone_names: tuple[str, ...]
    fps: float
    body: str = "anny-body"  # a name known to `body_models.load_body_model`
    camera: Camera | None = None  # its translation is zero: the rows have their own
    world_from_camera: np.ndarray | None = None  # [4, 4] to a world with y up and the ground at zero
    contacts: np.ndarray | None = None  # [N, 2] bool, whether the left and the right foot stand
    source: Path | None = None  # the video or the folder of frames, where that is known
    span: tuple[float, float] | None = None  # seconds that .glb and .bvh files last; None: from first to last row

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def tracks(self) -> tuple[int, ...]:
        """The people, in ascending order of their numbers."""
        return tuple(np.unique(self.track).tolist())

    def select(self, keep: np.ndarray) -> "Motion":
        """The rows of a mask bool [N], or of indices; files of them last as long as they do."""
        rows = {name: getattr(self, name) for name in _ROWS}
        return replace(self, span=None, **{name: value[keep] for name, value in rows.items() if value is not None})

    def only(self, track: int) -> "Motion":
        """The rows of one person; .glb and .bvh files of them last as long as those of the whole motion."""
        span = self.span or (float(self.time.min(initial=np.inf)), float(self.time.max(initial=-np.inf)))
        return replace(self.select(self.track == track), span=span)

    def save(self, path: str | Path) -> Path:
        """Write the motion; the suffix chooses the format (.npz .glb .bvh .html .mp4). Returns the path."""
        if (suffix := Path(path).suffix.lower()) in (".html", ".mp4"):
            from pose2mesh.viewer import motion_film, motion_page

            return motion_page(self, path) if suffix == ".html" else motion_film(self, path)
        from pose2mesh.exporters import save_motion  # exporters stand above types in the layering

        return save_motion(self, Path(path))


_ROWS = ("frame", "time", "track", "joints", "translation", "rotations", "betas", "keypoints", "contacts")
