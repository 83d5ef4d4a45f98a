"""What every annotation dataset yields, one person in one picture in the same units and axes, and how it is treated.

Metres and radians; the camera frame is x right, y down, z forward; pixels are x to the right, y down from the top left
corner. A sample holds body parameters, not meshes: 6,890 vertices of every person would fill the memory, and
`pose2mesh.datasets.annotated.targets` makes them for a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np


class Joints2D(NamedTuple):
    """Joints in a picture."""

    joint_set: str  # a name known to pose2mesh.skeletons
    points: np.ndarray  # [J, 3] float32: x, y in pixels, confidence in [0, 1] (0 = not labeled or not found)


class Joints3D(NamedTuple):
    """Joints in space."""

    joint_set: str
    points: np.ndarray  # [J, 3] float32, metres, camera frame, not root-relative
    valid: np.ndarray  # [J] bool; False where the dataset does not have the joint


@dataclass(frozen=True)
class SampleCamera:
    """From the dataset's world to pixels: x_camera = rotation @ x_world + translation, then the picture."""

    rotation: np.ndarray  # [3, 3] float32
    translation: np.ndarray  # [3] float32, metres
    focal: np.ndarray  # [2] float32, pixels (orthographic: pixels per metre)
    center: np.ndarray  # [2] float32, pixels
    is_orthographic: bool = False  # scaled orthography, where only a fit without depth exists

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] m to the camera frame [..., 3] m."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-frame points [..., 3] m to pixels [..., 2]."""
        plane = points[..., :2] if self.is_orthographic else points[..., :2] / points[..., 2:]
        return plane * self.focal + self.center


@dataclass(frozen=True)
class FittedBody:
    """SMPL or MANO parameters in the dataset's world.

    The mesh is `camera.to_camera(model(rotvec, betas) + translation)`. With `turns_about_root` the camera's rotation
    acts about the model's root joint instead, which then stays where the model puts it.
    """

    model: str  # a name known to pose2mesh.body_models, such as smpl-male
    rotvec: np.ndarray  # [K, 3] float32, radians, against the parent, the root's in the world; K = 24 (SMPL), 16 (MANO)
    betas: np.ndarray  # [10] float32
    translation: np.ndarray  # [3] float32, metres
    turns_about_root: bool = False
    adds_mean_pose: bool = False  # MANO: rotvec counts from the file's mean hand pose (flat_hand_mean=False)


@dataclass(frozen=True)
class Sample:
    """One person in one picture."""

    dataset: str
    annotation_id: int  # as in the file; -1 where it has none
    image_id: int
    person_id: int  # tells people of one sequence apart; 0 where the dataset does not
    image: str  # file, relative to the dataset's folder of pictures; empty where there is none
    image_size: tuple[int, int] | None  # width, height in pixels
    group: str  # what results are listed by: action or sequence
    frame: int  # counts from the file's own start; 0 where there is no sequence
    camera: SampleCamera
    body: FittedBody | None = None
    joints: Joints3D | None = None  # measured, not made from `body`
    labels: Joints2D | None = None  # marked by people or projected from `joints`
    detections: Joints2D | None = None  # found by the detector whose output the release publishes
    vertices: np.ndarray | None = None  # [V, 3] float32 m, camera frame, where the dataset has the mesh itself


@dataclass(frozen=True)
class Dataset:
    """A reader, and how the release treats what it reads."""

    read: Callable[..., Iterator[Sample]]  # (folder, split): the people of a split in the order of the files
    splits: tuple[str, ...] = ("train", "test")
    is_hand: bool = False  # people are hands
    has_detections: bool = False  # `read` takes `with_detections`, whether their files are looked for
    sees_detections: bool = False  # the network sees published detections instead of projections
    joints_are_measured: bool = False  # joints and root of the mesh are the dataset's, not the fit's
    largest_misfit_m: float = inf  # mean distance of fitted and measured joints, beyond which a fit is not used
    largest_misfit_px: float = inf  # the same in the picture, in a box of 64 pixels
