"""3DPW as the release parsed it and as it is published: JSON with detections, and pickled sequences."""

from pathlib import Path

import numpy as np
from annotation_files import ROTATION, smpl_fit, write_json
from synthetic_models import write_pickle

FOCAL, CENTER = [1961.9, 1969.2], [540.0, 960.0]


def write_pw3d(folder: Path, splits=("train", "validation", "test"), frames: int = 3) -> Path:
    """`data/3DPW_latest_{split}.json`: two people in each frame of one sequence, the first a woman."""
    for split in splits:
        rng = np.random.default_rng(9)
        images, annotations, detections = [], [], []
        camera = {"focal": FOCAL, "princpt": CENTER, "R": ROTATION, "t": [0.0, 0.0, 4.0]}
        for frame in range(frames):
            images.append({
                "id": frame, "file_name": f"image_{frame:05d}.jpg", "sequence": "downtown_walking_00",
                "frame_idx": frame, "width": 1080, "height": 1920, "cam_param": camera,
            })  # fmt: skip
            for person in range(2):
                number = 2 * frame + person
                fit = {**smpl_fit(rng, (0.1, 0.2, 4.0)), "gender": ("female", "male")[person]}
                annotations.append({
                    "id": number, "image_id": frame, "person_id": person, "smpl_param": fit,
                    "joint_cam": (rng.normal(0, 0.4, (24, 3)) + np.array([0, 0, 4])).tolist(),
                    "joint_img": rng.uniform(0, 1000, (24, 2)).tolist(),
                    "fitted_joint_cam": rng.normal(size=(24, 3)).tolist(),
                    "openpose_result": rng.uniform(0, 1, (18, 3)).tolist(), "bbox": [400.0, 500.0, 300.0, 800.0],
                })  # fmt: skip
                found = np.concatenate([rng.uniform(400, 900, (17, 2)), rng.uniform(0.2, 1, (17, 1))], 1)
                detections.append({"annotation_id": number, "keypoints": found.tolist()})
        write_json(folder / "data" / f"3DPW_latest_{split}.json", {"images": images, "annotations": annotations})
        if split != "train":
            write_json(folder / "data" / f"darkpose_3dpw_{split}set_output.json", detections)
    return folder


def sequence(frames: int = 3) -> dict:
    """The entries of a sequence file that are read, and some that are not; person 1 is not valid in frame 1."""
    rng = np.random.default_rng(10)
    extrinsics = np.tile(np.eye(4), (frames, 1, 1))
    extrinsics[:, :3, :3] = ROTATION
    extrinsics[:, :3, 3] = [0.0, 0.5, 4.0]
    intrinsics = np.array([[FOCAL[0], 0, CENTER[0]], [0, FOCAL[1], CENTER[1]], [0, 0, 1.0]])
    valid = [np.ones(frames, bool), np.array([True, False, True])[:frames]]
    return {
        "sequence": "downtown_arguing_00",
        "betas": [rng.normal(size=10), rng.normal(size=300)],
        "poses": [0.2 * rng.normal(size=(frames, 72)) for _ in range(2)],
        "trans": [rng.normal(0, 0.1, (frames, 3)) for _ in range(2)],
        "jointPositions": [rng.normal(0, 0.3, (frames, 72)) for _ in range(2)],
        "genders": ["f", "m"],
        "campose_valid": valid,
        "poses2d": [rng.uniform(0, 1, (frames, 3, 18)) for _ in range(2)],
        "cam_poses": extrinsics,
        "cam_intrinsics": intrinsics,
        "img_frame_ids": np.arange(frames),
        "texture_maps": [np.zeros((4, 4, 3), np.uint8)],
        "v_template_clothed": [rng.normal(size=(6, 3)) for _ in range(2)],
    }


def write_sequence(folder: Path, entries: dict | None = None, split: str = "test") -> Path:
    """`sequenceFiles/{split}/{sequence}.pkl` in Python 2's protocol; returns the file."""
    entries = entries or sequence()
    return write_pickle(folder / "sequenceFiles" / split / "downtown_arguing_00.pkl", entries)
