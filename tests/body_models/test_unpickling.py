import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from malicious_pickles import refused, runnable
from scipy import sparse

from pose2mesh.body_models import unpickling
from pose2mesh.body_models.unpickling import read_pickle
from pose2mesh.errors import FormatError, MissingFileError

# Reads every file given with an audit hook in place; prints what the files made Python do.
READ_WITH_AUDIT = """
import json, sys
from pathlib import Path
from pose2mesh.body_models.unpickling import read_pickle
from pose2mesh.errors import FormatError
*bad, good = map(Path, sys.argv[1:])
read_pickle(good, ["v_template"])  # whatever NumPy and Python import on first use is imported now
seen, current, results = set(), [None], {}
def hook(event, arguments):
    if current[0] and not (event == "open" and str(arguments[0]) == current[0]):
        seen.add(event)
sys.addaudithook(hook)
for path in bad:
    current[0], results[path.name] = str(path), "loaded"
    try:
        read_pickle(path, ["v_template"])
    except FormatError as error:
        results[path.name] = str(error)
    current[0] = None
good = read_pickle(good, ["v_template"])["v_template"].tolist()
print(json.dumps({"events": sorted(seen), "results": results, "good": good}))
"""


def write_all(folder: Path, files: dict[str, bytes]) -> list[str]:
    for i, content in enumerate(files.values()):
        (folder / f"{i:03d}.pkl").write_bytes(content)
    return [str(folder / f"{i:03d}.pkl") for i in range(len(files))]


def test_malicious_files_are_refused_and_nothing_runs(tmp_path):
    canary = tmp_path / "canary"
    files = {**runnable(str(canary)), **refused(str(canary))}
    assert len(files) >= 60
    good = tmp_path / "good.pkl"
    good.write_bytes(pickle.dumps({"v_template": np.arange(3.0)}, 0))  # 0 needs all codecs there are
    paths = write_all(tmp_path, files)
    program = [sys.executable, "-c", READ_WITH_AUDIT, *paths, str(good)]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = json.loads(ran.stdout)
    assert not canary.exists()
    assert report["events"] == []
    for name, path in zip(files, paths, strict=True):
        message = report["results"][Path(path).name]
        assert message.startswith(path) and "\n" not in message and "download it again" in message, name
    assert report["good"] == [0.0, 1.0, 2.0]  # no file has altered the reader


def test_a_plain_unpickler_would_have_run_them(tmp_path):
    canary = tmp_path / "canary"
    files = runnable(str(canary))
    for name, path in zip(files, write_all(tmp_path, files), strict=True):
        # Python's own command that shows a pickle's content, in a process of its own
        subprocess.run([sys.executable, "-m", "pickle", path], capture_output=True, timeout=120, cwd=tmp_path)
        assert canary.exists(), name
        canary.unlink()


def test_each_is_refused_within_two_seconds(tmp_path):
    for path in write_all(tmp_path, refused(str(tmp_path / "canary"))):
        start = time.process_time()
        with pytest.raises(FormatError):
            read_pickle(path, ["v_template"])
        assert time.process_time() - start < 5


ARRAYS = {
    "rows": np.arange(12.0).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "big_endian": np.arange(5, dtype=">i4"),
    "half": np.arange(4, dtype=np.float16),
    "unsigned": np.array([2**32 - 1, 0], np.uint32),
    "scalar": np.array(2.5),
    "numbers": [1, 2.5, 3],
}


@pytest.mark.parametrize("protocol", range(6))
def test_plain_arrays_come_out_as_they_went_in(protocol, tmp_path):
    sparse_ones = {"csc": sparse.csc_matrix(np.eye(3, 5)), "csr": sparse.csr_matrix(np.eye(4)[::-1])}
    other = {"style": "lbs", "function": None, "nested": {"a": {1, 2}}}
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({**ARRAYS, **sparse_ones, **other}, protocol))
    read = read_pickle(path, [*ARRAYS, "csc"], ["csr", "absent"])
    assert read.keys() == {*ARRAYS, "csc", "csr"}
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(read[name], expected)
        assert read[name].dtype.isnative and read[name].dtype.kind == np.asarray(expected).dtype.kind
        assert read[name].flags.writeable
    np.testing.assert_array_equal(read["csc"], np.eye(3, 5))
    np.testing.assert_array_equal(read["csr"], np.eye(4)[::-1])


def test_old_module_paths_of_scipy_and_numpy(tmp_path):
    content = pickle.dumps({"a": sparse.csc_matrix(np.eye(2)), "b": sparse.csr_matrix(np.eye(2))}, 2)
    for new, old in ((b"scipy.sparse._cs", b"scipy.sparse.cs"), (b"numpy._core.", b"numpy.core.")):
        content = content.replace(new, old)
    assert b"numpy.core.multiarray" in content and b"scipy.sparse.csc\n" in content
    (tmp_path / "old.pkl").write_bytes(content)
    for array in read_pickle(tmp_path / "old.pkl", ["a", "b"]).values():
        np.testing.assert_array_equal(array, np.eye(2))


def test_a_file_cut_at_any_point_is_one_clear_error(tmp_path):
    content = pickle.dumps({"v_template": ARRAYS["rows"], "J_regressor": sparse.csc_matrix(np.eye(3))}, 2)
    path = tmp_path / "cut.pkl"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match=r"cut\.pkl"):
            read_pickle(path, ["v_template"])


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_changed_bytes_never_escape_as_other_errors(tmp_path):
    content = pickle.dumps({"a": ARRAYS["rows"], "b": sparse.csc_matrix(np.eye(3))}, 2)
    rng = np.random.default_rng(0)
    path = tmp_path / "changed.pkl"
    for _ in range(1000):
        changed = bytearray(content)
        for position in rng.integers(0, len(content), 8):
            changed[position] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read = read_pickle(path, ["a", "b"])
        except FormatError:
            continue
        assert all(isinstance(array, np.ndarray) for array in read.values())


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps({"v_template": ARRAYS["rows"]}, 2))
    monkeypatch.setattr(unpickling, "MAX_BYTES", 100)
    with pytest.raises(FormatError, match="more than any body model"):
        read_pickle(path, ["v_template"])


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(MissingFileError, match=r"absent\.pkl"):
        read_pickle(tmp_path / "absent.pkl", ["v_template"])
