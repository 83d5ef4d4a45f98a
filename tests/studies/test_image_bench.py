"""The domain gap in pictures on a tiny backbone: rows, hidden labels, bad inputs."""

import copy
import json

import pytest
import torch
from tiny_pictures import study

from pose2mesh.adaptation import Photos, run_adaptation
from pose2mesh.errors import InputError
from pose2mesh.evaluation.images import predict_images
from pose2mesh.losses.images import full_loss
from pose2mesh.networks.prediction import BodyParameters
from tools.studies.domain_gap import kinds_of_gap
from tools.studies.gap_study import StudyConfig, run_study
from tools.studies.gap_table import main
from tools.studies.image_bench import ImageGapBench, LabeledPictures, crop_cameras_of


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[StudyConfig, ImageGapBench]:
    config = study(tmp_path_factory.mktemp("gap"))
    gap = kinds_of_gap(config.gap)["all"]
    return config, ImageGapBench(config.weights[0], gap, config.adapt, config.test_people)


def test_rows(made):
    config, bench = made
    source = bench.measure_row("source", config.adapt)
    assert set(source) >= {"pa_mpjpe", "mpvpe", "depth_mpjpe", "across_mpjpe", "pck_all", "pck_wrist", "reprojection"}
    adapted = bench.measure_row("dapa", config.adapt)
    assert adapted["mpjpe"] != source["mpjpe"]
    assert bench.measure_row("dapa", config.adapt) == adapted
    assert bench.measure_row("source", config.adapt) == source  # the source network is never changed


def test_the_oracle_learns_from_labels(made):
    config, bench = made
    longer = config.adapt.model_copy(update={"steps": 30, "batch_size": 8, "learning_rate": 3e-3})
    network = copy.deepcopy(bench.source)
    steps = LabeledPictures(network, bench.labeled, longer)

    def loss() -> float:
        """Of all labeled pictures."""
        truth, images = bench.labeled.truth, torch.from_numpy(bench.labeled.target.images)
        with torch.no_grad():
            found = predict_images(network, images, "float32")
            joints = steps.decoder.joints(truth)
            return float(full_loss(found, joints, truth, steps.camera, steps.decoder, longer.dapa.image))

    before = loss()
    run_adaptation(Photos(network, {}, bench.labeled.target, longer), [steps])
    assert loss() < 0.95 * before


def test_labels_of_nan_change_the_oracle_alone(made):
    config, bench = made
    before = bench.measure_row("dapa", config.adapt)
    clean = bench.labeled
    poison = BodyParameters(*(torch.full_like(tensor, torch.nan) for tensor in clean.truth))
    bench.labeled = clean._replace(truth=poison, exact=torch.full_like(clean.exact, torch.nan))
    assert bench.measure_row("dapa", config.adapt) == before
    assert bench.measure_row("oracle", config.adapt)["mpjpe"] == bench.measure_row("source", config.adapt)["mpjpe"]
    bench.labeled = clean


def test_crops_hold_their_people(made):
    _, bench = made
    assert (len(bench.labeled.subjects), len(bench.test.subjects)) == (9, 8)
    assert set(bench.labeled.subjects) == {"01"} and set(bench.test.subjects) == {"02"}
    for part in (bench.labeled, bench.test):
        seen = part.target.keypoints[..., 2] > 0
        errors = (part.target.keypoints[..., :2] - part.exact).norm(dim=-1)[seen]
        assert errors.median() < 0.1 and part.exact.abs().median() < 1


def test_the_closest_camera():
    joints = torch.randn(4, 17, 3, generator=torch.Generator().manual_seed(0))
    camera = torch.tensor([[0.8, 0.1, -0.2]]).expand(4, -1)
    points = camera[:, :1, None] * (joints[..., :2] + camera[:, None, 1:])
    torch.testing.assert_close(crop_cameras_of(joints, points), camera, atol=1e-5, rtol=1e-5)


def test_methods_of_keypoints_are_refused(made):
    config, bench = made
    with pytest.raises(InputError, match="no keypoint features"):
        bench.measure_row("key2mesh", config.adapt)


def test_labels_alone_are_refused(tmp_path):
    with pytest.raises(InputError, match="is an image backbone"):
        run_study(study(tmp_path, labels="coco2d_train.npz"))


def test_the_command(tmp_path, capsys):
    path = tmp_path / "study.yaml"
    path.write_text(study(tmp_path, seeds=[0, 1]).model_dump_json())
    assert main(["--config", str(path), "--json", str(tmp_path / "out.json")]) == 0
    assert "| all | source only |" in capsys.readouterr().out
    rows = json.loads((tmp_path / "out.json").read_text())["domain_gap"]
    assert [len(row["values"]["pck_all"]) for row in rows] == [1, 2]
