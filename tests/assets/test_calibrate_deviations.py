"""Calibration of deviations: the factor on errors of a known distribution, and where it is kept and used."""

import pytest
import torch
from tiny_network import tiny_settings

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network, load_network, save_weights
from pose2mesh.errors import InputError
from pose2mesh.evaluation.evaluator import measure
from pose2mesh.networks.prediction import MeshPrediction, UncertainPrediction
from pose2mesh.synthesis.upright import UprightProtocol
from tools.assets.calibrate_deviations import best_factor, error_ratios


def test_the_factor_leaves_68_of_100_below_whatever_the_sizes_of_the_parts():
    generator = torch.Generator().manual_seed(0)
    few, many = torch.rand(200, 17, generator=generator), 3 * torch.rand(1000, 17, generator=generator)
    factor = best_factor([few, many])
    assert ((few <= factor).float().mean() + (many <= factor).float().mean()) / 2 == pytest.approx(0.6827, abs=1e-3)


def test_the_share_within_one_deviation_is_counted_without_the_origin():
    truth = torch.zeros(2, 19, 3)
    found = truth.clone()
    found[0, :5, 0] = 0.1  # metres: five of seventeen are off
    deviation = torch.full((2, 19), 0.05)
    mesh = torch.rand(2, 40, 3, generator=torch.Generator().manual_seed(0))
    values = measure(UncertainPrediction(mesh, found, deviation, None), truth, mesh)  # pyright: ignore
    torch.testing.assert_close(values["within_one_deviation"], torch.tensor([12 / 17, 1.0]))
    assert "within_one_deviation" not in measure(MeshPrediction(mesh, found), truth, mesh)


def test_weights_keep_their_scale(tmp_path):
    settings = tiny_settings()
    settings["lifter"]["heads"] = True
    torch.manual_seed(0)
    network, keypoints = build_network(settings), torch.rand(2, 17, 3)
    save_weights(tmp_path / "plain.safetensors", network, settings)
    settings["lifter"]["deviation_scale"] = 0.75
    save_weights(tmp_path / "scaled.safetensors", network, settings)
    plain, scaled = (load_network(tmp_path / f"{name}.safetensors")(keypoints) for name in ("plain", "scaled"))
    torch.testing.assert_close(scaled.deviation, 0.75 * plain.deviation)
    torch.testing.assert_close(scaled.joints, plain.joints)


def test_ratios_are_errors_over_deviations_and_others_are_refused():
    protocol, answers = UprightProtocol(load_anny_body(), samples=1), []

    def network(keypoints):
        batch = answers[-1]
        off = batch.joints + torch.tensor([0.03, 0.0, 0.04])
        return UncertainPrediction(batch.vertices, off, torch.full(off.shape[:2], 0.1), None)  # pyright: ignore

    network.joint_set = "coco17"
    ratios = error_ratios(network, (answers.append(batch) or batch for batch in protocol.batches(4)))
    assert ratios["clean"].shape == ratios["noisy"].shape == (protocol.count(), 17)
    torch.testing.assert_close(ratios["noisy"], torch.full_like(ratios["noisy"], 0.5))

    def silent(keypoints):
        return MeshPrediction(answers[-1].vertices, answers[-1].joints)

    silent.joint_set = "coco17"
    with pytest.raises(InputError, match="nothing to calibrate"):
        error_ratios(silent, protocol.batches(4))
