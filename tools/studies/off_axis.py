"""People and hands beside the optical axis of a known camera: how far off their joints are, by the angle of the ray.

`python -m tools.studies.off_axis --json OUT [--weights NAME] [--angles 0 15 30 40]` measures a walker of exact
keypoints before a camera of 600 px on a picture of 1920 x 1080, five metres ahead and so far to the side, and 60
gestures half a metre ahead. MPJPE in millimetres, not aligned, so that an answer in other axes than the camera's shows.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from pose2mesh.augmentation.poses import random_rotations
from pose2mesh.body_models import load_anny_body, load_hand_body
from pose2mesh.paths import write_json
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.hands import TRAINING_FAMILIES, HandPoseSampler, PosedHands, gesture_pool
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Camera, Person

FOCAL, SIZE = 600.0, (1920, 1080)
HEADING = 30.0  # degrees
HANDS = 60


def body_error(model: Pose2Mesh, degrees: float, fit: bool) -> float:
    """MPJPE in mm over COCO-19 of a walker so far beside the axis."""
    walk = walking(load_anny_body(), seconds=1, fps=10, heading_degrees=HEADING)
    rows = [walk.joint_names.index(joint) for joint in joint_set("coco17").joints]
    keypoints = _seen(walk.joints[:, rows], np.array([5 * np.tan(np.radians(degrees)), 0.3, 5.0]))
    people = model.predict(keypoints, "coco17", intrinsics=FOCAL, image_size=SIZE, fit=fit)
    at = [people[0].joint_names.index(joint) for joint in walk.joint_names]
    return _error(people, walk.joints, at)


def hand_error(model: Pose2Mesh, degrees: float) -> float:
    """MPJPE in mm of gestures so far beside the axis, seen from anywhere."""
    body, pool, generator = load_hand_body(), gesture_pool(TRAINING_FAMILIES), torch.Generator().manual_seed(0)
    picked = pool[torch.randint(len(pool), (HANDS,), generator=generator)]
    joints, _ = PosedHands(body, np.arange(3))(
        torch.zeros(HANDS, body.num_shape), HandPoseSampler(body, pool).rotations(picked)
    )
    joints = (joints @ random_rotations(HANDS, generator).transpose(1, 2)).numpy()  # [N, 21, 3]
    keypoints = _seen(joints, np.array([0.5 * np.tan(np.radians(degrees)), 0.0, 0.5]))
    people = model.predict(keypoints, handedness="right", intrinsics=FOCAL, image_size=SIZE)
    return _error(people, joints, list(range(joints.shape[1])))


def _seen(joints: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Keypoints [N, J, 3] of joints [N, J, 3] m whose root is at `place` [3] m."""
    points = Camera(FOCAL, (SIZE[0] / 2, SIZE[1] / 2), place, SIZE).project(joints)
    return np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)


def _error(people: list[Person], joints: np.ndarray, at: list[int]) -> float:
    apart = [np.linalg.norm(p.joints[at] - true, axis=1) for p, true in zip(people, joints, strict=True)]
    return 1000 * float(np.mean(apart))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="anny-body")
    parser.add_argument("--angles", type=float, nargs="+", default=[0, 15, 30, 40], help="degrees")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    body, hand = (Pose2Mesh.from_pretrained(name) for name in (options.weights, "anny-hand"))
    found = {
        f"{degrees:g}": {
            "fitted": body_error(body, degrees, fit=True),
            "network": body_error(body, degrees, fit=False),
            "hands": hand_error(hand, degrees),
        }
        for degrees in options.angles
    }
    for degrees, errors in found.items():
        print(f"{degrees:>4}°", "  ".join(f"{name} {error:5.1f}" for name, error in errors.items()))
    write_json(options.json, found)


if __name__ == "__main__":
    main()
