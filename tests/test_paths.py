"""Search order of data files, and writes that survive a kill, an error and a full disk."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pose2mesh import paths
from pose2mesh.errors import InputError, MachineError, MissingFileError


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Four separate places, best first, none of which holds anything yet."""
    places = {name: tmp_path / name for name in ("environment", "checkout", "wheel", "cache")}
    for place in places.values():
        place.mkdir()
    (places["checkout"] / "pyproject.toml").touch()
    monkeypatch.setenv("POSE2MESH_ASSETS", str(places["environment"]))
    monkeypatch.setenv("POSE2MESH_CACHE", str(places["cache"]))
    monkeypatch.setattr(paths, "_CHECKOUT", places["checkout"])
    monkeypatch.setattr(paths, "_PACKAGE", places["wheel"])
    inside = {name: place / "assets" for name, place in places.items()}
    return {**inside, "environment": places["environment"]}


def put(folder: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    return folder / name


def test_search_order_is_environment_checkout_wheel_cache(roots):
    best_first = ("environment", "checkout", "wheel", "cache")
    for name in reversed(best_first):  # each better place hides the ones below it
        expected = put(roots[name], "weights/a.bin")
        assert paths.asset("weights/a.bin") == expected


def test_an_installed_package_does_not_look_beside_itself(roots):
    put(roots["checkout"], "a.bin")
    (roots["checkout"].parent / "pyproject.toml").unlink()  # site-packages is no checkout
    with pytest.raises(MissingFileError):
        paths.asset("a.bin")


def test_a_missing_file_names_every_place(roots):
    with pytest.raises(MissingFileError) as caught:
        paths.asset("weights/none.bin")
    for root in roots.values():
        assert str(root / "weights/none.bin") in str(caught.value)


def test_graphs_and_assets_are_separate(roots, monkeypatch):
    put(roots["checkout"], "a.npz")
    expected = put(roots["checkout"].parent / "graphs", "a.npz")
    assert paths.graph("a.npz") == expected


def test_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.delenv("POSE2MESH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert paths.cache_dir() == Path("/somewhere/pose2mesh")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/of")
    assert paths.cache_dir() == Path("/home/of/.cache/pose2mesh")


def test_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))
    assert paths.data_dir() == tmp_path
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path / "none"))
    with pytest.raises(MissingFileError, match="POSE2MESH_DATA"):
        paths.data_dir()


def test_a_write_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "folder" / "a.bin"
    with paths.atomic_write(target) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
        stream.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.bin"
    paths.write_with(target, lambda stream: stream.write(b"old"))
    with pytest.raises(ZeroDivisionError), paths.atomic_write(target) as stream:
        stream.write(b"new")
        _ = 1 / 0
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_written_is_known_beforehand(tmp_path):
    target = tmp_path / "new" / "a.bin"
    paths.check_writable(target)
    assert list(target.parent.iterdir()) == []
    target.write_bytes(b"old")
    paths.check_writable(target)
    assert target.read_bytes() == b"old"
    wrong_name = [(place, InputError) for place in (tmp_path, target / "below", ".", tmp_path / ("a" * 256))]
    for impossible, kind in [*wrong_name, ("/proc/nothing/a.bin", MachineError)]:
        for write in (paths.check_writable, lambda path: paths.write_with(path, lambda _: pytest.fail("too late"))):
            with pytest.raises(kind, match=r"cannot write .*; give another place"):
                write(impossible)


def test_an_output_takes_the_place_of_no_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = put(tmp_path / "folder", "a.bin")
    (tmp_path / "link").symlink_to(source)
    for output in (source, "folder/../folder/a.bin", "link", tmp_path, "folder"):  # folders are emptied
        with pytest.raises(InputError, match=r"a\.bin: would be lost by writing .*; give another place"):
            paths.not_over(output, "/elsewhere.bin", source)
    for output in ("folder/b.bin", "folder/a.bin.npz", "a.bin", "new"):
        paths.not_over(output, "/elsewhere.bin", source)


def test_what_is_no_regular_file_stays_what_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for name in ("pipe", "link"):
        with pytest.raises(InputError, match="not a regular file"):
            paths.write_with(tmp_path / name, lambda stream: stream.write(b"x"))
    assert pipe.is_fifo() and sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    paths.write_with(tmp_path / "link", lambda stream: stream.write(b"x"))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a" * 255, "\u6f22" * 85, "\U0001f600" * 63])
def test_the_longest_names_that_a_file_system_takes(tmp_path, name):
    paths.write_with(tmp_path / name, lambda stream: stream.write(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_temporaries_of_dead_writers_are_swept(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    dead, alive, host = int(done.stdout), os.getppid(), paths._HOST
    names = {
        f"a.tmp.{host}.{dead}.1": False,
        f"a.tmp.{host}.{alive}.1": True,
        f"a.tmp.00000000.{dead}.1": True,  # of another machine, and young
        f"old.tmp.00000000.{alive}.1": False,
        f"a.tmp.{dead}.1": True,  # not a name of ours
        "a.tmp": True,
    }
    for name in names:
        put(tmp_path, name)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / f"old.tmp.00000000.{alive}.1", (two_days_ago, two_days_ago))
    paths.write_with(tmp_path / "b", lambda stream: stream.write(b"x"))
    assert {path.name for path in tmp_path.iterdir()} == {"b", *(name for name, stays in names.items() if stays)}


WRITE_TOO_MUCH = """
import resource, sys
from pose2mesh.errors import MachineError
from pose2mesh.paths import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with atomic_write(sys.argv[1]) as stream:
        stream.write(bytes(1_000_000))
except MachineError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_full_disk_is_the_machines_error(tmp_path):
    """A file size limit makes the kernel refuse the write in the middle, as a full disk does."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    command = [sys.executable, "-c", WRITE_TOO_MUCH, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == MachineError.exit_code, done.stderr
    assert str(target) in done.stdout and "MB free" in done.stdout
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


WRITE_FOREVER = """
import sys
from pose2mesh.paths import atomic_write
print("started", flush=True)
while True:
    for letter in (b"a", b"b"):
        with atomic_write(sys.argv[1]) as stream:
            for _ in range(64):
                stream.write(letter * 8192)
"""


def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path):
    target = tmp_path / "a.bin"
    draw = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITE_FOREVER, str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline()
            deadline = time.monotonic() + 30
            while not target.exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.03))
            os.kill(writer.pid, signal.SIGKILL)
        content = target.read_bytes()
        assert content in (b"a" * len(content), b"b" * len(content))
        assert len(content) == 64 * 8192
    paths._swept.clear()
    paths.write_with(tmp_path / "b.bin", lambda stream: stream.write(b"x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_place_that_is_not_ours_is_bad_input(number, tmp_path):
    refused = paths.explained(PermissionError(number, os.strerror(number)), tmp_path / "a.npz")
    assert isinstance(refused, InputError) and str(refused).endswith("give another place")


def test_what_could_not_be_measured_is_null(tmp_path):
    """NaN is no JSON: other readers refuse the whole file."""
    paths.write_json(tmp_path / "a.json", {"a": float("nan"), "b": [1, (np.float64("inf"), 2.5)], "c": True})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [1, [None, 2.5]], "c": True}
