"""Pictures of bodies whose mesh is known exactly: the truth for testing the whole chain, detector included.

Bodies are drawn in `rendering.studio`, seen by a pinhole that is aimed at the pelvis, as in the mocap protocol. Sample
i is a function of (seed, i) alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pose2mesh.augmentation.cameras import SMPL_TO_CAMERA
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.rendering.studio import SKIN_TONE, render_studio
from pose2mesh.skeletons import COCO_ROWS, joint_set
from pose2mesh.synthesis.batches import made_ahead
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.synthesis.mocap import MocapBatches, MocapProtocol
from pose2mesh.types import Camera, Person

SIDE = 512  # pixels of a picture's side
FILL = (0.3, 0.9)  # range of the protocol: what a square around the pelvis that holds the body fills of the picture
_BATCH = 16  # bodies that are made together
_JOINTS = joint_set("coco19")
_PELVIS = _JOINTS.index("pelvis")


@dataclass(frozen=True)
class StudioScene:
    """A picture and what it shows."""

    kind: ClassVar[str] = "body"
    image: np.ndarray  # uint8 [H, W, 3]
    truth: Person  # mesh and COCO-19 joints, exact COCO-17 keypoints, the camera that took the picture
    mask: np.ndarray  # bool [H, W] pixels whose center the body covers
    group: str  # subject of the motion, or `figures`


def figure_scene(body: AnnyBody, name: str, yaw_degrees: float = 0.0, distance: float = 3.5) -> StudioScene:
    """The mean body in a pose of `augmentation.figures`, turned to its left, `distance` m from the camera."""
    turn = rotvec_to_rotmat(torch.tensor([0.0, math.radians(yaw_degrees), 0.0]))
    vertices, joints = _pose(body, torch.zeros(1, body.num_shape), figure(name)[None], SMPL_TO_CAMERA @ turn)
    return _take(body, vertices, joints, distance, 0.85, "figures")


def protocol_scenes(protocol: MocapProtocol, workers: int = 0) -> Iterator[StudioScene]:
    """The samples of the mocap protocol, as pictures that `workers` processes draw."""
    made = _SceneBatches(protocol, _BATCH)
    return chain.from_iterable(made_ahead(made, 0, len(made.bodies), workers))


class _SceneBatches:
    """The batches of a protocol by number, as pictures."""

    def __init__(self, protocol: MocapProtocol, size: int):
        self.bodies = MocapBatches(protocol, size)

    def __getitem__(self, index: int) -> list[StudioScene]:
        made, batch = self.bodies, self.bodies[index]
        samples = zip(batch.vertices, batch.joints, batch.distance.tolist(), batch.groups, strict=True)
        return [
            _take(made.body, vertices, joints, distance, _fill(made.seed, row), group)
            for row, (vertices, joints, distance, group) in enumerate(samples, index * made.size)
        ]


def _fill(seed: int, row: int) -> float:
    low, high = FILL
    return low + (high - low) * float(torch.rand(1, generator=seeded_generator(seed, row, 2)))


def _pose(body: AnnyBody, betas: Tensor, pose: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
    """Vertices [V, 3] and COCO-19 joints [19, 3] m, pelvis-relative, of betas [1, S], pose [1, 19, 3], view [3, 3]."""
    with torch.inference_mode():
        vertices = body(betas, body.expand_pose(view @ world_rotmats(pose))).vertices[0]  # [V, 3]
        joints = torch.as_tensor(body.joint_regressor(_JOINTS.name), dtype=vertices.dtype) @ vertices  # [19, 3]
    return vertices - joints[_PELVIS], joints - joints[_PELVIS]


def _take(body: AnnyBody, vertices: Tensor, joints: Tensor, distance: float, fill: float, group: str) -> StudioScene:
    """Photograph vertices [V, 3] with joints [19, 3] from `distance` m, filling the share `fill` of the picture."""
    place = np.array([0.0, 0.0, distance])
    mesh, faces = vertices.numpy(), body.faces.numpy().astype(np.int32)
    seen = mesh + place  # [V, 3]
    reach = float(np.abs(seen[:, :2] / seen[:, 2:]).max())  # in focal lengths, from the pelvis
    camera = Camera(fill * SIDE / (2 * reach), (SIDE / 2, SIDE / 2), place, (SIDE, SIDE))
    shown = (seen, faces, Pinhole(camera.focal, camera.center, (SIDE, SIDE)))
    points = camera.project(joints[COCO_ROWS].numpy())  # [17, 2]
    keypoints = np.column_stack([points, np.ones(len(points))]).astype(np.float32)  # [17, 3]
    truth = Person(
        mesh, faces, joints.numpy(), _JOINTS.joints, keypoints, camera, keypoint_names=joint_set("coco17").joints
    )
    return StudioScene(render_studio(*shown), truth, render(*shown, SKIN_TONE)[1] > 0, group)
