"""2D label packs: the numbers come back, damage is refused."""

from pathlib import Path

import numpy as np
import pytest

from pose2mesh import paths
from pose2mesh.datasets.coco2d import Coco2D
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.skeletons import joint_set


def arrays(count: int = 3) -> dict[str, np.ndarray]:
    keypoints = np.random.default_rng(0).uniform(0, 400, (count, 17, 3)).astype(np.float32)
    keypoints[..., 2] = np.arange(17) % 3
    return {
        "keypoints": keypoints,
        "bbox": np.ones((count, 4), np.float32),
        "area": np.ones(count, np.float32),
        "image_id": np.arange(count),
        "ann_id": np.arange(count),
        "image_size": np.full((count, 2), 480, np.int32),
        "image_license": np.ones(count, np.int32),
        "joint_names": np.array(joint_set("coco17").joints),
    }


def test_labels_come_back_as_written(tmp_path: Path) -> None:
    written = arrays()
    np.savez(tmp_path / "labels.npz", **written)
    labels = Coco2D.load(tmp_path / "labels.npz")
    np.testing.assert_array_equal(labels.keypoints, written["keypoints"])
    assert len(labels) == 3 and labels.is_labeled[0].tolist() == [v > 0 for v in np.arange(17) % 3]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("keypoints", np.zeros((3, 19, 3), np.float32), r"keypoints is float32 \[3, 19, 3\]"),
        ("keypoints", np.full((3, 17, 3), np.inf, np.float32), "not finite"),
        ("keypoints", np.full((3, 17, 3), 0.5, np.float32), "visibilities"),
        ("joint_names", np.array(joint_set("coco17").joints)[::-1], "joint_names"),
        ("image_size", np.zeros((3, 2), np.int32), "without size"),
        ("area", np.ones(2, np.float32), "area"),
        ("bbox", np.array([None]), "holds object"),
    ],
)
def test_damaged_labels_are_refused(tmp_path: Path, name: str, value: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "labels.npz", **(arrays() | {name: value}))
    with pytest.raises(FormatError, match=message):
        Coco2D.load(tmp_path / "labels.npz")


def test_empty_and_absent_packs_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "labels.npz", **arrays(0))
    with pytest.raises(FormatError, match="no persons"):
        Coco2D.load(tmp_path / "labels.npz")
    with pytest.raises(MissingFileError):
        Coco2D.load(tmp_path / "absent.npz")


@pytest.mark.data
def test_the_pack_holds_what_its_description_says() -> None:
    labels = Coco2D.load(paths.data_dir() / "coco2d_train.npz")
    assert (len(labels), len(np.unique(labels.image_id))) == (737, 280)
    assert labels.is_labeled.sum(axis=1).min() >= 8 and labels.is_labeled.all(axis=1).sum() == 80
