"""Tables of keypoints to tables of parameters: every row once, each as `Pose2Mesh.predict` gives it."""

import json

import numpy as np
import pytest
from fake_network import FlatNetwork

from pose2mesh import Pose2Mesh
from pose2mesh.batch.files import FILE_COLUMNS, recover_files
from pose2mesh.batch.recover import COLUMNS, RESULTS, WEIGHTS, recover
from pose2mesh.errors import InputError
from pose2mesh.skeletons import MOTION_BONES, joint_set
from pose2mesh.types import Intrinsics

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

SETS = ("coco17", "human36m17", "coco17")


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained(WEIGHTS)


def person(name: str, seed: int) -> np.ndarray:
    """Keypoints [J, 3] somewhere in a picture."""
    points = np.random.default_rng(seed).uniform(100, 400, (len(joint_set(name).joints), 2))
    return np.concatenate([points, np.ones((len(points), 1))], 1).astype(np.float32)


def table_of(rows: list[tuple]) -> "pa.Table":
    return pa.table({name: list(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)})


def test_rows_are_as_predict_gives_them(model):
    sizes = ((640, 480), (None, None), (1000, 500))
    people = [person(name, seed) for seed, name in enumerate(SETS)]
    rows = [(i, p.ravel().tolist(), s, *size) for i, (p, s, size) in enumerate(zip(people, SETS, sizes, strict=True))]
    found = recover(table_of(rows), model).to_pylist()
    for row, keypoints, name, size in zip(found, people, SETS, sizes, strict=True):
        told = None if size[0] is None else size
        alone = model.predict(keypoints, name, image_size=told, outputs="parameters")[0]
        assert row["error"] is None
        np.testing.assert_allclose(row["joints"], alone.joints.ravel(), atol=1e-5)
        np.testing.assert_allclose(row["rotations"], alone.parameters["rotations"].ravel(), atol=1e-4)
        np.testing.assert_allclose(row["betas"], alone.parameters["betas"].ravel(), atol=1e-4)
        np.testing.assert_allclose(row["translation"], alone.camera.translation, rtol=1e-3, atol=1e-4)
        assert row["focal"] == pytest.approx(alone.camera.focal, rel=1e-6)


@pytest.mark.parametrize(("weights", "joints"), [(WEIGHTS, "body32"), ("anny-key2mesh", "coco19")])
def test_joints_and_bones_are_named(weights, joints, tmp_path):
    """Where a reader of the file finds them, also of a table in which no row could be used."""
    table = table_of([(1, person("coco17", 1).ravel().tolist(), "coco17", 640, 480), (2, None, "coco17", 640, 480)])
    for rows in (table, table.slice(1)):
        pq.write_table(recover(rows, Pose2Mesh.from_pretrained(weights)), tmp_path / "t.parquet")
        found = pq.read_schema(tmp_path / "t.parquet").metadata
        assert tuple(json.loads(found[b"joint_names"])) == joint_set(joints).joints
        assert tuple(json.loads(found[b"bone_names"])) == MOTION_BONES


def test_bad_rows_say_why_and_harm_no_other(model):
    good = person("coco17", 7)
    flat = good.ravel().tolist()
    poisoned = [float("nan")] * len(flat)
    unseen = (good * [1, 1, 0]).ravel().tolist()
    bad = [
        (None, "coco17", 640, 480),
        (poisoned, "coco17", 640, 480),
        (unseen, "coco17", 640, 480),
        (flat[:-3], "coco17", 640, 480),
        (flat[:-1], "coco17", 640, 480),
        ([], "coco17", 640, 480),
        (flat, "no_such_set", 640, 480),
        (flat, None, 640, 480),
        (flat, "coco17", 640, None),
        (flat, "coco17", 0, 480),
        (flat, "coco17", 640.5, 480),
    ]
    rows = [("same", flat, "coco17", 640, 480), *[("same", *row) for row in bad], ("last", flat, "coco17", 640, 480)]
    found = recover(table_of(rows), model)
    assert found.column("id").to_pylist() == [row[0] for row in rows]
    first, *middle, last = found.to_pylist()
    assert first["error"] is None and last["error"] is None
    np.testing.assert_allclose(first["joints"], last["joints"], atol=1e-6)
    for row in middle:
        assert row["error"] and "\n" not in row["error"]
        assert all(row[name] is None for name in RESULTS)


def test_doubts_are_told_once_for_all_rows(model, caplog):
    """As of `predict`: pictures of another size, and confidences that doubt everything; also where fractions may be."""
    keypoints = person("coco17", 7)
    small = np.vstack([[[1.5, 1.5, 0.1]], keypoints[1:] * [1, 1, 0]]).ravel().tolist()  # read one by one
    low = (keypoints * [1, 1, 0.1]).ravel().tolist()
    good = (0, keypoints.ravel().tolist(), "coco17", 640, 480)
    recover(table_of([good, (1, good[1], "coco17", None, None)]), model)
    assert not caplog.text
    recover(table_of([good, *[(i, low, "coco17", 640, 480) for i in (1, 2)], (3, good[1], "coco17", 48, 64)]), model)
    first, second = caplog.messages
    assert first.startswith("1 of 4 rows: most joints lie outside of the picture")
    assert second.startswith("2 of 4 rows: no joint has a higher confidence than 0.3")
    caplog.clear()
    recover(table_of([(i, small, "coco17", 640, 480) for i in range(3)]), model)
    assert [message[:11] for message in caplog.messages] == ["3 of 3 rows"]


def test_an_id_that_is_nan_is_null(model):
    table = table_of([(float(i), person("coco17", 1).ravel().tolist(), "coco17", 640, 480) for i in range(2)])
    table = table.set_column(0, "id", pa.array([1.0, float("nan")]))
    assert recover(table, model).column("error").to_pylist() == [None, "id is null"]


def test_nested_keypoints_are_refused_row_by_row(model):
    found = recover(table_of([(1, person("coco17", 1).tolist(), "coco17", 640, 480)]), model)
    assert "flat list" in found.column("error")[0].as_py()


def test_any_list_of_numbers_is_read_and_nothing_else(model):
    """Engines write lists in types of their own, and objects where a frame of theirs held some."""
    points = np.stack([person("coco17", seed) for seed in range(2)])
    table = table_of([(i, p.ravel().tolist(), "coco17", 640, 480) for i, p in enumerate(points)])
    flat, place = points.reshape(2, -1).tolist(), table.column_names.index("keypoints")
    same = {
        "large": pa.array(flat, pa.large_list(pa.float64())),
        "fixed": pa.array(flat, pa.list_(pa.float32(), len(flat[0]))),
        "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(points),
        "chunks": pa.chunked_array([pa.array(flat[:1]), pa.array(flat[1:])]),
    }
    whole = np.array(recover(table, model).column("joints").to_pylist())
    for name, column in same.items():
        found = recover(table.set_column(place, "keypoints", column), model)
        assert found.schema.field("joints").type == pa.list_(pa.float32()), name
        np.testing.assert_allclose(np.array(found.column("joints").to_pylist()), whole, atol=1e-5, err_msg=name)
    truths = recover(table.set_column(table.column_names.index("width"), "width", pa.array([True] * 2)), model)
    assert all("no size of a picture" in reason for reason in truths.column("error").to_pylist())
    for column in (
        pa.array([{"x": 1.0}] * 2),
        pa.array(["[1, 2, 1]"] * 2),
        pa.array([["1", "2", "1"]] * 2),
        pa.array([1.0, 2.0]).dictionary_encode(),
        pa.nulls(2),
    ):
        found = recover(table.set_column(place, "keypoints", column), model)
        assert all("flat list" in reason for reason in found.column("error").to_pylist()), column.type


def test_a_table_without_the_columns(model):
    with pytest.raises(InputError, match="joint_set, width"):
        recover(table_of([(1, [0.0], "coco17", 1, 1)]).drop_columns(["joint_set", "width"]), model)


def test_no_rows(model):
    table = table_of([(1, [0.0], "coco17", 1, 1)]).slice(0, 0)
    assert recover(table, model).num_rows == 0


def test_cameras_that_are_known(model):
    """As `predict` with the same intrinsics; what is no camera has its reason."""
    keypoints = person("coco17", 3)
    known = [(900.0, None), (900.0, [300.0, 250.0]), (None, None), (float("nan"), None)]
    cameras = [*known, (-3.0, None), (None, [1.0, 2.0]), (5.0, None), (900.0, [1.0])]
    rows = table_of([(i, keypoints.ravel().tolist(), "coco17", 640, 480) for i in range(len(cameras))])
    for name, column in zip(("focal", "center"), zip(*cameras, strict=True), strict=True):
        rows = rows.append_column(name, pa.array(list(column)))
    found = recover(rows, model).to_pylist()
    for row, (focal, center) in zip(found[:4], known, strict=True):
        intrinsics = Intrinsics(focal, center) if focal and focal == focal else None
        told = {"intrinsics": intrinsics, "image_size": (640, 480)}
        camera = model.predict(keypoints, "coco17", outputs="parameters", **told)[0].camera
        assert row["focal"] == pytest.approx(camera.focal, rel=1e-6)
        np.testing.assert_allclose(row["translation"], camera.translation, rtol=1e-3, atol=1e-4)
    reasons = [row["error"] for row in found[4:]]
    assert all(row["joints"] is None for row in found[4:])
    for reason, part in zip(
        reasons, ["must be pixels > 0", "focal is not", "too short", "principal point"], strict=True
    ):
        assert part in reason


@pytest.mark.parametrize(
    ("network", "told"),
    [(FlatNetwork("hand21"), "weights recover hands, .* such as anny-body"), (FlatNetwork(), "no body parameters")],
)
@pytest.mark.parametrize("columns", [COLUMNS, FILE_COLUMNS])
def test_weights_of_something_else_are_refused_before_a_row(network, told, columns):
    table = pa.table({name: pa.array([], pa.string()) for name in columns})
    with pytest.raises(InputError, match=told):
        (recover_files if columns == FILE_COLUMNS else recover)(table, Pose2Mesh(network))
