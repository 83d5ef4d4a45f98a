"""Targets: the user's own files, and what is wrong with them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_adaptation import people

from pose2mesh.adaptation import load_target, split_target
from pose2mesh.adaptation.config import TargetConfig
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.fitting.aiming import aimed


def load(path: Path, network_set: str = "coco17", **changes):
    return load_target(TargetConfig(keypoints=str(path), held_out=0.2, **changes), network_set)


def write(path: Path, keypoints: np.ndarray) -> Path:
    np.savez(path, keypoints=keypoints)
    return path


def test_parts_do_not_overlap_and_pixels_become_rays(tmp_path: Path):
    target = load(write(tmp_path / "a.npz", people(40)))
    assert len(target.keypoints) == 32 and len(target.held_out) == 8
    everyone = torch.cat([target.keypoints, target.held_out]).flatten(1)
    assert len(everyone.unique(dim=0)) == 40
    assert everyone.abs().max() <= 1  # focal lengths, not pixels
    batch = target.draw(16, 0, 3)
    assert torch.equal(batch, target.draw(16, 0, 3)) and not torch.equal(batch, target.draw(16, 0, 4))


def test_pictures_are_held_out_as_a_whole(tmp_path: Path):
    entries = [
        {"image_id": i // 2, "keypoints": person.ravel().tolist(), "score": 1.0, "category_id": 1}
        for i, person in enumerate(people(40))
    ]
    (tmp_path / "coco.json").write_text(json.dumps(entries))
    target = load(tmp_path / "coco.json")
    assert len(target.held_out) == 8 and len(target.keypoints) == 32


def test_joints_below_the_limit_do_not_count(tmp_path: Path):
    keypoints = people(40)
    keypoints[:, 5, 2] = 0.1
    target = load(write(tmp_path / "a.npz", keypoints))
    weights = target.confident(target.keypoints)
    assert (weights[:, 5] == 0).all() and (weights[:, 6] > 0.3).all()


def test_openpose_files_serve_a_coco_network(tmp_path: Path):
    body25 = np.ones((30, 25, 3), np.float32)
    body25[..., :2] = np.random.default_rng(0).uniform(0, 300, (30, 25, 2))
    target = load(write(tmp_path / "a.npz", body25))
    assert target.keypoints.shape[1:] == (17, 3) and (target.keypoints[..., 2] > 0).all()


def test_a_folder_of_openpose_frames_is_a_target(tmp_path: Path):
    for frame, person in enumerate(people(40)):
        body18 = np.zeros((18, 3))
        body18[[0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]] = person
        content = {"people": [{"pose_keypoints_2d": body18.ravel().tolist()}]}
        (tmp_path / f"walk_{frame:03d}_keypoints.json").write_text(json.dumps(content))
    target = load(tmp_path)
    assert len(target.held_out) == 8 and len(target.keypoints) == 32
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture, video or keypoint file in this folder"):
        load(tmp_path / "empty")


def test_bad_targets(tmp_path: Path):
    with pytest.raises(InputError, match=r"target\.keypoints=FILE"):
        load_target(TargetConfig(), "coco17")
    with pytest.raises(MissingFileError, match=r"nothing\.npz"):
        load(tmp_path / "nothing.npz")
    with pytest.raises(InputError, match="3 usable people"):
        load(write(tmp_path / "tiny.npz", people(3)))
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(InputError, match=r"empty\.json"):
        load(tmp_path / "empty.json")
    unsure = people(40)
    unsure[..., 2] = 0.2
    with pytest.raises(InputError, match=r"none of 40 people.*least_confidence"):
        load(write(tmp_path / "unsure.npz", unsure))
    with pytest.raises(InputError, match=r"hand21 shares \d joints with coco17"):
        load(write(tmp_path / "hands.npz", np.ones((30, 21, 3), np.float32)))


def test_people_without_enough_confident_joints_are_left_out():
    keypoints = torch.from_numpy(people(30))
    keypoints[:5, 3:, 2] = 0
    target = split_target(keypoints, torch.arange(30), held_out=0.2, least_confidence=0.3, where="here")
    assert len(target.keypoints) + len(target.held_out) == 25


def test_somebody_is_left_to_adapt_to():
    target = split_target(torch.ones(20, 17, 3), torch.arange(20) % 2, held_out=0.9, least_confidence=0.3, where="here")
    assert len(target.keypoints) == len(target.held_out) == 10


def test_fractions_of_a_picture_of_told_size_are_its_pixels(tmp_path: Path):
    size = np.array([1280, 720], np.float32)
    keypoints = people(40)
    pixels = load(write(tmp_path / "pixels.npz", keypoints), image_size=(1280, 720))
    keypoints[..., :2] /= size
    path = write(tmp_path / "fractions.npz", keypoints)
    torch.testing.assert_close(load(path, image_size=(1280, 720)).keypoints, pixels.keypoints, rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="--image-size"):
        load(path)


def test_a_told_camera_makes_the_rays(tmp_path: Path):
    keypoints = people(40)
    camera = {"fx": 800.0, "fy": 800.0, "cx": 300.0, "cy": 200.0}
    target = load(write(tmp_path / "a.npz", keypoints), intrinsics=camera)
    everyone = torch.cat([target.keypoints, target.held_out])
    pixels, told = torch.from_numpy(keypoints), torch.tensor([[800.0, 300.0, 200.0]])
    rays = (aimed(pixels, told)[0][..., :2] - told[:, None, 1:]) / 800
    nearest = (everyone[:, None, :, :2] - rays).abs().amax((2, 3)).amin(0)  # each person is there
    assert nearest.max() < 1e-5
    coco = [{"image_id": i, "keypoints": p.ravel().tolist(), "category_id": 1} for i, p in enumerate(keypoints)]
    images = [{"id": i, "width": 640, "height": 480, "file_name": f"{i}.jpg"} for i in range(40)]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": coco}))
    with pytest.raises(InputError, match="has 640x480 pixels, not 1280x720"):
        load(tmp_path / "coco.json", image_size=(1280, 720))
