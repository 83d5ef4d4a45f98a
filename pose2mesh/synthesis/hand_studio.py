"""Pictures of hands whose mesh is known exactly: Anny's arm in the studio of `rendering.studio`.

The hand is the body's own, so that it hangs on an arm as in a photo; the truth is its part of the body's mesh. Gestures
come from the families that no training sees, perturbed, on adults; the hand may be seen from any side but the one where
the arm itself hides it. Every second hand is a left one: a right one in the mirror. Sample i is a function of (seed, i)
alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.hand_gestures import TEST_FAMILIES, gesture_pool, gestures
from pose2mesh.augmentation.hand_poses import HandPoses, HandPoseSampler
from pose2mesh.augmentation.poses import random_rotations
from pose2mesh.body_models import AnnyBody, HandBody, body_vertices, load_anny_body, load_hand_body
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.mirroring import flip_faces
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.rendering.software import Pinhole
from pose2mesh.rendering.studio import render_studio
from pose2mesh.skeletons import HAND21
from pose2mesh.synthesis.batches import made_ahead
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages
from pose2mesh.types import Camera, Person

SIDE = 512  # pixels of a picture's side
_RANGES = ((0.5, 1.5), (0.3, 0.75))  # metres to the middle of the hand; what its keypoints fill of the picture
TOWARDS_CAMERA = -0.3  # z of the direction from wrist to elbow, below which the arm hides the hand
_ARM = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")
_SHOWN = 0.5  # share of the arm's bones above which a vertex of the body is drawn


@dataclass(frozen=True)
class HandScene:
    """A picture and what it shows."""

    kind: ClassVar[str] = "hand"
    image: np.ndarray  # uint8 [H, W, 3]
    truth: Person  # mesh of anny-hand, hand21 joints and exact keypoints, side, the camera that took the picture

    @property
    def group(self) -> str:
        """The side."""
        return str(self.truth.handedness)


class HandStudio:
    """Photographs hands."""

    def __init__(self, families: tuple[str, ...] = TEST_FAMILIES, ages: tuple[float, float] = ADULT_YEARS) -> None:
        """`families` of `augmentation.hand_gestures`; ages in years."""
        self.body, self.hand = load_anny_body(), load_hand_body()
        recipe = HandPoses(interpolate=0.2, mix_fingers=0.0, synergies=0.0, independent=0.0)
        self.sampler = HandPoseSampler(self.hand, gesture_pool(families), recipe)
        self.shapes = shapes_of_ages(ages, 0)
        self.hand_vertices = body_vertices()
        self.arm_vertices, self.arm_faces = arm_of(self.body)

    def scenes(self, count: int, seed: int = 0, workers: int = 0) -> Iterator[HandScene]:
        """Random adults and gestures, right and left hands in turn, drawn by `workers` processes."""
        return made_ahead(_Scenes(self, seed), 0, count, workers)

    def scene(self, seed: int, row: int) -> HandScene:
        """One of `scenes`."""
        generator = seeded_generator(seed, row, 0)
        betas = self.shapes[torch.randint(len(self.shapes), (1,), generator=generator)]
        angles = self.sampler.sample(1, generator)
        view = _view_of_hand(self.body, generator)
        distance, fill = (low + (high - low) * torch.rand((), generator=generator).item() for low, high in _RANGES)
        return self.photograph(self.pose(angles, view, betas), "left" if row % 2 else "right", distance, fill)

    def gesture_scene(self, family: str, name: str, side: str, yaw_degrees: float = 0.0) -> HandScene:
        """The mean adult's hand in a gesture of `augmentation.hand_gestures`, fingers up, the palm to the camera.

        `yaw_degrees` turns the forearm about its axis; 180 shows the back of the hand.
        """
        angles = torch.tensor([gestures()[family][name]], dtype=torch.float32)
        turn = rotvec_to_rotmat(torch.tensor([0.0, math.radians(yaw_degrees), 0.0]))
        return self.photograph(self.pose(angles, turn @ _palm_view(self.hand)), side, 0.8, 0.6)

    def pose(self, angles: Tensor, view: Tensor, betas: Tensor | None = None) -> Tensor:
        """Vertices [V, 3] m in camera axes: angles [1, 24] of the right hand, view [3, 3] of the body, betas [1, S]."""
        world = torch.eye(3).repeat(len(self.body.bone_names), 1, 1)  # [K, 3, 3]
        for bone, rotation in zip(self.hand.bone_names, self.sampler.rotations(angles)[0], strict=True):
            world[self.body.bone_names.index(bone)] = rotation
        betas = torch.zeros(1, self.body.num_shape) if betas is None else betas
        with torch.inference_mode():
            return self.body(betas, relative_rotations(view @ world[None], self.body.parents)).vertices[0]

    def photograph(self, vertices: Tensor, side: str, distance: float, fill: float) -> HandScene:
        """The right arm of a body with vertices [V, 3], in the mirror for a left hand, from `distance` m."""
        mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
        body = vertices.numpy().astype(np.float64) * mirror  # [V, 3]
        mesh = _with_cap(body[self.hand_vertices[:-1]], self.hand)  # [V_hand, 3]
        joints = self.hand.joint_regressor(HAND21.name) @ mesh  # [21, 3]
        middle = (joints.max(0) + joints.min(0)) / 2
        place = np.array([0.0, 0.0, distance]) - middle
        seen = joints + place
        reach = float(np.abs(seen[:, :2] / seen[:, 2:]).max())  # in focal lengths, from the middle
        camera = Camera(fill * SIDE / (2 * reach), (SIDE / 2, SIDE / 2), joints[0] + place, (SIDE, SIDE))
        faces, arm_faces = self.hand.faces.numpy().astype(np.int32), self.arm_faces
        if side == "left":
            faces, arm_faces = flip_faces(faces), flip_faces(arm_faces)
        arm = (body[self.arm_vertices] + place).astype(np.float32)
        image = render_studio(arm, arm_faces, Pinhole(camera.focal, camera.center, (SIDE, SIDE)))
        mesh, joints = (mesh - joints[0]).astype(np.float32), (joints - joints[0]).astype(np.float32)
        keypoints = np.column_stack([camera.project(joints), np.ones(len(joints))]).astype(np.float32)
        truth = Person(mesh, faces, joints, HAND21.joints, keypoints, camera, handedness=side)
        return HandScene(image, truth)


class _Scenes:
    def __init__(self, studio: HandStudio, seed: int):
        self.studio, self.seed = studio, seed

    def __getitem__(self, row: int) -> HandScene:
        return self.studio.scene(self.seed, row)


def arm_of(body: AnnyBody) -> tuple[np.ndarray, np.ndarray]:
    """The right arm without its body: its vertices among the body's [V_arm] and its faces [F_arm, 3] among those."""
    chosen = [k for k, name in enumerate(body.bone_names) if name.startswith(_ARM) and name.endswith(".R")]
    is_arm = body.weights[:, chosen].sum(1).numpy() > _SHOWN  # [V]
    faces = body.faces.numpy()
    vertices, local = np.unique(faces[is_arm[faces].all(1)], return_inverse=True)
    return vertices, local.reshape(-1, 3).astype(np.int32)


def _with_cap(skin: np.ndarray, hand: HandBody) -> np.ndarray:
    """The hand's vertices [V_hand - 1, 3] with the middle of its cap, the mean of the ring around it."""
    faces = hand.faces.numpy()
    ring = np.setdiff1d(faces[(faces == len(skin)).any(1)], len(skin))
    return np.concatenate([skin, skin[ring].mean(0, keepdims=True)])


def _palm_view(hand: HandBody) -> Tensor:
    """The rotation [3, 3] that puts the right hand's fingers up and its palm, with the thumb on the right, in view."""
    joints = hand.joint_regressor(HAND21.name) @ hand.v_template.numpy()  # [21, 3]
    wrist, index, middle, pinky = (joints[HAND21.index(name)] for name in ("wrist", "index1", "middle1", "pinky1"))
    down = (wrist - middle) / np.linalg.norm(wrist - middle)
    across = index - pinky
    across -= (across @ down) * down
    across /= np.linalg.norm(across)
    return torch.tensor(np.stack([across, down, np.cross(across, down)]), dtype=torch.float32)


def _view_of_hand(body: AnnyBody, generator: Generator) -> Tensor:
    """A rotation [3, 3] of the body in which the right forearm does not point at the camera."""
    elbow, wrist = (body.heads[body.bone_names.index(f"{bone}.R"), :, 0] for bone in ("lowerarm01", "wrist"))
    back = (elbow - wrist) / (elbow - wrist).norm()  # [3]
    while True:
        view = random_rotations(1, generator)[0]
        if (view @ back)[2] > TOWARDS_CAMERA:
            return view
