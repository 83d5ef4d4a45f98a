"""Pose priors on disk: the published snapshot by its own names, ours by its bones, wrong ones refused."""

import pytest
import torch

from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.prior import BODY_BONES, KIND, SMPL_BONES, load_pose_prior
from pose2mesh.errors import FormatError, InputError
from pose2mesh.networks.pose_prior import PosePrior


def snapshot(path, prior: PosePrior, **extra) -> None:
    """A file laid out as the training framework of VPoser V02_05 writes it."""
    state = {f"vp_model.{name}": value for name, value in prior.state_dict().items()}
    state["bm_train.init_betas"] = torch.zeros(1, 10)  # buffers of a body model travel along
    torch.save({"epoch": 13, "global_step": 7, "state_dict": state, **extra}, path)


def test_a_published_snapshot_loads(tmp_path):
    torch.manual_seed(0)
    original = PosePrior(21).eval()
    path = tmp_path / "V02_05_epoch=13_val_loss=0.03.ckpt"
    snapshot(path, original)
    loaded = load_pose_prior(path, SMPL_BONES)
    latent = torch.randn(3, 32)
    assert torch.equal(loaded.decode(latent), original.decode(latent))
    assert not loaded.training
    assert SMPL_BONES[0] == "left_hip"
    assert SMPL_BONES[-1] == "right_wrist"


def test_a_prior_of_another_body_is_refused(tmp_path):
    path = tmp_path / "V02_05.ckpt"
    snapshot(path, PosePrior(21))
    with pytest.raises(InputError, match=r"trained for 21 rotations of smpl.*18 of another body"):
        load_pose_prior(path, BODY_BONES)


def test_ours_comes_back_in_half_precision(tmp_path):
    torch.manual_seed(0)
    prior = PosePrior(18, width=16, latent=4)
    settings = {"kind": KIND, "body": "anny-body", "bones": list(BODY_BONES), "width": 16, "latent": 4}
    path = tmp_path / "prior.safetensors"
    save_weights(path, prior, settings, torch.float16)
    loaded = load_pose_prior(path)
    for name, value in prior.state_dict().items():
        assert loaded.state_dict()[name].dtype == value.dtype
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_a_network_is_no_prior():
    with pytest.raises(InputError, match="holds a network, no pose prior"):
        load_pose_prior("anny-body")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_damaged_snapshot_is_named(tmp_path, content):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"broken\.ckpt is no checkpoint of the VPoser release"):
        load_pose_prior(path, SMPL_BONES)


def test_a_snapshot_of_something_else_is_named(tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {"vp_model.weight": torch.zeros(2)}}, path)
    with pytest.raises(FormatError, match="no VPoser V02_05 snapshot"):
        load_pose_prior(path, SMPL_BONES)
