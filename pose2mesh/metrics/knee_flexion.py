"""How far knees are bent: what tells a standing person from a crouching one."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


def knee_flexion(joints: Tensor, names: Sequence[str]) -> Tensor:
    """Angle in degrees between hip-knee and knee-ankle, 0 for a straight leg; NaN where a bone has no length.

    Shapes: joints [..., J, 3] in any unit, `names` their J names; returns [..., 2], left and right.
    """

    def bones(start: str, end: str) -> Tensor:
        """[..., 2, 3] of both sides."""
        rows = [[names.index(f"{side}_{joint}") for side in ("left", "right")] for joint in (start, end)]
        return joints[..., rows[1], :] - joints[..., rows[0], :]

    thigh, shank = bones("hip", "knee"), bones("knee", "ankle")
    # from half-angles: the arc cosine is inaccurate where legs are straight
    difference = normalize(thigh, dim=-1) - normalize(shank, dim=-1)
    angle = 2 * torch.rad2deg(torch.asin((difference.norm(dim=-1) / 2).clamp(max=1)))
    has_length = (thigh.norm(dim=-1) > 0) & (shank.norm(dim=-1) > 0)
    return torch.where(has_length, angle, torch.nan)
