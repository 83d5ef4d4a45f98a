"""The local engine: every row once, whatever happens in between."""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow as pa
import pyarrow.parquet as pq
from tables import people, write

from pose2mesh import Pose2Mesh, paths
from pose2mesh.batch import keypoint_tables, local, source
from pose2mesh.batch.local import Done, run_local
from pose2mesh.batch.recover import RESULTS, WEIGHTS, recover
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError, InputError, MachineError

PIECE = 16


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained(WEIGHTS)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(source, "PIECE_ROWS", PIECE)


def ids_of(folder: Path) -> list[str]:
    return pq.read_table(folder).column("id").to_pylist()


@pytest.fixture
def counted(monkeypatch):
    """Rows that were recovered, without a network's work."""
    rows: list[int] = []

    def stand_in(table, model, batch_size):
        rows.append(len(table))
        columns = {name: pa.nulls(len(table), pa.list_(pa.float32())) for name in RESULTS}
        return pa.table({"id": table.column("id"), **columns, "error": pa.nulls(len(table), pa.string())})

    monkeypatch.setattr(local, "recover", stand_in)
    return rows


def test_a_table_in_pieces_is_the_whole_one(tmp_path, model):
    table = people(50)
    done = run_local(write(table, tmp_path / "t.parquet", 40), tmp_path / "out.parquet", model)
    assert done == Done(50, 0, 0)
    found, whole = pq.read_table(tmp_path / "out.parquet"), recover(table, model)
    assert found.schema.equals(whole.schema)
    assert found.column("id").equals(whole.column("id"))
    for name in ("rotations", "betas", "joints", "translation"):
        of = [np.array(t.column(name).to_pylist()) for t in (found, whole)]
        np.testing.assert_allclose(*of, rtol=1e-3, atol=1e-4)


def test_shards_are_the_whole_and_share_nothing(tmp_path, model, counted):
    table = write(people(100), tmp_path / "t.parquet", 30)
    for shard in range(3):
        run_local(table, tmp_path / "out", model, shard=(shard, 3))
    assert ids_of(tmp_path / "out") == [f"p{i}" for i in range(100)]
    assert sum(counted) == 100


@pytest.mark.parametrize("group", [1, 7, 40])
def test_row_groups_do_not_cut_pieces(tmp_path, model, group):
    """Nor the files of a folder; every byte is that of the same rows in one row group."""
    table = people(50)
    table = table.set_column(2, "joint_set", table.column("joint_set").dictionary_encode())  # a category of pandas
    run_local(write(table, tmp_path / "t.parquet"), tmp_path / "whole", model)
    cut = tmp_path / "cut"
    cut.mkdir()
    write(table.slice(0, 29), cut / "a.parquet", group)
    write(table.slice(29), cut / "b.parquet", group)
    shards = [run_local(cut, tmp_path / "out", model, shard=(i, 4)).rows for i in range(4)]
    assert shards == [PIECE, PIECE, PIECE, 50 - 3 * PIECE]
    whole, found = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "out"))
    assert found == whole and len(whole) == 4


def test_files_of_other_columns_are_pieces_of_their_own(tmp_path, model, counted):
    folder, table = tmp_path / "in", people(50)
    folder.mkdir()
    write(table.slice(0, 20), folder / "a.parquet", 5)
    wide = table.set_column(3, "width", table.column("width").cast(pa.float64()))
    write(wide.slice(20), folder / "b.parquet", 5)
    run_local(folder, tmp_path / "out", model)
    assert ids_of(tmp_path / "out") == [f"p{i}" for i in range(50)] and counted == [PIECE, 4, PIECE, 14]


def test_a_second_run_recomputes_nothing(tmp_path, model, counted):
    table = write(people(70), tmp_path / "t.parquet")
    run_local(table, tmp_path / "out", model)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert run_local(table, tmp_path / "out", model) == Done(0, 0, 70)
    assert sum(counted) == 70 and {path: path.stat().st_mtime_ns for path in files} == files


def test_a_full_disk_keeps_what_is_done_and_the_next_run_goes_on(tmp_path, model, monkeypatch):
    """The system refuses files above 100 kB: the first piece, of rows with an error, fits, the second does not."""
    monkeypatch.setattr(source, "PIECE_ROWS", 100)
    rows, out = people(200), tmp_path / "out"
    rows = rows.set_column(2, "joint_set", pa.array(["none"] * 100 + ["coco17"] * 100))
    table = write(rows, tmp_path / "t.parquet")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(MachineError, match="File too large") as told:
            run_local(table, out, model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.exit_code == 3
    assert ids_of(out) == [f"p{i}" for i in range(100)]
    assert [path.name for path in out.iterdir()] == ["part-000000-of-000002.parquet"]  # nothing half
    assert run_local(table, out, model) == Done(100, 0, 100)
    assert ids_of(out) == [f"p{i}" for i in range(200)]


def test_what_a_killed_run_left_half_is_not_read(tmp_path, model, counted):
    table = write(people(20), tmp_path / "t.parquet")
    run_local(table, tmp_path / "out", model)
    with pytest.raises(KeyboardInterrupt), paths.atomic_write(tmp_path / "out" / "part-000009-of-000009.parquet") as f:
        f.write(b"half")
        f.flush()
        assert len(ids_of(tmp_path / "out")) == 20  # while it is being written, and for ever after a kill
        raise KeyboardInterrupt


def test_a_poisoned_row_harms_no_other(tmp_path, model):
    table = people(5).to_pylist()
    table[2]["keypoints"][0] = float("nan")
    done = run_local(write(pa.Table.from_pylist(table), tmp_path / "t.parquet"), tmp_path / "out", model)
    assert done == Done(5, 1, 0)
    errors = pq.read_table(tmp_path / "out").column("error").to_pylist()
    assert errors[2] and errors[:2] + errors[3:] == [None] * 4


def test_an_output_of_something_else_is_refused_unless_told(tmp_path, model, counted):
    out = tmp_path / "out"
    run_local(write(people(40), tmp_path / "a.parquet"), out, model)
    other = write(people(40, seed=1), tmp_path / "b.parquet")  # the same ids, other keypoints
    longer = write(people(90), tmp_path / "c.parquet")
    for table in (other, longer):
        with pytest.raises(InputError, match="--overwrite"):
            run_local(table, out, model)
    assert run_local(longer, out, model, overwrite=True).rows == 90
    assert ids_of(out) == [f"p{i}" for i in range(90)]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        run_local(longer, out, model, overwrite=True)
    with pytest.raises(InputError, match="is no folder"):
        run_local(longer, tmp_path / "a.parquet", model)
    for place in (longer, longer.parent):  # the table itself, and where it lies
        with pytest.raises(InputError, match="would be lost"):
            run_local(longer, place, model, overwrite=True)
    assert longer.is_file() and other.is_file()


def test_tables_that_cannot_be_used(tmp_path, model):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no such table"):
        run_local(tmp_path / "none.parquet", out, model)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(FormatError, match="no Parquet file"):
        run_local(tmp_path / "text.parquet", out, model)
    with pytest.raises(InputError, match="has no column width"):
        run_local(write(people(3).drop_columns(["width"]), tmp_path / "t.parquet"), out, model)
    twice = pa.concat_tables([people(20), people(2)])
    with pytest.raises(InputError, match="2 of 22 ids are repeated"):
        run_local(write(twice, tmp_path / "twice.parquet"), out, model)
    assert not out.exists() or not list(out.iterdir())


def test_ids_of_equal_hash_are_not_the_same(tmp_path, model):
    """Python hashes -1 as -2, and numbers beyond 2^61 as small ones."""
    ids = pa.chunked_array([pa.array([-1, -2, 0, 2**61 - 1])])
    table = write(people(4).set_column(0, "id", ids), tmp_path / "t.parquet")
    assert run_local(table, tmp_path / "out", model) == Done(4, 0, 0)


def test_a_table_without_rows_has_an_output_with_its_columns(tmp_path, model):
    assert run_local(write(people(0), tmp_path / "t.parquet"), tmp_path / "out", model) == Done(0, 0, 0)
    assert pq.read_table(tmp_path / "out").num_rows == 0


def test_people_of_a_picture_without_its_size_are_warned_of(tmp_path, capsys):
    people = np.concatenate([np.random.default_rng(0).uniform(10, 99, (2, 17, 2)), np.ones((2, 17, 1))], -1)
    np.save(tmp_path / "two.npy", people)
    arguments = ["table", f"{tmp_path / 'two.npy'}", "-o", f"{tmp_path / 'two.parquet'}"]
    assert main(arguments) == 0
    assert "give --image-size" in capsys.readouterr().err
    assert main([*arguments, "--image-size", "640x480"]) == 0
    assert not capsys.readouterr().err


def test_keypoint_files_share_row_groups(tmp_path, monkeypatch):
    """The rows of a file may lie in two."""
    monkeypatch.setattr(keypoint_tables, "PIECE_ROWS", 8)
    points = people(33).column("keypoints").to_pylist()
    files = [tmp_path / f"{i:02d}.npy" for i in range(11)]
    for i, file in enumerate(files):
        np.save(file, np.array(points[3 * i : 3 * i + 3], np.float32).reshape(3, 17, 3))
    table = tmp_path / "t.parquet"
    assert keypoint_tables.write_keypoint_table(files, table, image_size=(640, 480)) == 33
    footer = pq.ParquetFile(table).metadata
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [8, 8, 8, 8, 1]
    found = pq.read_table(table).to_pylist()
    np.testing.assert_array_equal([row["keypoints"] for row in found], points)
    assert [row["id"].rsplit("/", 2)[0] for row in found] == [file.as_posix() for file in files for _ in range(3)]


def test_a_table_keeps_cameras(tmp_path):
    """Those of results that are read again, with a principal point that is not the picture's middle."""
    camera = {"intrinsics": np.array([[900, 0, 300], [0, 900, 250], [0, 0, 1]]), "image_size": (640, 480)}
    keypoints = np.array(people(1).column("keypoints").to_pylist()[0]).reshape(17, 3)
    person = Pose2Mesh.from_pretrained("anny-body").predict(keypoints, "coco17", **camera)[0]
    person.save(tmp_path / "result.npz")
    keypoint_tables.write_keypoint_table([tmp_path / "result.npz"], tmp_path / "t.parquet")
    row = pq.read_table(tmp_path / "t.parquet").to_pylist()[0]
    assert (row["focal"], row["center"], row["width"]) == (900, [300, 250], 640)


def test_a_table_never_takes_the_place_of_its_keypoints(tmp_path, capsys):
    keypoints = tmp_path / "a.parquet"
    keypoints.write_bytes(b"precious")
    assert main(["table", str(keypoints), "-o", str(keypoints)]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert keypoints.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["people.csv", "people.xyz", "people"])
def test_a_table_is_written_under_no_other_suffix(name, tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.ones((17, 3)))
    assert main(["table", str(tmp_path / "a.npy"), "-o", str(tmp_path / name)]) == 2
    assert f"{name}: a table is stored as .parquet" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_from_keypoint_files_to_meshes(tmp_path, capsys):
    """The commands one after another; the mesh is the one of `predict`."""
    points = people(2).column("keypoints").to_pylist()
    np.save(tmp_path / "two.npy", np.array(points, np.float32).reshape(2, 17, 3))
    table, out = str(tmp_path / "t.parquet"), str(tmp_path / "out.parquet")
    assert main(["table", str(tmp_path / "two.npy"), "-o", table, "--image-size", "640x480"]) == 0
    assert (
        main(["batch", table, "-o", out, "--weights", "anny-key2mesh"]) == 0
    )  # its mesh is the body of its parameters
    assert "2 rows recovered, 0 with an error" in capsys.readouterr().out
    row = pq.read_table(out).column("id").to_pylist()[1]
    assert main(["mesh", out, "--id", row, "-o", str(tmp_path / "mesh"), "--format", "npz"]) == 0
    (found,) = (tmp_path / "mesh").iterdir()
    person = Pose2Mesh.from_pretrained("anny-key2mesh").predict(tmp_path / "two.npy", image_size=(640, 480))[1]
    np.testing.assert_allclose(np.load(found)["vertices"][0], person.vertices, atol=2e-3)
    assert main(["mesh", out, "--id", "nobody", "-o", str(tmp_path / "mesh")]) == 2
    assert "no row has the id 'nobody'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_two_hundred_thousand_rows_in_flat_memory_and_a_kill(tmp_path):
    """A process killed in the middle, another one to the end: every id once; memory does not grow with the rows."""
    table, out = write(people(200_000), tmp_path / "t.parquet", 50_000), tmp_path / "out"
    command = [sys.executable, "-m", "pose2mesh", "batch", str(table), "-o", str(out)]
    first = subprocess.Popen(command)
    while not (out.exists() and len(list(out.glob("part-*"))) >= 5):
        assert first.poll() is None
        time.sleep(0.5)
    first.kill()
    first.wait()
    assert subprocess.run(command, check=True).returncode == 0
    ids = ids_of(out)
    assert len(ids) == len(set(ids)) == 200_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_500_000  # kB


def test_rows_with_an_error_are_not_counted_as_recovered(tmp_path, capsys):
    table = people(3)
    keypoints = table.column("keypoints").to_pylist()
    keypoints[1] = [0.0] * len(keypoints[1])
    at = table.column_names.index("keypoints")
    table = table.set_column(at, "keypoints", pa.array(keypoints, table.schema.field(at).type))
    pq.write_table(table, tmp_path / "t.parquet")
    arguments = [str(tmp_path / "t.parquet"), "-o", str(tmp_path / "out.parquet"), "--weights", "anny-key2mesh"]
    assert main(["batch", *arguments]) == 0
    assert "2 rows recovered, 1 with an error" in capsys.readouterr().out
