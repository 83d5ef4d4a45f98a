"""The values that travel between the parts. Frozen; shape and unit stand in each field.

Axis letters: P people, J joints, V vertices, F faces. The camera frame is x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Intrinsics:
    """What is known of the camera behind a picture: a pinhole with square pixels."""

    focal: float  # pixels
    center: tuple[float, float] | None = None  # principal point (x, y), pixels; None: the middle of the picture


@dataclass(frozen=True)
class Keypoints2D:
    """2D joints of the people, or of the hands, in one picture."""

    points: np.ndarray  # [P, J, 2] pixels, float32; any value where the confidence is 0
    confidence: np.ndarray  # [P, J] in [0, 1]; 0 means missing
    joint_set: str  # a name known to pose2mesh.skeletons
    image_size: tuple[int, int] | None = None  # (width, height) pixels, if known
    handedness: tuple[str, ...] | None = None  # [P] of left, right; None for bodies and where nobody told
    intrinsics: Intrinsics | None = None  # of the camera, if known

    def __len__(self) -> int:
        return len(self.points)

    def select(self, keep: np.ndarray) -> Keypoints2D:
        """The people of a mask bool [P]."""
        sides = self.handedness and tuple(side for side, kept in zip(self.handedness, keep, strict=True) if kept)
        return replace(self, points=self.points[keep], confidence=self.confidence[keep], handedness=sides)


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
    keypoints: np.ndarray  # [J, 3] x, y in pixels and confidence, the network's joint set
    camera: Camera | None = None
    score: float = 1.0  # mean confidence of the visible keypoints
    parameters: dict[str, np.ndarray] | None = field(default=None)  # optional body-model fit
    handedness: str | None = None  # left or right, the subject's; None for bodies

    @property
    def mesh(self) -> Mesh:
        return Mesh(self.vertices, self.faces)

    def save(self, path: str | Path) -> Path:
        """Write the mesh; the suffix chooses the format (.obj .ply .glb .npz .json). Returns the path."""
        from pose2mesh.exporters import save_person  # exporters stand above types in the layering

        return save_person(self, Path(path))
