import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from pose2mesh import npz
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.npz import read_array, read_arrays, write_arrays, write_long_array


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_plain_arrays_come_back_as_they_were(write, tmp_path):
    written = {
        "half": np.array([[0.5, -2.0]], np.float16),
        "short": np.arange(5, dtype=np.uint16),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.array(30.0),
        "empty": np.zeros((0, 3), np.int32),
        "flags": np.array([True, False]),
        "text": np.array(["linke Schulter", "鼻"]),
    }
    path = tmp_path / "plain.npz"
    write(path, **written)
    for read in (read_arrays(path), read_arrays(path.read_bytes(), ["half", "text"])):
        assert read.keys() == written.keys()
        for name, array in written.items():
            np.testing.assert_array_equal(read[name], array, strict=True)


def test_a_missing_file_and_a_missing_array_are_named_with_the_remedy(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.npz not found; look elsewhere$"):
        read_arrays(tmp_path / "none.npz", remedy="look elsewhere")
    np.savez(tmp_path / "some.npz", a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(FormatError, match=r"some\.npz: lacks c, d; it holds a, b; look elsewhere$"):
        read_arrays(tmp_path / "some.npz", ["c", "a", "d"], remedy="look elsewhere")


def test_a_bomb_is_refused_by_its_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 10_000)
    np.savez_compressed(tmp_path / "bomb.npz", zeros=np.zeros(100_000))
    with pytest.raises(FormatError, match=r"bomb\.npz: the arrays take"):
        read_arrays(tmp_path / "bomb.npz")


def _archive(tmp_path, name: str, content: bytes, compression: int = zipfile.ZIP_STORED):
    path = tmp_path / "made.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, content)
    return path


def _header(shape: str) -> bytes:
    """The start of an .npy file of float64 values."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(100000000000, 8)", "(-1, 4, 3)"])
def test_a_header_that_lies_is_refused_before_anything_is_allocated(shape, tmp_path):
    with pytest.raises(FormatError, match="announces shape"):
        read_arrays(_archive(tmp_path, "vertices.npy", _header(shape)))
    (tmp_path / "one.npy").write_bytes(_header(shape))
    with pytest.raises(FormatError, match=r"one\.npy: the array announces shape"):
        read_array(tmp_path / "one.npy")


@pytest.mark.parametrize("shape", ["(1, 4, 3)", "(1, 3o", "(1ÿ", "'", "("])
def test_a_truncated_or_unreadable_array_is_a_format_error(shape, tmp_path):
    with pytest.raises(FormatError, match="damaged"):
        read_arrays(_archive(tmp_path, "vertices.npy", _header(shape)))


def test_an_uncommon_compression_is_refused(tmp_path):
    with pytest.raises(FormatError, match="compression"):
        read_arrays(_archive(tmp_path, "vertices.npy", _header("(0,)"), zipfile.ZIP_LZMA))


def test_pickled_objects_are_never_loaded(tmp_path):
    class Canary:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([Canary()], object))
    path = _archive(tmp_path, "vertices.npy", stream.getvalue())
    with pytest.raises(FormatError, match="object"):
        read_arrays(path, ["vertices"])
    with pytest.raises(FormatError, match="vertices holds object values"):
        read_arrays(path, wanted=["vertices", "others"])
    assert read_arrays(path) == {}
    (tmp_path / "one.npy").write_bytes(stream.getvalue())
    with pytest.raises(FormatError, match=r"one\.npy: the array holds object"):
        read_array(tmp_path / "one.npy")


def test_text_as_bytes_is_text(tmp_path):
    np.savez(tmp_path / "a.npz", names=np.array(["nose", "neck"]).astype("S"), other=np.array(["\xe9".encode()]))
    found = read_arrays(tmp_path / "a.npz")
    assert {name: array.tolist() for name, array in found.items()} == {"names": ["nose", "neck"]}
    with pytest.raises(FormatError, match="other holds bytes beyond ASCII"):
        read_arrays(tmp_path / "a.npz", wanted=["other"])


def test_values_without_a_size_announce_nothing(tmp_path):
    header = _header("(1000000000,)").replace(b"'<f8'", b"'|S0'")
    with pytest.raises(FormatError, match="announces shape"):
        read_arrays(_archive(tmp_path, "names.npy", header))


def test_the_file_of_one_array(tmp_path):
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    np.save(tmp_path / "one.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "one.npy"), array, strict=True)
    (tmp_path / "one.npy").write_bytes((tmp_path / "one.npy").read_bytes() + b"0")
    with pytest.raises(FormatError, match="more bytes than its header says"):
        read_array(tmp_path / "one.npy")
    with pytest.raises(MissingFileError, match=r"none\.npy not found"):
        read_array(tmp_path / "none.npy")


def test_a_file_that_inflates_like_no_data_is_refused_before_it_does(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", keypoints=np.zeros(40_000_000, np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 100_000
    with pytest.raises(FormatError, match="at most"):
        read_arrays(tmp_path / "a.npz")


def test_an_array_in_parts_is_the_same_file_and_never_whole_in_memory(tmp_path):
    rows, faces = np.random.default_rng(0).normal(size=(700, 500, 3)).astype(np.float32), np.arange(6).reshape(2, 3)
    write_arrays(tmp_path / "whole.npz", {"vertices": rows, "faces": faces})
    parts = (rows[start : start + 150] for start in range(0, 700, 150))
    write_long_array(tmp_path / "parts.npz", "vertices", rows.shape, parts, faces=faces)
    assert list(tmp_path.glob(".*")) == []
    written = [read_arrays(tmp_path / name) for name in ("whole.npz", "parts.npz")]
    for name in ("vertices", "faces"):
        np.testing.assert_array_equal(written[0][name], written[1][name], strict=True)
    tracemalloc.start()
    write_long_array(tmp_path / "long.npz", "a", (4000, 1000), (np.zeros((10, 1000), np.float32) for _ in range(400)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # of 16 MB
