"""Training of a pose prior: weights that load, the same from the same seed, a loss that is its formula."""

import json
import math

import numpy as np
import pytest
import torch
import yaml
from interrupted_runs import digest, stop_after
from scipy.spatial.transform import Rotation
from tiny_pack import write_pack

from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.cli.main import main
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.losses.pose_prior import prior_loss
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.skeletons import MOTION_PARENTS
from pose2mesh.training.prior import angle_degrees


def write_config(folder, **changes):
    pack = str(write_pack(folder / "pack.npz"))
    content = {
        "task": "pose_prior", "motion": [pack], "validation": [pack], "distinct_radians": 0.0,
        "width": 16, "latent": 4, "steps": 30, "batch_size": 8, "output": str(folder / "run"), **changes,
    }  # fmt: skip
    path = folder / "prior.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_command_trains_a_prior_that_loads(tmp_path, capsys):
    path = write_config(tmp_path)
    assert main(["train", "--config", str(path)]) == 0, capsys.readouterr().err
    prior = load_pose_prior(tmp_path / "run" / "weights.safetensors")
    assert prior.latent == 4
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 < metrics["median_degrees"] <= metrics["p95_degrees"] <= 180
    assert main(["train", "--config", str(path), f"output={tmp_path / 'again'}"]) == 0
    again = load_pose_prior(tmp_path / "again" / "weights.safetensors")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in prior.state_dict().items())


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path, monkeypatch, capsys):
    path = str(write_config(tmp_path))
    assert main(["train", "--config", path, f"output={tmp_path / 'whole'}"]) == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 11)
        assert main(["train", "--config", path]) == 143
    assert "saved at step 11" in capsys.readouterr().out
    assert main(["train", "--config", path, "--resume"]) == 0
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_unknown_settings_are_refused(tmp_path, capsys):
    assert main(["train", "--config", str(write_config(tmp_path, colour="red"))]) == 2
    assert "colour" in capsys.readouterr().err


def test_the_divergence_is_that_of_two_normal_distributions():
    torch.manual_seed(0)
    prior = PosePrior(18, width=16, latent=4).eval()
    rotmat = rotvec_to_rotmat(0.3 * torch.randn(6, 18, 3))
    _, parts = prior_loss(prior, rotmat, MOTION_PARENTS[1:], 1.0, 0.5, torch.Generator().manual_seed(0))
    found = torch.distributions.Normal(*prior.encode(rotmat))
    expected = torch.distributions.kl_divergence(found, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
    torch.testing.assert_close(parts["kl"], expected.detach())


@pytest.mark.parametrize("degrees", [0.0, 1.0, 90.0, 179.0])
def test_the_angle_between_rotations(degrees):
    turned = rotvec_to_rotmat(torch.tensor([0.0, math.radians(degrees), 0.0]))
    assert angle_degrees(torch.eye(3), turned).item() == pytest.approx(degrees, abs=1e-3)


def test_the_loss_is_its_formula():
    """World rotations by SciPy, bone after bone; shares and weight as they are told."""
    torch.manual_seed(0)
    parents = MOTION_PARENTS[1:]
    prior = PosePrior(18, width=16, latent=4).eval()
    rotmat = rotvec_to_rotmat(0.4 * torch.randn(5, 18, 3))
    decoded, mean, deviation = prior(rotmat, torch.Generator().manual_seed(7))

    def world(relative: torch.Tensor) -> np.ndarray:
        chain: list[Rotation] = []
        for joint, parent in enumerate(parents):
            own = Rotation.from_matrix(relative[:, joint].detach().double().numpy())
            chain.append(own if parent <= 0 else chain[parent - 1] * own)
        return np.stack([each.as_matrix() for each in chain], 1)

    ours, theirs, mu, sigma = (x.detach().double().numpy() for x in (decoded, rotmat, mean, deviation))
    relative = ((ours - theirs) ** 2).sum((-1, -2)).mean()
    from_root = ((world(decoded) - world(rotmat)) ** 2).sum((-1, -2)).mean()
    divergence = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum(-1).mean()
    loss, _ = prior_loss(prior, rotmat, parents, 0.03, 0.3, torch.Generator().manual_seed(7))
    assert loss.item() == pytest.approx(0.7 * relative + 0.3 * from_root + 0.03 * divergence, rel=1e-4)
