"""Tables of paths: each file as `predict` and `motion` give it, every id answered."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow as pa
import pyarrow.parquet as pq

from pose2mesh import Pose2Mesh
from pose2mesh.batch import source
from pose2mesh.batch.files import recover_files
from pose2mesh.batch.local import Done, run_local
from pose2mesh.batch.meshes import people_of
from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.types import Keypoints2D

FRAMES = 10


class _Finder:
    """As many people as a picture's blue tells, standing; its red moves them to the right."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        move, _, count = (int(value) for value in image[0, 0])
        x = 200 + move + 20 * np.array([0, 0.3, -0.3, 0.5, -0.5] + [1, -1] * 6)
        y = np.array([80, 75, 75, 78, 78, 120, 120, 170, 170, 210, 210, 230, 230, 310, 310, 390, 390])
        points = np.stack([np.stack([x + 250 * person, y], -1) for person in range(count)] or [np.zeros((0, 2))])
        points = points.reshape(count, 17, 2).astype(np.float32)
        return Keypoints2D(points, np.ones((count, 17), np.float32), "coco17", (640, 480))


@pytest.fixture(scope="module")
def model():
    model = Pose2Mesh.from_pretrained("anny-body")
    model._detectors["auto"] = _Finder()
    return model


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[tuple]:
    """A picture of two, one of nobody, a walk, and what is no picture; ids are numbers."""
    folder = tmp_path_factory.mktemp("files")
    walk = folder / "walk"
    walk.mkdir()
    for path, color in (
        (folder / "two.png", (0, 0, 2)),
        (folder / "nobody.png", (0, 0, 0)),
        *((walk / f"a_{i:02d}.png", (4 * i, 0, 1)) for i in range(FRAMES)),
    ):
        Image.new("RGB", (640, 480), color).save(path)
    (folder / "text.jpg").write_text("no picture")
    names = ("two.png", "nobody.png", "walk", "text.jpg", "none.png")
    return [*((i, str(folder / name)) for i, name in enumerate(names)), (5, None)]


def table_of(rows: list[tuple]) -> "pa.Table":
    return pa.table({"id": [row[0] for row in rows], "path": pa.array([row[1] for row in rows], pa.string())})


def test_every_file_is_answered(model, rows):
    found = recover_files(table_of(rows), model)
    assert found.column("source").to_pylist() == [0, 0, 1, *[2] * FRAMES, 3, 4, 5]
    people = found.to_pylist()
    assert [row["id"] for row in people][:4] == ["0/0/0", "0/0/1", "1", "2/0/1"]
    reasons = {row["source"]: row["error"] for row in people}
    assert reasons[0] is None and reasons[2] is None
    for name, words in ((1, "nobody found"), (3, "text.jpg"), (4, "none.png"), (5, "path is None")):
        assert words in reasons[name] and "\n" not in reasons[name]
    alone = model.predict(rows[0][1], outputs="parameters")
    for row, person in zip(people[:2], alone, strict=True):
        for name in ("rotations", "betas"):
            np.testing.assert_allclose(row[name], person.parameters[name].ravel(), atol=1e-4)
        np.testing.assert_allclose(row["joints"], person.joints.ravel(), atol=1e-5)
        np.testing.assert_allclose(row["uncertainty"], person.uncertainty, rtol=1e-5)
        np.testing.assert_allclose(
            [*row["translation"], row["focal"]], [*person.camera.translation, person.camera.focal]
        )


def test_a_sequence_is_its_motion(model, rows):
    found = recover_files(table_of(rows[2:3]), model).to_pylist()
    motion = model.motion(rows[2][1])
    assert [(row["frame"], row["track"]) for row in found] == list(zip(motion.frame, motion.track, strict=True))
    for name in ("rotations", "betas", "translation"):
        np.testing.assert_allclose([row[name] for row in found], getattr(motion, name).reshape(FRAMES, -1), atol=1e-5)
    assert [row["time"] for row in found] == motion.time.tolist()


def test_pictures_and_motions_have_the_same_joints(model, rows):
    """Those that the table names: COCO-19's are the motion's, all are those of its meshes, regressed by hand."""
    found, motion = recover_files(table_of(rows[:3]), model), model.motion(rows[2][1])
    names, bones = (json.loads(found.schema.metadata[key]) for key in (b"joint_names", b"bone_names"))
    assert tuple(names) == model.network.output_joint_names and tuple(bones) == motion.bone_names
    for row in found.to_pylist():
        if row["error"] is None:
            assert len(row["joints"]) == 3 * len(names) and len(row["rotations"]) == 9 * len(bones)
    joints = np.array([row["joints"] for row in found.to_pylist()[-FRAMES:]]).reshape(FRAMES, -1, 3)
    same = [names.index(name) for name in motion.joint_names]
    np.testing.assert_allclose(joints[:, same], motion.joints, atol=1e-5)
    decoder = AnnyDecoder(load_anny_body())
    parameters = BodyParameters(torch.from_numpy(motion.rotations), torch.from_numpy(motion.betas))
    expected = decoder.body.joint_regressor("body32") @ decoder(parameters).vertices.numpy()
    np.testing.assert_allclose(joints, expected, atol=1e-5)


def test_the_engine_takes_them_in_pieces_and_meshes_come_out(model, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PIECE_FILES", 2)
    table, out = tmp_path / "t.parquet", tmp_path / "out"
    pq.write_table(table_of(rows), table)
    assert run_local(table, out, model) == Done(6, 4, 0)
    assert run_local(table, out, model) == Done(0, 0, 6)
    found, whole = pq.read_table(out), recover_files(table_of(rows), model)
    assert found.equals(whole.cast(found.schema))
    assert whole.schema.metadata.items() <= found.schema.metadata.items()
    ((name, person),) = people_of(out, ["0/0/1"])
    same = model.predict(rows[0][1], outputs="parameters")[1]
    assert name == "0/0/1" and len(person.vertices) > 10_000
    np.testing.assert_allclose(person.parameters["rotations"], same.parameters["rotations"], atol=1e-4)
    assert person.joint_names == same.joint_names and len(person.joints) == 32  # all that the row has
    np.testing.assert_allclose(person.joints, same.joints, atol=1e-4)
    with pytest.raises(InputError, match="nobody found"):
        list(people_of(out, ["1"]))
    bare = pq.read_table(out).replace_schema_metadata(None)  # as somebody else writes it again
    pq.write_table(bare, tmp_path / "bare.parquet")
    assert len(next(people_of(tmp_path / "bare.parquet", ["0/0/1"]))[1].joints) == 19


def test_the_last_line_counts_files(model, rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: model)
    pq.write_table(table_of(rows), tmp_path / "t.parquet")
    assert main(["batch", f"{tmp_path}/t.parquet", "-o", f"{tmp_path}/out"]) == 0
    assert capsys.readouterr().out.endswith("out: 2 files recovered, 4 with an error\n")


def test_a_table_with_keypoints_is_not_taken_for_files(tmp_path):
    with pytest.raises(InputError, match="has no column joint_set, width, height"):
        source.columns_of(["id", "path", "keypoints"], "t.parquet")
    with pytest.raises(InputError, match="has no column id"):
        recover_files(pa.table({"path": ["a.jpg"]}))


def test_relative_paths_start_at_the_working_folder(model, rows, monkeypatch):
    monkeypatch.chdir(Path(rows[0][1]).parent)
    assert recover_files(table_of([("a", "two.png")]), model).column("id").to_pylist() == ["a/0/0", "a/0/1"]
