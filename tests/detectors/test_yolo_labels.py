"""Labels of Ultralytics come back as the joint set that they were written in, or are asked about."""

from pathlib import Path

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set

SIZE = (1280, 720)


def write(folder: Path, text: str) -> Path:
    (folder / "1.txt").write_text(text)
    return folder / "1.txt"


def assert_same(found, truth: np.ndarray) -> None:
    np.testing.assert_allclose(found.points, truth[..., :2], atol=2e-3)
    np.testing.assert_allclose(found.confidence, truth[..., 2], rtol=1e-5)


def connected(name: str, seed: int) -> np.ndarray:
    """Two people [2, J, 3] in fractions whose joints lie near those before them, as people's do."""
    draw = np.random.default_rng(seed)
    steps = draw.normal(0, 0.04, (2, len(joint_set(name)), 2)).cumsum(1)
    fractions = draw.uniform(0.3, 0.7, (2, 1, 2)) + steps - steps.mean(1, keepdims=True)
    return np.concatenate([fractions.clip(0.01, 0.99), draw.uniform(0.6, 1, (*steps.shape[:2], 1))], axis=-1).round(6)


def labels(values: np.ndarray, more: str = "") -> str:
    return "\n".join(f"0 .5 .5 .2 .2 {' '.join(map(str, p.ravel()))}{more}" for p in values)


@pytest.mark.parametrize("more", ["", " 0.9", " 0.9 4"])
@pytest.mark.parametrize("width", [3, 2])
@pytest.mark.parametrize("name", ["mpii16", "coco17", "openpose18", "hand21", "smpl24", "openpose25", "halpe26"])
def test_labels_of_ultralytics_are_the_set_they_were_written_in(tmp_path, name, width, more):
    for seed in range(10):
        truth = connected(name, seed)
        path = write(tmp_path, labels(truth[..., :width], more))
        found = read_keypoints(path, image_size=SIZE)[0].keypoints
        assert found.joint_set == name
        truth[..., 2] = truth[..., 2] if width == 3 else 1
        assert_same(found, truth * [*SIZE, 1])


def test_labels_that_may_be_two_sets_are_asked_about(tmp_path):
    draw = np.random.default_rng(0).uniform(0.1, 0.9, (1, 52))  # 17 x 3 and a confidence, or 26 x 2
    path = write(tmp_path, labels(draw))
    with pytest.raises(InputError, match=r"57 numbers may be 17 joints .* or 26 joints .* --joint-set"):
        read_keypoints(path, image_size=SIZE)
    for name, values in (("coco17", draw[:, :51].reshape(1, 17, 3)), ("halpe26", draw.reshape(1, 26, 2))):
        found = read_keypoints(path, name, SIZE)[0].keypoints
        np.testing.assert_allclose(found.points, values[..., :2] * SIZE, rtol=1e-5)


def test_labels_of_ultralytics(tmp_path):
    truth = connected("coco17", 0)
    truth[:, 2] = 0
    lines = labels(truth).split("\n")
    for start in ("", "\ufeff"):  # as Windows marks text
        (frame,) = read_keypoints(write(tmp_path, start + "\n".join(lines) + "\n"), image_size=SIZE)
        assert_same(frame.keypoints, truth * [*SIZE, 1])
    for bad, message in (("0 .5 .5 .2 .2", "no class, box and joints"), ("hello world", "not a line of numbers")):
        with pytest.raises(InputError, match=message):
            read_keypoints(write(tmp_path, bad), image_size=SIZE)
    with pytest.raises(InputError, match="class 3 is no person"):
        read_keypoints(write(tmp_path, "3" + lines[0][1:]), image_size=SIZE)
