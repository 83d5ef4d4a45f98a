"""A harder closed loop: `python -m tools.studies.harder_loop --json OUT [--scenes 100] [--plain] [--pictures FOLDER]`.

Pictures as photos are, of bodies that are known: recorded and everyday poses in clothes, close and tilted cameras, cut
figures, other people and boxes before and behind, blur, noise and JPEG. Beside this package's answer: the 3D landmarks
that MediaPipe gives for the same picture, and the true 2D without depth. `--plain`: scenes as in test_closed_loop.yaml.
"""

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom
from torch import Generator, Tensor

from pose2mesh.augmentation.cameras import PhotoCameras
from pose2mesh.augmentation.everyday_poses import EverydayPoses, sample_everyday
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.detectors.other_packages import MediaPipeDetector
from pose2mesh.evaluation.closed_loop import measure_closed_loop, scene_pictures, scene_sheet
from pose2mesh.metrics import pa_mpjpe
from pose2mesh.paths import write_json
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.skeletons import COCO_ROWS, joint_set
from pose2mesh.synthesis.bodies import pose_pool, seeded_generator, shapes_of_ages
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.synthesis.studio import SIDE, StudioScene, protocol_scenes
from pose2mesh.types import Camera, Person
from tools.studies.wardrobe import Wardrobe

LIMBS = tuple(
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
_COCO, _MEDIAPIPE, _OURS = (joint_set(name) for name in ("coco17", "mediapipe33", "coco19"))
_STREAM = 91  # of the seeds
_CUBE = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])  # [8, 3]
_CORNERS = "013 032 467 475 045 051 237 276 026 064 157 173"
_SIDES = np.array([[int(corner) for corner in side] for side in _CORNERS.split()])  # [12, 3]


class HardScenes:
    """Scene i is a function of (seed, i) alone."""

    def __init__(self, body: AnnyBody, motion: str, seed: int):
        self.body, self.seed = body, seed
        self.pool, self.textures = pose_pool([motion], 0.3), Wardrobe(body)
        self.shapes = shapes_of_ages((18.0, 75.0), 0)
        self.regressor = torch.as_tensor(body.joint_regressor(_OURS.name), dtype=torch.float32)  # [19, V]

    def scenes(self, count: int) -> Iterator[StudioScene]:
        """The first `count`."""
        for row in range(count):
            yield self.scene(row)

    def scene(self, row: int) -> StudioScene:
        """One person that is known, among others and boxes."""
        generator, rng = seeded_generator(self.seed, row, _STREAM), np.random.default_rng((self.seed, row, _STREAM))
        everyday = row % 2 == 0
        vertices, joints, place = self._person(generator, everyday)
        seen = vertices + place  # [V, 3] m before the camera
        camera, is_inside = _frame(seen, (joints + place)[COCO_ROWS], rng)
        meshes = [(seen, self.textures.faces, self.textures.striped(rng)), *self._others(place, generator, rng)]
        image, mask = photograph(meshes, camera, rng)
        points = camera.project((joints + place)[COCO_ROWS])  # [17, 2]
        keypoints = np.column_stack([points, is_inside]).astype(np.float32)
        camera = Camera(camera.focal, camera.center, place, camera.image_size)
        faces, names = self.body.faces.numpy(), _COCO.joints
        truth = Person(vertices, faces, joints, _OURS.joints, keypoints, camera, keypoint_names=names)
        return StudioScene(image, truth, mask, "everyday" if everyday else "recorded")

    def _person(self, generator: Generator, everyday: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices [V,3] and joints [19,3] m against the pelvis, and the pelvis before the camera [3] m."""
        recorded = self.pool[torch.randint(len(self.pool), (1,), generator=generator)]
        pose = sample_everyday(1, EverydayPoses(), generator, self.pool) if everyday else recorded
        betas = self.shapes[torch.randint(len(self.shapes), (1,), generator=generator)]
        view = PhotoCameras().views(1, generator)
        with torch.inference_mode():
            vertices = self.body(betas, self.body.expand_pose(view.rotation @ world_rotmats(pose))).vertices[0]
            joints = self.regressor @ vertices
        pelvis = joints[_OURS.index("pelvis")]
        return (vertices - pelvis).numpy(), (joints - pelvis).numpy(), view.translation[0].numpy()

    def _others(self, place: np.ndarray, generator: Generator, rng: np.random.Generator) -> Iterator[Any]:
        """Up to two people beside and behind, boxes behind and, half the time, one that hides a part."""
        for side in rng.permutation([-1, 1])[: rng.integers(0, 3)]:
            vertices, *_ = self._person(generator, bool(rng.integers(2)))
            aside = np.array([side * rng.uniform(0.55, 1.3), rng.uniform(-0.2, 0.2), rng.uniform(0.1, 2.0)])
            yield vertices + place + aside, self.textures.faces, self.textures.striped(rng)
        for _ in range(rng.integers(2, 7)):
            where = place + np.array([rng.normal(0, 1.5), rng.normal(0.3, 0.6), rng.uniform(0.8, 3.0)])
            yield box(where, rng.uniform(0.2, 1.2, 3), rng)
        if rng.integers(2):
            where = place * rng.uniform(0.55, 0.8) + np.array([rng.normal(0, 0.25), rng.normal(0.3, 0.3), 0])
            yield box(where, rng.uniform(0.05, 0.35, 3), rng)


def box(where: np.ndarray, size: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A turned box [8,3] m with faces [12,3] and one color each vertex [8,3]."""
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return (
        (_CUBE * size) @ turn.T + where,
        _SIDES,
        np.clip(rng.uniform(0.1, 0.9, 3) + rng.normal(0, 0.05, (8, 3)), 0, 1),
    )


def _frame(seen: np.ndarray, joints: np.ndarray, rng: np.random.Generator) -> tuple[Camera, np.ndarray]:
    """A camera whose square picture shows the person, in four of ten cases cut at the shins or higher, and [17] whether
    each of the joints [17,3] lies in it."""
    rays = seen[:, :2] / np.maximum(seen[:, 2:], 0.2)  # [V, 2] focal lengths
    low, high = rays.min(0), rays.max(0)
    if rng.random() < 0.4:
        high = np.array([high[0], low[1] + (high[1] - low[1]) * rng.uniform(0.4, 0.85)])
    side = (high - low).max() / rng.uniform(0.45, 0.95)
    corner = (low + high) / 2 - side * (0.5 + rng.uniform(-0.1, 0.1, 2) * [1, 0.3])
    focal = SIDE / side
    center = (float(-corner[0] * focal), float(-corner[1] * focal))
    camera = Camera(float(focal), center, np.zeros(3), (SIDE, SIDE))
    points = camera.project(joints)  # [17, 2]
    return camera, np.asarray(((points > 0) & (points < SIDE)).all(1))


def photograph(meshes: list[Any], camera: Camera, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Picture uint8 [H,W,3] of meshes (vertices, faces, colors), and bool [H,W] where the first one is."""
    center = (2 * camera.center[0], 2 * camera.center[1])
    view = Pinhole(2 * camera.focal, center, (2 * SIDE, 2 * SIDE))
    picture, nearest = _backdrop(rng), np.full((2 * SIDE, 2 * SIDE), np.inf)
    owner = np.full(nearest.shape, -1)
    for number, (vertices, faces, colors) in enumerate(meshes):
        drawn, depth = render(vertices, faces, view, colors)
        visible = (depth > 0) & (depth < nearest)
        picture[visible], nearest[visible], owner[visible] = drawn[visible], depth[visible], number
    halves = picture.reshape(SIDE, 2, SIDE, 2, 3).mean((1, 3))  # [H, W, 3]
    blurred = gaussian_filter(halves, (*2 * [rng.uniform(0, 1.3)], 0))
    noisy = 255 * np.clip(blurred / 255, 0, 1) ** rng.uniform(0.7, 1.5) + rng.normal(
        0, rng.uniform(0, 10), halves.shape
    )
    stream = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(stream, "jpeg", quality=int(rng.integers(30, 95)))
    return np.asarray(Image.open(stream)), (owner == 0)[::2, ::2]


def _backdrop(rng: np.random.Generator) -> np.ndarray:
    """A wall of blotches of all sizes, gray with a little color, uint8 [2S,2S,3]."""
    layers = []
    for n in (2, 8, 32, 128):
        cells = np.clip(rng.uniform(0.1, 0.9, (n, n, 1)) + rng.normal(0, 0.08, (n, n, 3)), 0, 1)
        layers.append(zoom(cells, (2 * SIDE / n, 2 * SIDE / n, 1), order=1))
    return (255 * np.average(layers, axis=0, weights=rng.uniform(0, 1, 4))).astype(np.uint8)


def compare(scene: StudioScene, person: Person | None, mediapipe: MediaPipeDetector) -> dict[str, float] | None:
    """PA-MPJPE in mm over shoulders, elbows, wrists, hips, knees and ankles where both found the known person."""
    pixels, world = mediapipe.landmarks(scene.image)
    if pixels is None or world is None or person is None:
        return None
    true = scene.truth
    ours, theirs, flat = ([s.index(name) for name in LIMBS] for s in (_OURS, _MEDIAPIPE, _COCO))
    inside = true.keypoints[flat, 2] > 0
    off = np.linalg.norm(pixels[theirs, :2] - true.keypoints[flat, :2], axis=1)[inside].mean()
    if off > 0.15 * np.ptp(true.keypoints[:, 1]):
        return None  # it shows somebody else
    depthless = np.column_stack([true.keypoints[flat, :2], np.zeros(len(flat))])
    answers = {"pose2mesh": person.joints[ours], "mediapipe": world[theirs], "flat": depthless}
    return {name: _pa(answer, true.joints[ours]) for name, answer in answers.items()}


def _pa(answer: np.ndarray, true: np.ndarray) -> float:
    one: list[Tensor] = [torch.as_tensor(np.asarray(points), dtype=torch.float64)[None] for points in (answer, true)]
    return 1e3 * float(pa_mpjpe(*one))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--motion", default="mocap2_test_public.npz")
    parser.add_argument("--weights", default="anny-body")
    parser.add_argument("--detector", default="blazepose")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    body, mediapipe = load_anny_body(), MediaPipeDetector()
    if arguments.plain:
        protocol = MocapProtocol(body, arguments.motion, every=60, seed=arguments.seed, limit=arguments.scenes)
        scenes = protocol_scenes(protocol)
    else:
        scenes = HardScenes(body, arguments.motion, arguments.seed).scenes(arguments.scenes)
    rows: list[dict[str, float]] = []
    pictures: list[list[np.ndarray]] = []

    def keep(scene: StudioScene, person: Person | None) -> None:
        rows.extend(filter(None, [compare(scene, person, mediapipe)]))
        if arguments.pictures and len(pictures) < 16:
            pictures.append(scene_pictures(scene, person))

    metrics = measure_closed_loop(Pose2Mesh.from_pretrained(arguments.weights), scenes, arguments.detector, keep)
    both = {name: round(float(np.mean([row[name] for row in rows])), 1) for name in rows[0]} if rows else {}
    result = {"closed_loop": metrics, "found by both": {"count": len(rows), **both}}
    write_json(arguments.json, result)
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene_sheet(pictures)).save(arguments.pictures / "scenes.png")
    print(json.dumps({k: v for k, v in metrics.items() if k != "groups"}), json.dumps(result["found by both"]))


if __name__ == "__main__":
    main()
