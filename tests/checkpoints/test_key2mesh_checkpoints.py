"""Checkpoints in the layout of the Key2Mesh release, made up, against the arithmetic of the release restated."""

from pathlib import Path

import pytest
import torch
from synthetic_models import arrays, write_pickle
from torch import Tensor
from torch.nn import functional

from pose2mesh.body_models.licensed_files import SMPL
from pose2mesh.checkpoints import load_network
from pose2mesh.checkpoints.key2mesh import convert_key2mesh
from pose2mesh.checkpoints.official import read_official
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError
from pose2mesh.networks.key2mesh import normalize_box


def made_up_state() -> dict[str, Tensor]:
    """Names and shapes of a release checkpoint: layers `index` of 0 linear, 1 norm, 2 PReLU, then blocks of two."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def layer(prefix: str, index: int, inputs: int, outputs: int) -> None:
        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        state[f"{prefix}.{index}.weight"] = normal(outputs, inputs) / inputs**0.5
        state[f"{prefix}.{index}.bias"] = 0.1 * normal(outputs)
        state[f"{prefix}.{index + 1}.weight"] = 1 + 0.1 * normal(outputs)
        state[f"{prefix}.{index + 1}.bias"] = 0.1 * normal(outputs)
        state[f"{prefix}.{index + 1}.running_mean"] = 0.1 * normal(outputs)
        state[f"{prefix}.{index + 1}.running_var"] = 1 + 0.2 * torch.rand(outputs, generator=generator)
        state[f"{prefix}.{index + 1}.num_batches_tracked"] = torch.tensor(7)
        state[f"{prefix}.{index + 2}.weight"] = torch.tensor([0.25])

    for name in ("feature_extractor_s", "feature_extractor_t"):
        layer(f"{name}.block", 0, 36, 1024)
        for block in (4, 5):
            for index in (0, 4):
                layer(f"{name}.block.{block}.block", index, 1024, 1024)
    for index in (0, 4):
        layer("smpl_head.block.0.block", index, 1024, 1024)
    state["smpl_head.block.1.weight"] = torch.randn(154, 1024, generator=generator) / 32
    state["smpl_head.block.1.bias"] = torch.randn(154, generator=generator)
    state |= {name.replace("feature_extractor_t", "feature_extractor"): v for name, v in state.items() if "_t." in name}
    return state


def reference(state: dict[str, Tensor], pose: Tensor) -> tuple[Tensor, Tensor]:
    """(betas [B,10], world-of-SMPL rotations [B,24,3,3]) as the release computes them, dropout off."""

    def layer(prefix: str, index: int, x: Tensor) -> Tensor:
        x = functional.linear(x, state[f"{prefix}.{index}.weight"], state[f"{prefix}.{index}.bias"])
        norm = f"{prefix}.{index + 1}"
        x = functional.batch_norm(
            x,
            state[f"{norm}.running_mean"],
            state[f"{norm}.running_var"],
            state[f"{norm}.weight"],
            state[f"{norm}.bias"],
        )
        return functional.prelu(x, state[f"{prefix}.{index + 2}.weight"])

    def block(prefix: str, x: Tensor) -> Tensor:
        return x + layer(f"{prefix}.block", 4, layer(f"{prefix}.block", 0, x))

    x = layer("feature_extractor_t.block", 0, pose.flatten(1))
    x = block("feature_extractor_t.block.5", block("feature_extractor_t.block.4", x))
    x = block("smpl_head.block.0", x)
    x = functional.linear(x, state["smpl_head.block.1.weight"], state["smpl_head.block.1.bias"])
    columns = x[:, 10:].view(-1, 24, 3, 2)  # the columns are interleaved
    first = functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1)
    return x[:, :10], torch.stack([first, second, torch.linalg.cross(first, second)], -1)


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_pickle(tmp_path / "models" / "SMPL_NEUTRAL.pkl", arrays(SMPL))
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path / "models"))
    path = tmp_path / "target.ckpt"
    torch.save({"state_dict": {**made_up_state(), "domain_head.block.1.bias": torch.zeros(1)}, "epoch": 4}, path)
    return path


def test_the_converted_network_gives_what_the_release_gives(checkpoint: Path, tmp_path: Path):
    output = tmp_path / "key2mesh.safetensors"
    assert main(["convert-checkpoint", str(checkpoint), "--kind", "key2mesh", "-o", str(output)]) == 0
    network = load_network(output)
    keypoints = 200 * torch.rand(3, 18, 3, generator=torch.Generator().manual_seed(3))
    keypoints[..., 2] = torch.tensor([1.0, 0.9, 0.0])[torch.arange(18) % 3]
    with torch.no_grad():
        found = network(keypoints)
        betas, rotations = reference(made_up_state(), normalize_box(keypoints))
    rotations = rotations.clone()
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1, -1])) @ rotations[:, 0]  # y up to the camera's y down
    torch.testing.assert_close(found.parameters.betas, betas, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.parameters.rotations, rotations, atol=1e-4, rtol=1e-4)
    assert found.vertices.shape == (3, 6890, 3) and network.output_joint_names[0] == "pelvis"


def test_a_source_checkpoint_has_one_extractor_only(checkpoint: Path):
    state = {k.replace("extractor_s", "extractor"): v for k, v in made_up_state().items() if "_t." not in k}
    assert len(convert_key2mesh(checkpoint, state)) > 4 * 6_500_000


def test_bad_checkpoints_are_refused(checkpoint: Path, tmp_path: Path):
    (tmp_path / "broken.ckpt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(FormatError, match=r"broken\.ckpt is no checkpoint of the Key2Mesh release"):
        read_official(tmp_path / "broken.ckpt", "state_dict", "Key2Mesh")
    state = made_up_state()
    del state["smpl_head.block.1.bias"]
    with pytest.raises(FormatError, match=r"smpl_head\.block\.1\.bias is missing"):
        convert_key2mesh(checkpoint, state)
    state = made_up_state()
    state["feature_extractor_t.block.0.weight"] = torch.zeros(1024, 34)
    with pytest.raises(FormatError, match=r"\[1024, 34\], expected \[1024, 36\]"):
        convert_key2mesh(checkpoint, state)
