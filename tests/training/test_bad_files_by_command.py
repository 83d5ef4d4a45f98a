"""Damaged annotation files through the command line: `train` and `test` end in one line with file, key and remedy.

Some 5,000 more faults of the readers themselves stand in tests/datasets/test_bad_annotation_files.py.
"""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_weights import write_small_weights

from pose2mesh import paths
from pose2mesh.cli.main import main

# The least that a training stage can be.
SMALL = ("network.classic.width=16", "network.classic.divide_channels=32", "data.workers=0", "threads=1")
ROWS = {  # of the paper's tables, to train with a reader alone
    "human36m": ("human36m", "Human36M"),
    "coco": ("human36m_coco", "COCO"),
    "muco": ("pw3d_human36m_coco_muco", "MuCo"),
    "amass": ("pw3d_human36m_coco_amass", "AMASS"),
    "surreal": ("surreal", "SURREAL"),
    "freihand": ("freihand", "FreiHAND"),
}
EVALUATIONS = {  # configuration, input joints, body
    "human36m": ("human36m", "Human36M", "human36m17", "smpl-neutral"),
    "surreal": ("surreal", "SURREAL", "smpl24", "smpl-neutral"),
    "freihand": ("freihand", "FreiHAND", "hand21", "mano-right"),
    "pw3d": ("3dpw", "PW3D", "coco19", "smpl-neutral"),
}

Harm = Callable[[bytes], bytes | None]


def truncated(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def gone(content: bytes) -> None:
    return None


def of_another_kind(content: bytes) -> bytes:
    return bytes(range(256))


def of_another_version(content: bytes) -> bytes:
    """A list where an object was, or the other way round."""
    return b"[1, 2]" if content.startswith(b"{") else b'{"0": 1}'


class Lost:
    """An entry is missing."""

    def __init__(self, *keys: str | int):
        self.keys, self.words = keys, [str(keys[-1])]

    def __call__(self, content: bytes) -> bytes:
        *way, last = self.keys
        document = json.loads(content)
        del _follow(document, way)[last]
        return json.dumps(document).encode()


class Changed:
    """An entry has another value."""

    def __init__(self, value: Any, *keys: str | int):
        self.value, self.keys = value, keys
        self.words = [str(next(key for key in reversed(keys) if isinstance(key, str)))]

    def __call__(self, content: bytes) -> bytes:
        *way, last = self.keys
        document = json.loads(content)
        _follow(document, way)[last] = self.value
        return json.dumps(document).encode()


class Arrays:
    """An NPZ with other arrays."""

    def __init__(self, words: str, **arrays: Any):
        self.arrays, self.words = arrays, [words]

    def __call__(self, content: bytes) -> bytes:
        buffer = BytesIO()
        np.savez(buffer, **self.arrays)
        return buffer.getvalue()


def _follow(document: Any, way: list[str | int]) -> Any:
    for key in way:
        document = document[key]
    return document


NAN = float("nan")
_H36M = "annotations/Human36M_subject"
_POSES, _BETAS = np.zeros((9, 156)), np.zeros(16)
TRAINING: list[tuple[str, str, Harm]] = [
    ("human36m", f"{_H36M}5_data.json", truncated),
    ("human36m", f"{_H36M}6_camera.json", gone),
    ("human36m", f"{_H36M}6_camera.json", Lost("2")),
    ("human36m", f"{_H36M}7_camera.json", Changed([1, 2], "1", "R")),
    ("human36m", f"{_H36M}1_joint_3d.json", of_another_version),
    ("human36m", f"{_H36M}8_smpl_param.json", Changed([NAN] * 72, "2", "1", "0", "pose")),
    ("coco", "annotations/person_keypoints_train2017.json", of_another_kind),
    ("coco", "annotations/person_keypoints_train2017.json", Lost("annotations", 0, "keypoints")),
    ("coco", "annotations/person_keypoints_train2017.json", Changed("one", "annotations", 0, "image_id")),
    ("coco", "annotations/coco_smplify_train.json", gone),
    ("coco", "annotations/coco_smplify_train.json", Lost("5", "smpl_param")),
    ("coco", "annotations/coco_smplify_train.json", Changed(NAN, "1", "cam_param", "t")),
    ("muco", "data/MuCo-3DHP.json", truncated),
    ("muco", "data/MuCo-3DHP.json", of_another_version),
    ("muco", "data/MuCo-3DHP.json", Lost("images", 0)),
    ("muco", "data/MuCo-3DHP.json", Lost("annotations", 0, "keypoints_cam")),
    ("muco", "data/smpl_param.json", gone),
    ("muco", "data/smpl_param.json", Changed(None, "1")),
    ("amass", "data/CMU/01/01_01_poses.npz", truncated),
    ("amass", "data/CMU/01/01_01_poses.npz", gone),
    ("amass", "data/CMU/01/01_01_poses.npz", of_another_kind),
    ("amass", "data/CMU/01/01_01_poses.npz", Arrays("betas", poses=_POSES)),
    ("amass", "data/CMU/01/01_01_poses.npz", Arrays("poses", poses=np.zeros((9, 21)), betas=_BETAS)),
    ("amass", "data/CMU/01/01_01_poses.npz", Arrays("poses", poses=_POSES * NAN, betas=_BETAS)),
    ("amass", "data/CMU/01/01_01_poses.npz", Arrays("poses", poses=np.array([{}]), betas=_BETAS)),  # pickled
    ("surreal", "data/train.json", truncated),
    ("surreal", "data/train.json", gone),
    ("surreal", "data/train.json", of_another_version),
    ("surreal", "data/train.json", Lost("images", 3, "cam_param")),
    ("surreal", "data/train.json", Changed("x", "annotations", 3, "smpl_param", "gender")),
    ("surreal", "data/train.json", Changed([1.0], "annotations", 3, "smpl_param", "shape")),
    ("freihand", "data/freihand_train_coco.json", truncated),
    ("freihand", "data/freihand_train_coco.json", Changed(0.5, "images", 0, "db_idx")),
    ("freihand", "data/freihand_train_data.json", gone),
    ("freihand", "data/freihand_train_data.json", Lost("1", "mano_param")),
    ("freihand", "data/freihand_train_data.json", Changed([1], "1", "joint_3d")),
    ("freihand", "data/freihand_train_data.json", of_another_version),
]
TESTING: list[tuple[str, str, Harm]] = [
    ("human36m", f"{_H36M}9_camera.json", Lost("1")),
    ("human36m", "absnet_output_on_testset.json", truncated),
    ("human36m", "absnet_output_on_testset.json", of_another_version),
    ("surreal", "data/hrnet_output_on_valset.json", gone),
    ("surreal", "data/hrnet_output_on_valset.json", Lost(3, "keypoints")),
    ("surreal", "data/val.json", Lost("annotations", 0, "smpl_param")),
    ("freihand", "data/freihand_eval_data.json", Lost("0", "cam_param")),
    ("freihand", "data/hrnet_output_on_testset.json", Changed([1, 2], 0, "keypoints")),
    ("freihand", "data/evaluation_verts.json", truncated),
    ("pw3d", "data/3DPW_latest_test.json", Lost("images", 1, "cam_param")),
    ("pw3d", "data/3DPW_latest_test.json", Changed("first", "annotations", 0, "person_id")),
    ("pw3d", "data/3DPW_latest_test.json", of_another_version),
    ("pw3d", "data/darkpose_3dpw_testset_output.json", gone),
    ("pw3d", "data/darkpose_3dpw_testset_output.json", truncated),
    ("pw3d", "data/darkpose_3dpw_testset_output.json", Changed([NAN] * 3, 0, "keypoints")),
]


def name_of(value: Any) -> str | None:
    """Of a case, for its id."""
    if isinstance(value, Lost | Changed | Arrays):
        return type(value).__name__.lower() + "-" + value.words[0]
    return value.__name__ if callable(value) else None


@pytest.fixture
def harmed(here: Path):
    """Damages a file of the folder for the time of a test."""
    before: dict[Path, bytes] = {}

    def harm_file(name: str, harm: Harm) -> None:
        path = here / "data" / name
        before[path] = path.read_bytes()
        content = harm(before[path])
        path.unlink() if content is None else path.write_bytes(content)

    yield harm_file
    for path, content in before.items():
        path.write_bytes(content)


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command said beside its progress bar, which is its error alone."""
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.strip() and not line.startswith("test: ")]
    assert lines[-1].startswith("pose2mesh: error: "), lines
    assert len(lines) == 1 and len(lines[0]) < 500, lines
    return lines[0]


def must_name(error: str, file: str, harm: Harm) -> None:
    words = [*getattr(harm, "words", []), "docs/data.md"]
    assert Path(file).name in error or (harm is gone and "below data/AMASS" in error), error
    assert all(word in error for word in words), error


@pytest.mark.parametrize(("reader", "file", "harm"), TRAINING, ids=name_of)
def test_training(reader: str, file: str, harm: Harm, harmed, capsys: pytest.CaptureFixture[str]) -> None:
    row, folder = ROWS[reader]
    harmed(f"{folder}/{file}", harm)
    alone = f"data.sources=[{{dataset: {reader}, folder: data/{folder}, share: 1}}]"
    config = paths.asset(f"configs/paper/{row}.yaml")
    assert main(["train", "--config", str(config), *SMALL, alone]) == 2
    must_name(only_line(capsys), file, harm)


@pytest.mark.parametrize(("reader", "file", "harm"), TESTING, ids=name_of)
def test_testing(reader: str, file: str, harm: Harm, harmed, here: Path, capsys) -> None:
    config, folder, joints, body = EVALUATIONS[reader]
    made = write_small_weights(here, joints, body)
    harmed(f"{folder}/{file}", harm)
    arguments = [f"data.folder=data/{folder}", f"weights={made}", "device=cpu", "batch_size=3"]
    assert main(["test", "--config", str(paths.asset(f"configs/test_{config}.yaml")), *arguments]) == 2
    must_name(only_line(capsys), file, harm)


def test_every_reader_meets_five_faults() -> None:
    readers = [reader for reader, _, _ in [*TRAINING, *TESTING]]
    assert min(readers.count(reader) for reader in {*ROWS, *EVALUATIONS}) >= 5
