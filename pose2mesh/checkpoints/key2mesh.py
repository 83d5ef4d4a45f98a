"""Checkpoints of the Key2Mesh release (Uguz et al. 2024) as weights of this package.

The release keeps two extractors, of the source and adapted, under names of its own, beside critic and optimizers.
What is used for prediction is the adapted extractor where there is one, and the head. Two conventions differ: its 6D
rotations interleave the two columns, ours come one after the other; its root is in the body's axes (y up), ours in the
camera's. Both are folded into the rows of the last layer.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from pose2mesh.errors import FormatError
from pose2mesh.networks.key2mesh import PublishedFeatures, PublishedHead

SHAPE, JOINTS, WIDTH, BLOCKS = 10, 24, 1024, 2
JOINT_SET, BODY = "openpose18", "smpl-neutral"
_EXTRACTORS = ("feature_extractor_t.", "feature_extractor.", "feature_extractor_s.")  # the adapted one first
_COLUMNS_APART = (0, 2, 4, 1, 3, 5)  # rows of a 3x2 matrix to its first and its second column
_REMEDY = "check that it is a checkpoint of the Key2Mesh release"


def convert_key2mesh(path: Path, state: dict[str, Tensor]) -> bytes:
    """Content of a weights file. `path` is named in errors. Raises FormatError for missing or misshapen tensors."""
    extractor = next((name for name in _EXTRACTORS if any(key.startswith(name) for key in state)), _EXTRACTORS[0])
    with torch.device("meta"):  # shapes alone
        features, head = PublishedFeatures(18, WIDTH, BLOCKS), PublishedHead(WIDTH, SHAPE + 6 * JOINTS)
    tensors = {f"lifter.{k}": v for k, v in _part(path, state, extractor, features).items()}
    tensors |= {f"head.{k}": v for k, v in _part(path, state, "smpl_head.", head).items()}
    for name in ("head.block.1.weight", "head.block.1.bias"):
        tensors[name] = _to_our_rotations(tensors[name])
    contiguous = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
    return save(contiguous, metadata={"network": json.dumps(_settings())})


def _settings() -> dict[str, Any]:
    """The `network` section of a configuration."""
    return {
        "kind": "key2mesh",
        "joint_set": JOINT_SET,
        "body": BODY,
        "lifter": {"width": WIDTH, "blocks": BLOCKS},
        "parameters": {"features": "published", "dropout": 0.2},
    }


def _to_our_rotations(rows: Tensor) -> Tensor:
    """Rows [10 + 144, ...] of the last layer: columns one after the other, the root turned to the camera's axes."""
    shape, rotations = rows[:SHAPE], rows[SHAPE:].unflatten(0, (JOINTS, 6))[:, list(_COLUMNS_APART)]
    signs = torch.ones(JOINTS, 6)
    signs[0] = torch.tensor([1.0, -1, -1, 1, -1, -1])  # diag(1, -1, -1) times either column of the root
    signs = signs.view(JOINTS, 6, *[1] * (rows.ndim - 1))
    return torch.cat([shape, (rotations * signs).flatten(0, 1)])


def _part(path: Path, state: dict[str, Tensor], prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """The tensors under a prefix, those of a module, checked."""
    found = {}
    for name, expected in module.state_dict().items():
        value = state.get(prefix + name)
        if value is None or value.shape != expected.shape:
            seen = "is missing" if value is None else f"is {list(value.shape)}, expected {list(expected.shape)}"
            raise FormatError(f"{path}: {prefix}{name} {seen}; {_REMEDY}")
        found[name] = value
    return found
