"""COCO, MuCo, SURREAL and FreiHAND: what each field means and what damaged files say."""

import json
from pathlib import Path

import annotation_files as written
import numpy as np
import pytest

from pose2mesh.datasets.annotated import read_samples
from pose2mesh.errors import FormatError, InputError, MissingFileError


def change(path: Path, edit) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def read(name: str, folder: Path, split: str = "train", **options) -> list:
    return list(read_samples(name, folder, split, **options))


# ---- COCO


def test_coco_people_with_labels_and_a_fit(tmp_path: Path) -> None:
    samples = read("coco", written.write_coco(tmp_path))
    assert [s.annotation_id for s in samples] == [1, 5, 6]  # 2 is a crowd, 3 has no labels, 4 no fit
    sample = samples[1]
    annotation = json.loads((tmp_path / "annotations" / "person_keypoints_train2017.json").read_text())["annotations"][
        4
    ]
    assert sample.image == "train2017/000000000005.jpg" and sample.image_id == 15 and sample.image_size == (640, 480)
    published = np.array(annotation["keypoints"]).reshape(17, 3)
    np.testing.assert_allclose(sample.labels.points[:, :2], published[:, :2], rtol=1e-6)
    np.testing.assert_array_equal(sample.labels.points[:, 2], published[:, 2] > 0)  # hidden ones are labeled too
    assert sample.joints is None and sample.detections is None
    assert sample.camera.is_orthographic
    points = np.array([[0.5, -1.0, 3.0], [0.5, -1.0, 9.0]])  # depth does not matter: 120 pixels a metre
    np.testing.assert_allclose(sample.camera.project(points), [[310.0, 140.0]] * 2)
    assert sample.body.model == "smpl-neutral" and not sample.body.translation.any()


def test_coco_faults(tmp_path: Path) -> None:
    fits = written.write_coco(tmp_path) / "annotations" / "coco_smplify_train.json"
    change(fits, lambda c: c["5"].pop("cam_param"))
    with pytest.raises(FormatError, match=r"coco_smplify_train.json: \['5'\] lacks 'cam_param'; get COCO's 2017"):
        read("coco", tmp_path)
    with pytest.raises(InputError, match="COCO has SMPL fits for its train split only"):
        read("coco", tmp_path, "test")
    change(fits, lambda c: c["5"].update(cam_param={"s": "wide", "t": [0, 0]}))
    with pytest.raises(FormatError, match="no array of numbers under 's'"):
        read("coco", tmp_path)
    fits.write_text("[]")
    with pytest.raises(FormatError, match="the file is no JSON object"):
        read("coco", tmp_path)


# ---- MuCo


def test_muco_takes_the_nearest_person(tmp_path: Path) -> None:
    samples = read("muco", written.write_muco(tmp_path))
    assert [s.annotation_id for s in samples] == [1, 11]  # of the third picture the fit is NaN
    sample = samples[0]
    content = json.loads((tmp_path / "data" / "MuCo-3DHP.json").read_text())
    published = np.array(content["annotations"][1]["keypoints_cam"]) / 1000
    assert sample.joints.joint_set == "human36m17"
    np.testing.assert_allclose(sample.joints.points[0], [0, 0, 3])  # the pelvis, metres
    rows = {1: 8, 3: 10, 4: 11, 6: 13, 10: 16, 11: 5, 13: 7, 14: 2, 16: 4}  # hips, ankles, head, shoulders, wrists
    for ours, theirs in rows.items():
        np.testing.assert_allclose(sample.joints.points[ours], published[theirs], rtol=1e-6)
    assert sample.joints.valid.tolist() == [True] * 7 + [False] * 3 + [True] * 7  # the trunk's are others
    np.testing.assert_allclose(sample.body.translation, [0, 0, 3])
    np.testing.assert_allclose([sample.camera.focal, sample.camera.center], [[1500, 1500], [512, 512]])


def test_muco_faults(tmp_path: Path) -> None:
    written.write_muco(tmp_path)
    change(tmp_path / "data" / "MuCo-3DHP.json", lambda c: c["images"][1].pop("f"))
    with pytest.raises(FormatError, match=r"MuCo-3DHP.json: images\[1\] lacks 'f'; get the MuCo data"):
        read("muco", tmp_path)
    change(tmp_path / "data" / "MuCo-3DHP.json", lambda c: c["annotations"][0].update(keypoints_cam=[[0, 0, 0]] * 17))
    with pytest.raises(FormatError, match=r"annotations\[0\] has 51 numbers under 'keypoints_cam', expected \[21, 3\]"):
        read("muco", tmp_path)


# ---- SURREAL


def test_surreal_goes_by_the_ids_of_pictures(tmp_path: Path) -> None:
    written.write_surreal(tmp_path)
    found = json.loads((tmp_path / "data" / "hrnet_output_on_trainset.json").read_text())
    expected = {item["image_id"]: item["keypoints"] for item in found}
    samples = read("surreal", tmp_path)
    assert [s.image_id for s in samples] == [0, 1, 2, 3] and [s.annotation_id for s in samples] == [50, 51, 52, 53]
    assert [s.body.model for s in samples] == ["smpl-male", "smpl-female"] * 2
    for sample in samples:
        assert sample.detections.joint_set == "smpl24"
        np.testing.assert_allclose(
            sample.detections.points[:, :2], np.array(expected[sample.image_id])[:, :2], rtol=1e-5
        )
        assert sample.detections.points[:, 2].max() <= 1
        np.testing.assert_allclose(sample.body.translation, [0.1, 0.2, 6.0], rtol=1e-6)


def test_detections_count_whatever_their_confidence(tmp_path: Path) -> None:
    """The release does not look at it; the network here would leave a joint of confidence 0 out."""
    path = written.write_surreal(tmp_path) / "data" / "hrnet_output_on_trainset.json"
    change(path, lambda c: c[0].update(keypoints=[[10.0, 20.0, 0.0]] * 24))
    assert (read("surreal", tmp_path)[3].detections.points[:, 2] > 0).all()
    change(path, lambda c: c[0].update(keypoints=[[10.0, 20.0]] * 24))
    assert (read("surreal", tmp_path)[3].detections.points[:, 2] == 1).all()


def test_ids_may_be_texts(tmp_path: Path) -> None:
    data = written.write_surreal(tmp_path) / "data"
    plain = [(s.image_id, s.annotation_id) for s in read("surreal", tmp_path)]

    def to_text(entries: list[dict]) -> None:
        for entry in entries:
            entry.update({name: str(entry[name]) for name in ("id", "image_id", "annotation_id") if name in entry})

    change(data / "hrnet_output_on_trainset.json", to_text)
    change(data / "train.json", lambda c: [to_text(c["images"]), to_text(c["annotations"])])
    assert [(s.image_id, s.annotation_id) for s in read("surreal", tmp_path)] == plain
    for text in ("1.0", "", "-", "\u00b2", "9" * 5000):
        change(data / "hrnet_output_on_trainset.json", lambda c, text=text: c[0].update(image_id=text))
        with pytest.raises(FormatError, match=r"has 'image_id' = .* not a whole number"):
            read("surreal", tmp_path)


def test_surreal_is_tested_on_val_with_either_name_of_the_detections(tmp_path: Path) -> None:
    data = written.write_surreal(tmp_path) / "data"
    assert len(read("surreal", tmp_path, "test")) == 4
    (data / "hrnet_output_on_valset.json").rename(data / "hrnet_output_on_testset.json")
    assert len(read("surreal", tmp_path, "test")) == 4


def test_surreal_faults(tmp_path: Path) -> None:
    data = written.write_surreal(tmp_path) / "data"
    change(data / "hrnet_output_on_trainset.json", lambda c: c.pop())
    with pytest.raises(
        FormatError, match=r"hrnet_output_on_trainset.json: no detection with image_id 0; get the parsed"
    ):
        read("surreal", tmp_path)
    change(data / "hrnet_output_on_trainset.json", lambda c: c[0].update(keypoints=[[1, 2]] * 17))
    with pytest.raises(FormatError, match=r"\[0\] has no finite x, y of 24 joints under 'keypoints'"):
        read("surreal", tmp_path)
    (data / "hrnet_output_on_trainset.json").unlink()
    with pytest.raises(MissingFileError, match=r"hrnet_output_on_trainset.json not found; get the parsed SURREAL"):
        read("surreal", tmp_path)


# ---- FreiHAND


def test_freihand_training(tmp_path: Path) -> None:
    samples = read("freihand", written.write_freihand(tmp_path))
    data = json.loads((tmp_path / "data" / "freihand_train_data.json").read_text())["2"]
    sample = samples[2]
    assert (sample.image_id, sample.annotation_id, sample.frame) == (2, 9, 2)
    assert sample.image == "training/rgb/00000002.jpg" and sample.image_size == (224, 224)
    assert sample.body.model == "mano-right" and sample.body.adds_mean_pose and sample.body.turns_about_root
    np.testing.assert_allclose(sample.body.rotvec.ravel(), data["mano_param"]["pose"], rtol=1e-6)
    np.testing.assert_allclose(sample.camera.rotation, written.ROTATION)
    np.testing.assert_allclose(sample.camera.translation, [0.01, 0.02, 0.6], rtol=1e-6)
    np.testing.assert_allclose([sample.camera.focal, sample.camera.center], [[480, 481], [112, 113]])
    assert sample.joints.joint_set == "hand21" and sample.joints.valid.all()
    np.testing.assert_allclose(sample.joints.points, data["joint_3d"], rtol=1e-5)
    assert sample.detections.points.shape == (21, 3) and sample.vertices is None


def test_freihand_joints_in_millimetres_and_the_later_version_with_trans(tmp_path: Path) -> None:
    path = written.write_freihand(tmp_path) / "data" / "freihand_train_data.json"
    expected = read("freihand", tmp_path)[1].joints.points

    def rewrite(content: dict) -> None:
        entry = content["1"]
        entry["joint_3d"] = (1000 * np.array(entry["joint_3d"])).tolist()
        del entry["cam_param"]["R"], entry["cam_param"]["t"]
        entry["mano_param"]["trans"] = [0.0, 0.1, 0.7]

    change(path, rewrite)
    sample = read("freihand", tmp_path)[1]
    np.testing.assert_allclose(sample.joints.points, expected, atol=1e-5)
    np.testing.assert_array_equal(sample.camera.rotation, np.eye(3))
    np.testing.assert_allclose(sample.body.translation, [0.0, 0.1, 0.7], rtol=1e-6)


def test_freihand_evaluation_with_and_without_its_ground_truth(tmp_path: Path) -> None:
    data = written.write_freihand(tmp_path) / "data"
    truth = np.array(json.loads((data / "evaluation_verts.json").read_text()))
    samples = read("freihand", tmp_path, "test")
    assert samples[3].body is None and samples[3].image == "evaluation/rgb/00000003.jpg"
    np.testing.assert_allclose(samples[3].vertices, truth[3], rtol=1e-5)
    assert samples[3].joints.points.shape == (21, 3)
    (data / "evaluation_verts.json").rename(tmp_path / "evaluation_verts.json")
    (data / "evaluation_xyz.json").rename(tmp_path / "evaluation_xyz.json")
    assert read("freihand", tmp_path, "test")[0].vertices is not None
    (tmp_path / "evaluation_verts.json").unlink()
    assert all(s.vertices is None and s.joints is None for s in read("freihand", tmp_path, "test"))


def test_freihand_faults(tmp_path: Path) -> None:
    data = written.write_freihand(tmp_path) / "data"
    change(data / "evaluation_verts.json", lambda c: c.pop())
    with pytest.raises(FormatError, match=r"evaluation_xyz.json: row 3 or that of evaluation_verts.json is no array"):
        read("freihand", tmp_path, "test")
    change(data / "freihand_train_data.json", lambda c: c["1"]["cam_param"].pop("t"))
    with pytest.raises(
        FormatError, match=r"freihand_train_data.json: \['1'\]\['cam_param'\] lacks 't'; get the parsed"
    ):
        read("freihand", tmp_path)
    change(data / "freihand_train_coco.json", lambda c: c["images"][0].pop("db_idx"))
    with pytest.raises(FormatError, match=r"images\[0\] lacks 'db_idx'"):
        read("freihand", tmp_path)
