"""AMASS: which recordings are read, what each field means and what damaged files say."""

from pathlib import Path

import annotation_files as written
import numpy as np
import pytest

from pose2mesh.datasets.annotated import read_samples
from pose2mesh.errors import FormatError, MissingFileError


def read(folder: Path, **options) -> list:
    return list(read_samples("amass", folder, **options))


def test_amass_in_four_views_every_sixtieth_frame(tmp_path: Path) -> None:
    samples = read(written.write_amass(tmp_path))
    assert [s.frame for s in samples] == [0] * 4 + [60] * 4 + [120] * 4
    with np.load(tmp_path / "data" / "CMU" / "01" / "01_01_poses.npz") as file:
        poses, betas = file["poses"], file["betas"]
    sample = samples[4]
    np.testing.assert_allclose(sample.body.rotvec[:22].ravel(), poses[60, :66], rtol=1e-6)
    assert not sample.body.rotvec[22:].any()  # SMPL+H continues with the left hand's fingers
    np.testing.assert_allclose(sample.body.betas, betas[:10], rtol=1e-6)
    assert sample.body.model == "smpl-neutral" and sample.body.turns_about_root and not sample.body.translation.any()
    assert sample.group == "cmu/01/01_01_poses" and sample.image == ""
    for view in samples[:4]:  # rotations that look at somebody who stands on the floor, from above or level
        np.testing.assert_allclose(view.camera.rotation @ view.camera.rotation.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(view.camera.rotation) > 0.999
        assert view.camera.rotation[1, 2] < -0.9  # the world's z is up, the picture's y down
        np.testing.assert_array_equal(view.camera.translation, [0, 0, 10])
    assert len({tuple(view.camera.rotation[0]) for view in samples[:4]}) == 4


def test_amass_parts_and_layouts(tmp_path: Path) -> None:
    written.write_amass(tmp_path, ("CMU", "BMLrub"), frames=21)
    assert len(read(tmp_path)) == 4 and len(read(tmp_path, subsets=["bmlrub"])) == 4 * 3
    later = tmp_path / "data" / "KIT" / "3"
    later.mkdir(parents=True)
    np.savez(later / "walk_stageii.npz", poses=np.zeros((6, 165)), betas=np.zeros(16), mocap_frame_rate=100.0)
    assert len(read(tmp_path / "data", subsets=["KIT"])) == 4 * 2  # its own folder without data/ works too
    # Linked folders are read like others, once, even where a link leads back up; broken ones are none.
    (tmp_path / "data" / "EKUT").mkdir()
    (tmp_path / "data" / "EKUT" / "1").symlink_to(later)
    (tmp_path / "data" / "EKUT" / "2").symlink_to(later)
    (tmp_path / "data" / "EKUT" / "3").symlink_to(tmp_path / "nowhere")
    (later / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "TotalCapture").symlink_to(tmp_path / "data" / "BMLrub")
    groups = [sample.group for sample in read(tmp_path, subsets=["EKUT"])]
    assert groups == ["ekut/1/walk_stageii"] * 4 * 2
    assert len(read(tmp_path, subsets=["TotalCapture"])) == 4 * 5
    with pytest.raises(
        MissingFileError, match=r"no \*_poses.npz or \*_stageii.npz below .*SFU; get the SMPL\+H archives"
    ):
        read(tmp_path, subsets=["SFU"])


@pytest.mark.parametrize(
    ("numbers", "model", "is_smpls"),
    [(156, None, True), (156, "smplh", True), (165, "smplx", False), (165, None, False), (156, "smplx", False)],
)
def test_amass_shapes_of_another_model_are_not_smpls(tmp_path: Path, numbers: int, model, is_smpls: bool) -> None:
    folder = tmp_path / "SOMA" / "subject"
    folder.mkdir(parents=True)
    named = {} if model is None else {"surface_model_type": np.array(model)}
    np.savez(folder / "a_stageii.npz", poses=np.ones((1, numbers)), betas=np.ones(16), **named)
    sample = read(tmp_path, subsets=["SOMA"])[0]
    np.testing.assert_array_equal(sample.body.betas, np.full(10, float(is_smpls)))
    assert (sample.body.rotvec[:22] == 1).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"poses": np.zeros((2, 156))}, "lacks betas"),
        ({"poses": np.zeros((2, 63)), "betas": np.zeros(16)}, r"'poses' is \(2, 63\)"),
        ({"poses": np.full((2, 156), np.nan), "betas": np.zeros(16)}, "not finite"),
        ({"poses": np.array([{}, None], object), "betas": np.zeros(16)}, "only numbers and text"),
        ({"poses": np.full((2, 156), "a"), "betas": np.zeros(16)}, "other values than numbers"),
        ({"poses": np.zeros(156), "betas": np.zeros(16)}, r"'poses' is \(156,\)"),
    ],
)
def test_amass_faults(tmp_path: Path, arrays: dict, message: str) -> None:
    folder = tmp_path / "CMU" / "01"
    folder.mkdir(parents=True)
    np.savez(folder / "01_01_poses.npz", **arrays)
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path)
    assert "01_01_poses.npz" in str(caught.value) and "amass.is.tue.mpg.de" in str(caught.value)


def test_amass_file_cut_short(tmp_path: Path) -> None:
    path = written.write_amass(tmp_path) / "data" / "CMU" / "01" / "01_01_poses.npz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FormatError, match="damaged or no NPZ file"):
        read(tmp_path)
