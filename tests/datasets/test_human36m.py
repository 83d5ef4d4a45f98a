"""The reader of Human3.6M: what each field means, which frames are read, what damaged files say."""

import json
from pathlib import Path

import numpy as np
import pytest
from annotation_files import write_human36m, write_json

from pose2mesh.datasets.annotated import read_samples
from pose2mesh.errors import FormatError, InputError, MissingFileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_human36m(tmp_path_factory.mktemp("Human36M"))


def edited(folder: Path, target: Path, name: str, change) -> Path:
    """A copy of the subjects' files in which `change` has altered one."""
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_text())
        if path.name == name:
            change(content)
        write_json(target / path.relative_to(folder), content)
    return target


def test_every_fifth_frame_of_five_subjects_is_trained_on(folder: Path) -> None:
    samples = list(read_samples("human36m", folder))
    assert len(samples) == 5 * 2 * 3 * 2  # subjects, actions, frames 0, 5, 50 of 0, 1, 5, 50, cameras
    assert {s.frame for s in samples} == {0, 5, 50}
    assert {s.image.split("/")[0][:4] for s in samples} == {"s_01", "s_05", "s_06", "s_07", "s_08"}
    assert {s.group for s in samples} == {"Directions", "Discussion"}  # action_idx counts from 2
    assert all(s.detections is None for s in samples)


def test_every_fiftieth_frame_of_two_subjects_is_tested_on(folder: Path) -> None:
    samples = list(read_samples("human36m", folder, "test"))
    assert [s.frame for s in samples] == [0, 0, 50, 50] * 4
    assert {s.image[:4] for s in samples} == {"s_09", "s_11"}


def test_fields_of_a_sample(folder: Path) -> None:
    sample = next(iter(read_samples("human36m", folder)))
    annotations = folder / "annotations"
    world = json.loads((annotations / "Human36M_subject1_joint_3d.json").read_text())["2"]["1"]["0"]
    fit = json.loads((annotations / "Human36M_subject1_smpl_param.json").read_text())["2"]["1"]["0"]
    assert (sample.image_id, sample.annotation_id, sample.person_id) == (100000, 100000, 0)
    assert sample.image == "s_01_act_02_subact_01_ca_01/s_01_act_02_subact_01_ca_01_000001.jpg"
    assert sample.image_size == (1000, 1002)
    x, y, z = np.array(world[9]) / 1000  # the nose; the camera looks along the world's y, one meter above it
    in_camera = [x, -z + 1, y + 5]
    assert sample.joints.joint_set == "human36m17" and sample.joints.valid.all()
    np.testing.assert_allclose(sample.joints.points[9], in_camera, atol=1e-6)
    pixel = [1145 * in_camera[0] / in_camera[2] + 512, 1144 * in_camera[1] / in_camera[2] + 515, 1]
    np.testing.assert_allclose(sample.labels.points[9], pixel, atol=1e-3)
    assert sample.body.model == "smpl-neutral" and not sample.body.turns_about_root
    np.testing.assert_allclose(sample.body.rotvec[1], fit["pose"][3:6], atol=1e-6)
    np.testing.assert_allclose(sample.body.betas, fit["shape"], atol=1e-6)
    np.testing.assert_allclose(sample.body.translation, fit["trans"], atol=1e-6)
    np.testing.assert_allclose(sample.camera.translation, [0, 1, 5])  # metres


def test_detections_go_by_the_name_of_the_picture(folder: Path) -> None:
    published = json.loads((folder / "absnet_output_on_testset.json").read_text())
    for sample in read_samples("human36m", folder, "test"):
        expected = np.array(published[sample.image.split("/")[1]])
        np.testing.assert_allclose(sample.detections.points[:, :2], expected[:, :2], atol=1e-3)


def test_a_wild_shape_is_taken_for_the_mean_one(folder: Path, tmp_path: Path) -> None:
    def inflate(content: dict) -> None:
        content["2"]["1"]["0"]["shape"][3] = -3.5

    changed = edited(folder, tmp_path, "Human36M_subject1_smpl_param.json", inflate)
    samples = list(read_samples("human36m", changed))
    assert not samples[0].body.betas.any() and samples[2].body.betas.any()


def test_frames_without_a_fit_are_left_out(folder: Path, tmp_path: Path) -> None:
    changed = edited(folder, tmp_path, "Human36M_subject5_smpl_param.json", lambda content: content.pop("3"))
    assert len(list(read_samples("human36m", changed))) == 60 - 6


FAULTS = {
    "Human36M_subject1_camera.json": (lambda c: c.pop("2"), r"_camera.json: the file lacks '2'; get the parsed"),
    "Human36M_subject1_data.json": (lambda c: c.pop("images"), r"_data.json: the file lacks 'images'"),
    "Human36M_subject1_joint_3d.json": (
        lambda c: c["2"]["1"].update({"0": [[0, 0, 0]] * 16}),
        r"joint_3d.json: \['2'\]\['1'\] has 48 numbers under '0', expected \[17, 3\]",
    ),
    "Human36M_subject1_smpl_param.json": (
        lambda c: c["2"]["1"]["0"].pop("pose"),
        r"smpl_param.json: \['2'\]\['1'\]\['0'\] lacks 'pose'",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_file_is_named_with_its_key(folder: Path, tmp_path: Path, name: str) -> None:
    change, message = FAULTS[name]
    changed = edited(folder, tmp_path, name, change)
    with pytest.raises(FormatError, match=message) as caught:
        list(read_samples("human36m", changed))
    assert "\n" not in str(caught.value)


def test_other_faults(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Human36M_subject1_data.json not found; get the parsed Human3.6M"):
        list(read_samples("human36m", tmp_path))
    with pytest.raises(InputError, match="human36m has no split 'validation'"):
        read_samples("human36m", folder, "validation")
    with pytest.raises(InputError, match="unknown dataset 'h36m'; did you mean human36m"):
        read_samples("h36m", folder)
    cut = edited(folder, tmp_path, "", lambda c: None) / "annotations" / "Human36M_subject6_joint_3d.json"
    cut.write_text(cut.read_text()[:-100])
    with pytest.raises(FormatError, match=r"subject6_joint_3d.json: not valid JSON, perhaps truncated"):
        list(read_samples("human36m", tmp_path))
    cut.write_text(cut.read_text()[:0] + "[" * 100_000)
    with pytest.raises(FormatError, match=r"subject6_joint_3d.json: not valid JSON"):
        list(read_samples("human36m", tmp_path))


def test_numbers_that_are_not_finite_are_refused(folder: Path, tmp_path: Path) -> None:
    def spoil(content: dict) -> None:
        content["1"]["R"][0][0] = float("nan")

    changed = edited(folder, tmp_path, "Human36M_subject1_camera.json", spoil)
    with pytest.raises(FormatError, match=r"camera.json: \['1'\] has numbers under 'R' that are not finite"):
        list(read_samples("human36m", changed))
