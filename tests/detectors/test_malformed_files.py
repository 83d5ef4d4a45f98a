"""Damaged and hostile files end in one clear line of our own errors, never in another exception."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import FormatError, InputError

GOOD = [{"image_id": 1, "keypoints": [0.9 if i % 3 == 2 else float(i) for i in range(51)], "score": 1.0}]
MMPOSE = [{"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [0.5] * 17}]
OPENPOSE = {"people": [{"pose_keypoints_2d": [1.0] * 75}]}


def with_keypoints(values):
    return [{"image_id": 1, "keypoints": values}]


BAD_JSON = {
    "empty": "",
    "truncated": json.dumps(GOOD)[:-20],
    "deep": "[" * 100_000,
    "nan": json.dumps(with_keypoints([float("nan")] * 51)),
    "infinity": '[{"image_id": 1, "keypoints": [Infinity]}]',
    "huge number": json.dumps(with_keypoints([0.0] * 51)).replace("0.0", "1e999", 1).replace("0.0", "1"),
    "huge integer": json.dumps(with_keypoints([10**400] * 51)),
    "5000 digits": "[" + "9" * 5000 + "]",
    "scalar": "3",
    "string": '"people"',
    "null": "null",
    "list of numbers": "[1, 2, 3]",
    "strings": json.dumps(with_keypoints(["1"] * 51)),
    "nulls": json.dumps(with_keypoints([None] * 51)),
    "no keypoints": '[{"image_id": 1}]',
    "50 numbers": json.dumps(with_keypoints([1.0] * 50)),
    "nested": json.dumps(with_keypoints([[1.0, 2.0, 3.0]] * 17)),
    "ragged": json.dumps([{"keypoints": [[1, 2], [3]], "keypoint_scores": [1, 1]}]),
    "score count": json.dumps([{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1.0] * 16}]),
    "image id": '[{"image_id": [1], "keypoints": [1]}]',
    "people": '{"people": 3}',
    "person": '{"people": [3]}',
    "instances": '{"instances": {"a": 1}}',
    "frames": '{"instance_info": [{"instances": 3}]}',
    "annotations": '{"annotations": 3}',
    "annotation": '{"annotations": [3], "images": []}',
    "images": '{"annotations": [], "images": 4}',
    "mixed counts": json.dumps([*GOOD, {"image_id": 1, "keypoints": [1.0] * 54}]),
}


@pytest.mark.parametrize("content", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_json(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_keypoints(path)
    assert "bad.json" in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def saved(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(content: bytes, name: str = "keypoints.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


HUGE = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 3), }", b"0" * 48)
BAD_ARRAYS = {
    "empty": b"",
    "text": b"hello, this is not an array",
    "huge header": HUGE,
    "negative shape": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-17, -3), }", b"0" * 408),
    "code in header": npy("__import__('os').system('false')"),
    "truncated": saved(np.ones((17, 3)))[:-8],
    "trailing": saved(np.ones((17, 3))) + b"0",
    "objects": saved(np.array([None] * 51, object).reshape(17, 3)),
    "strings": saved(np.full((17, 3), "a")),
    "complex": saved(np.ones((17, 3), complex)),
    "booleans": saved(np.ones((17, 3), bool)),
    "no people": saved(np.ones((0, 17, 3))),
    "no joints": saved(np.ones((0, 3))),
    "scalar": saved(np.float64(3)),
    "one dimension": saved(np.ones(51)),
    "four columns": saved(np.ones((17, 4))),
    "five dimensions": saved(np.ones((1, 1, 1, 17, 3))),
    "structured": saved(np.ones(17, [("x", float), ("y", float)])),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays(tmp_path, content, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content if suffix == ".npy" else zipped(content))
    with pytest.raises(InputError, match=f"bad{suffix}") as caught:
        read_keypoints(path)
    assert "\n" not in str(caught.value)


def test_npz_without_keypoints_lists_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", joints=np.ones((17, 3)))
    with pytest.raises(InputError, match="lacks keypoints; it holds joints"):
        read_keypoints(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["missing.json", "photo.docx"])
def test_unknown_files(tmp_path, name):
    if name.endswith("docx"):
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=name):
        read_keypoints(tmp_path / name)


GOOD_FILES = [
    ("a.json", json.dumps(GOOD).encode()),
    ("b.json", json.dumps(MMPOSE).encode()),
    ("c.json", json.dumps(OPENPOSE).encode()),
    ("d.npy", saved(np.ones((2, 17, 3)))),
    ("e.npz", zipped(saved(np.ones((17, 3))))),
]


@pytest.mark.parametrize(("name", "content"), GOOD_FILES)
def test_every_truncation_is_a_format_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert len(read_keypoints(path)) == 1
    for part in range(64):
        path.write_bytes(content[: len(content) * part // 64])
        with pytest.raises(FormatError):
            read_keypoints(path)


@given(st.sampled_from(GOOD_FILES), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
def test_random_edits_leak_no_other_exception(tmp_path_factory, file, edits):
    name, content = file
    damaged = bytearray(content)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(bytes(damaged))
    try:
        frames = read_keypoints(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(np.isfinite(frame.keypoints.points).all() for frame in frames)
