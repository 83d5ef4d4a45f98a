"""Every reader against damaged files: one line that names the file, the key and what to do about it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import annotation_files as written
import numpy as np
import pytest
from annotation_pw3d import sequence, write_pw3d, write_sequence

from pose2mesh.datasets.annotated import human36m, read_samples
from pose2mesh.datasets.annotated.table import collect
from pose2mesh.errors import FormatError, MissingFileError


def write_few_human36m(folder: Path) -> Path:
    return written.write_human36m(folder, subjects=(1, 9), frames=(0,), cameras=(1,))


WRITERS: dict[str, Callable[[Path], Path]] = {
    "human36m": write_few_human36m,
    "coco": written.write_coco,
    "muco": written.write_muco,
    "surreal": written.write_surreal,
    "freihand": written.write_freihand,
    "pw3d": write_pw3d,
}
# Reader, split, file, and in that file the way to something that is read: numbers, a whole number, or an object.
PLACES: list[tuple[str, str, str, tuple, str]] = [
    ("human36m", "train", "annotations/Human36M_subject1_data.json", ("images", 0, "cam_idx"), "integer"),
    ("human36m", "train", "annotations/Human36M_subject1_data.json", ("annotations", 0, "bbox"), "numbers"),
    ("human36m", "train", "annotations/Human36M_subject1_camera.json", ("1",), "object"),
    ("human36m", "train", "annotations/Human36M_subject1_camera.json", ("1", "R"), "numbers"),
    ("human36m", "train", "annotations/Human36M_subject1_joint_3d.json", ("2", "1"), "object"),
    ("human36m", "train", "annotations/Human36M_subject1_smpl_param.json", ("2", "1", "0", "pose"), "numbers"),
    ("human36m", "test", "absnet_output_on_testset.json", ("s_09_act_02_subact_01_ca_01_000001.jpg",), "numbers"),
    ("coco", "train", "annotations/person_keypoints_train2017.json", ("annotations", 0, "keypoints"), "numbers"),
    ("coco", "train", "annotations/person_keypoints_train2017.json", ("annotations", 0, "image_id"), "integer"),
    ("coco", "train", "annotations/coco_smplify_train.json", ("1", "smpl_param"), "object"),
    ("coco", "train", "annotations/coco_smplify_train.json", ("1", "cam_param", "t"), "numbers"),
    ("muco", "train", "data/MuCo-3DHP.json", ("annotations", 0, "keypoints_cam"), "numbers"),
    ("muco", "train", "data/MuCo-3DHP.json", ("images", 0, "width"), "integer"),
    ("muco", "train", "data/smpl_param.json", ("1",), "object"),
    ("surreal", "train", "data/train.json", ("annotations", 3, "smpl_param", "shape"), "numbers"),
    ("surreal", "train", "data/train.json", ("images", 3, "cam_param"), "object"),
    ("surreal", "test", "data/hrnet_output_on_valset.json", (3, "keypoints"), "numbers"),
    ("surreal", "test", "data/hrnet_output_on_valset.json", (3, "image_id"), "integer"),
    ("freihand", "train", "data/freihand_train_coco.json", ("images", 0, "db_idx"), "integer"),
    ("freihand", "train", "data/freihand_train_data.json", ("0", "joint_3d"), "numbers"),
    ("freihand", "train", "data/freihand_train_data.json", ("0", "mano_param"), "object"),
    ("freihand", "test", "data/freihand_eval_data.json", ("0", "cam_param"), "object"),
    ("freihand", "test", "data/hrnet_output_on_testset.json", (0, "keypoints"), "numbers"),
    ("pw3d", "test", "data/3DPW_latest_test.json", ("annotations", 0, "joint_cam"), "numbers"),
    ("pw3d", "test", "data/3DPW_latest_test.json", ("images", 0, "cam_param"), "object"),
    ("pw3d", "test", "data/3DPW_latest_test.json", ("annotations", 0, "person_id"), "integer"),
    ("pw3d", "test", "data/darkpose_3dpw_testset_output.json", (0, "keypoints"), "numbers"),
]
GONE = object()
VALUES: dict[str, dict[str, Any]] = {
    "numbers": {
        "missing": GONE, "null": None, "text": "abc", "empty": [], "ragged": [[1, 2], [3]], "short": [1.0, 2.0, 3.0],
        "nan": float("nan"), "infinity": [float("inf")] * 51, "beyond float32": 1e300, "beyond float64": 10**400,
    },
    "integer": {
        "missing": GONE, "null": None, "text": "abc", "empty": [], "fraction": 0.5, "true": True, "nan": float("nan"),
        "infinity": float("-inf"),
    },
    "object": {"missing": GONE, "null": None, "text": "abc", "list": [], "empty": {}, "number": 3},
}  # fmt: skip
# A person that another file does not know has no fit or detection, which these files may lack.
OPTIONAL = ("data/smpl_param.json", "absnet_output_on_testset.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("data")
    return {name: write(root / name) for name, write in WRITERS.items()}


@pytest.fixture(autouse=True)
def _one_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(human36m, "SUBJECTS", {"train": (1,), "test": (9,)})


def read(name: str, folder: Path, split: str) -> None:
    samples = list(read_samples(name, folder, split))
    if split == "train":
        collect(samples, "hand21" if name == "freihand" else "coco19", "hand21" if name == "freihand" else "human36m17")


def message_of(name: str, folder: Path, split: str, kind: type[Exception] = FormatError) -> str:
    with pytest.raises(kind) as caught:
        read(name, folder, split)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    assert "docs/data.md" in message  # the remedy names the page
    return message


@pytest.mark.parametrize(("name", "split", "file", "place", "kind"), PLACES)
def test_a_damaged_value(folders, name: str, split: str, file: str, place: tuple, kind: str) -> None:
    path = folders[name] / file
    original = path.read_text()
    try:
        for fault, value in VALUES[kind].items():
            if value is GONE and file in OPTIONAL:
                continue
            path.write_text(json.dumps(with_value(json.loads(original), place, value)))
            message = message_of(name, folders[name], split)
            assert path.name in message or "image_id" in message, fault
            assert any(str(key) in message for key in place[-2:]), f"{fault}: {message}"
    finally:
        path.write_text(original)


def with_value(content: Any, place: tuple, value: Any) -> Any:
    """The content with something else in a place, or without it."""
    holder = content
    for key in place[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return content


FILES = sorted({(name, split, file) for name, split, file, _, _ in PLACES})
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "of another kind": lambda _: bytes(range(256)),
    "null": lambda _: b"null",
    "a number": lambda _: b"3",
    "list for object": lambda content: b"[1, 2]" if content.startswith(b"{") else b'{"0": 1}',
    "too deep": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize(("name", "split", "file"), FILES)
def test_a_damaged_file(folders, name: str, split: str, file: str) -> None:
    path = folders[name] / file
    original = path.read_bytes()
    try:
        for kind, damage in DAMAGE.items():
            path.write_bytes(damage(original))
            assert path.name in message_of(name, folders[name], split), kind
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize(("name", "split", "file"), FILES)
def test_a_file_that_is_not_there_or_a_folder(folders, name: str, split: str, file: str) -> None:
    path = folders[name] / file
    original = path.read_bytes()
    path.unlink()
    try:
        is_optional = file == "data/3DPW_latest_test.json"  # sequence files may stand in for it
        message = message_of(name, folders[name], split, MissingFileError)
        assert path.name in message
        path.mkdir()
        assert path.name in message_of(name, folders[name], split, MissingFileError if is_optional else FormatError)
        path.rmdir()
    finally:
        path.write_bytes(original)


SEQUENCE = {
    "a person too many": lambda e: e["poses"].append(e["poses"][0]),
    "missing": lambda e: e.pop("cam_poses"),
    "text": lambda e: e.update(cam_intrinsics="abc"),
    "number": lambda e: e.update(betas=3.0),
    "nan": lambda e: e["trans"][0].fill(np.nan),
    "short": lambda e: e["jointPositions"].__setitem__(0, np.zeros((3, 24))),
    "gender": lambda e: e.update(genders=["x", "m"]),
    "genders of another type": lambda e: e.update(genders=[1, 2]),
    "empty": lambda e: [e.update({name: []}) for name in ("betas", "poses", "trans")],
    "flat": lambda e: e.update(poses=np.zeros(72)),
    "genders as arrays": lambda e: e.update(genders=[np.zeros(1), np.zeros(1)]),
    "one number": lambda e: e.update(cam_poses=np.array(3.0)),
    "numbers for validity": lambda e: e.update(campose_valid=[1.0, 2.0]),
}


@pytest.mark.parametrize("fault", SEQUENCE)
def test_a_damaged_sequence_of_3dpw(fault: str, tmp_path: Path) -> None:
    entries = sequence()
    SEQUENCE[fault](entries)
    write_sequence(tmp_path, entries)
    assert "downtown_arguing_00.pkl" in message_of("pw3d", tmp_path, "test")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_sequence_of_3dpw_cut_short(share: float, tmp_path: Path) -> None:
    path = write_sequence(tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "downtown_arguing_00.pkl" in message_of("pw3d", tmp_path, "test")


@pytest.mark.parametrize("name", ["evaluation_xyz.json", "evaluation_verts.json"])
def test_the_later_truth_of_freihand(name: str, tmp_path: Path) -> None:
    path = written.write_freihand(tmp_path) / "data" / name
    content = json.loads(path.read_text())
    for fault in (None, [], [[1.0]], "abc", float("nan"), 10**400):
        path.write_text(json.dumps([content[0], content[1], fault, content[3]]))
        assert "row 2" in message_of("freihand", tmp_path, "test")
    content[2][0][0] = float("nan")
    path.write_text(json.dumps(content))
    assert "row 2 or that of evaluation_verts.json is not finite" in message_of("freihand", tmp_path, "test")
    for damage in (b"", b"3", b"{}", path.read_bytes()[:1000]):
        path.write_bytes(damage)
        assert name in message_of("freihand", tmp_path, "test")
