"""Rotations along chains of bones: against the parent and in the world. A parent stands before its children."""

from collections.abc import Sequence

import torch
from torch import Tensor


def world_rotations(relative: Tensor, parents: Sequence[int]) -> Tensor:
    """Rotations [B,K,3,3] against the parent bone to world rotations [B,K,3,3]; parents [K], -1 for a root."""
    world: list[Tensor] = []
    for bone, parent in enumerate(parents):
        world.append(relative[:, bone] if parent < 0 else world[parent] @ relative[:, bone])
    return torch.stack(world, 1)


def relative_rotations(world: Tensor, parents: Tensor | Sequence[int]) -> Tensor:
    """World rotations [B,K,3,3] (rest = identity) to rotations against the parent bone; those of roots stay."""
    parents = torch.as_tensor(parents, device=world.device)
    relative = world[:, parents.clamp(min=0)].transpose(-1, -2) @ world
    return torch.where((parents < 0)[:, None, None], world, relative)
