"""Compare drawn poses with people in photos by what 2D labels tell (docs/decisions/0060-everyday-poses.md).

python tools/studies/everyday_statistics.py [--count 4000]      # reads coco2d_train.npz and mocap2_train.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pose2mesh.augmentation.cameras import PhotoCameras, project
from pose2mesh.augmentation.everyday_poses import EverydayPoses, sample_everyday
from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses, world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.datasets.coco2d import Coco2D
from pose2mesh.datasets.motion import find_motion
from pose2mesh.skeletons import COCO17, COCO_ROWS, PELVIS_ROW
from pose2mesh.synthesis.bodies import pose_pool, training_shapes

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees [P] between vectors [P, 2]."""
    cosine = (first * second).sum(-1) / np.maximum(
        np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1), 1e-9
    )
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def measures(keypoints: np.ndarray) -> dict[str, np.ndarray]:
    """Angles and places in the picture of keypoints [P, 17, 3]; NaN where a joint is not labeled."""
    points = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)

    def of(name: str) -> np.ndarray:
        return points[:, COCO17.index(name)]

    shoulders, hips = (of(f"left_{name}") / 2 + of(f"right_{name}") / 2 for name in ("shoulder", "hip"))
    trunk = hips - shoulders  # [P, 2]
    size = np.maximum(np.linalg.norm(trunk, axis=-1), 1e-9)
    width = np.linalg.norm(of("left_shoulder") - of("right_shoulder"), axis=-1)
    found = {"lean": np.degrees(np.abs(np.arctan2(trunk[:, 0], trunk[:, 1]))), "shoulders / trunk": width / size}
    for side in ("left", "right"):
        thigh, shank = of(f"{side}_knee") - of(f"{side}_hip"), of(f"{side}_ankle") - of(f"{side}_knee")
        arm, forearm = of(f"{side}_elbow") - of(f"{side}_shoulder"), of(f"{side}_wrist") - of(f"{side}_elbow")
        whole = np.where(np.isnan(shank), np.nan, thigh)  # hips only of legs that are labeled to the ankle
        for name, values in (
            ("knee", angle(thigh, shank)),
            ("hip", angle(whole, trunk)),
            ("elbow", angle(arm, forearm)),
            ("wrist below shoulders / trunk", (of(f"{side}_wrist") - shoulders)[:, 1] / size),
        ):
            found[name] = np.concatenate([found.get(name, np.zeros(0)), values])
    return found


def seen(poses: torch.Tensor, generator: torch.Generator) -> np.ndarray:
    """Keypoints [B, 17, 3] of adults in poses [B, 19, 3] before cameras as people hold them."""
    body, (adults, _) = load_anny_body(), training_shapes()
    reduced = ReducedBody(body, np.arange(1), "coco19")
    view = PhotoCameras().views(len(poses), generator)
    betas = adults[torch.randint(len(adults), (len(poses),), generator=generator)]
    joints = reduced.joints(betas, body.expand_groups(view.rotation[:, None] @ world_rotmats(poses)))
    points = project((joints - joints[:, PELVIS_ROW, None])[:, COCO_ROWS], view.translation)
    return torch.cat([points, torch.ones_like(points[..., :1])], -1).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    count = parser.parse_args().count
    generator = torch.Generator().manual_seed(0)
    pool = pose_pool(["mocap2_train.npz"], 0.2)
    recorded = sample_poses(pool, count, PoseAugmentation(), generator)
    everyday = sample_everyday(count, EverydayPoses(), generator, pool)
    groups = {"COCO": Coco2D.load(find_motion("coco2d_train.npz")).keypoints.astype(np.float64)}
    for name, poses in (
        ("recorded, augmented", recorded),
        ("everyday", everyday),
        ("half of each", torch.cat([recorded[::2], everyday[::2]])),
    ):
        groups[name] = seen(poses, generator)
    for name, keypoints in groups.items():
        print(name)
        for measure, values in measures(keypoints).items():
            print(f"  {measure:30s}" + "".join(f"{q:8.2f}" for q in np.nanquantile(values, QUANTILES)))


if __name__ == "__main__":
    main()
