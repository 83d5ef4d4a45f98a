"""The ranges of everyday poses as tensors; `assets/statistics/everyday_poses.yaml` holds and explains them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor

from pose2mesh import paths

KINDS = ("standing", "contrapposto", "leaning", "chair", "ground", "cross_legged", "kneeling", "squatting", "lying")
ANCHORS = ("hang", "shoulder", "pelvis", "thigh", "head")
# What an entry of the file need not say.
_TRUNK = {"pitch": (0, 3), "roll": (0, 0), "bend": (0, 5), "lean": (0, 3), "twist": (0, 6), "nod": (4, 10)}
_STANDING = {"knee": (1, 6), "out": (-0.01, 0.035), "forward": (0, 0.03), "heading": (9, 8)}
_BENT = {
    "flexion": (0, 0),
    "knee": (0, 0),
    "abduction": (4, 4),
    "azimuth": (0, 0),
    "rotation": (0, 6),
    "ankle": (12, 12),
}
_LEVEL = 0.7


class EverydayTables(NamedTuple):
    """Rows are postures [R] and arms [A]; the last axis is (mean, deviation)."""

    kind: Tensor  # [R] index into KINDS
    share: Tensor  # [R] among its kind, of sum one
    trunk: Tensor  # [R, 6, 2] pitch, roll, bend, lean, twist, nod
    level: Tensor  # [R]
    stands: Tensor  # [R] bool
    standing: Tensor  # [R, 2, 4, 2] of both legs: knee, out, forward, heading
    bent: Tensor  # [R, 2, 6, 2] flexion, knee, abduction, azimuth, rotation, ankle
    follow: Tensor  # [R, 2]
    is_flat: Tensor  # [R, 2] chances
    choice: Tensor  # [R] what arms do, a row of `pairs`
    pairs: Tensor  # [C, A * A] cumulative chances of left and right arm; row c rises from c to c + 1
    anchor: Tensor  # [A] index into ANCHORS
    place: Tensor  # [A, 3, 2]
    elbow: Tensor  # [A, 3]
    wrist: Tensor  # [A, 2, 2] pronation, flexion


@cache
def everyday_tables() -> EverydayTables:
    """Raises MissingFileError without the file."""
    content = yaml.safe_load(paths.asset("statistics/everyday_poses.yaml").read_text(encoding="utf-8"))
    postures, arms, choices = content["postures"], content["arms"], content["choices"]
    kind = torch.tensor([KINDS.index(posture["kind"]) for posture in postures])
    share = torch.tensor([float(posture["share"]) for posture in postures])
    stands = [_both(posture.get("stands", [{}])) for posture in postures]
    bent = [_both(posture.get("bent", [{}])) for posture in postures]
    return EverydayTables(
        kind=kind,
        share=share / torch.zeros(len(KINDS)).index_add(0, kind, share)[kind],
        trunk=_ranges(postures, _TRUNK),
        level=torch.tensor([float(posture.get("level", _LEVEL)) for posture in postures]),
        stands=torch.tensor(["stands" in posture for posture in postures]),
        standing=torch.stack([_ranges(legs, _STANDING) for legs in stands]),
        bent=torch.stack([_ranges(legs, _BENT) for legs in bent]),
        follow=torch.tensor([[float(leg.get("follow", 0)) for leg in legs] for legs in bent]),
        is_flat=torch.tensor([[float(leg.get("is_flat", 0)) for leg in legs] for legs in bent]),
        choice=torch.tensor([list(choices).index(posture["arms"]) for posture in postures]),
        pairs=_cumulative_pairs(choices, list(arms)),
        anchor=torch.tensor([ANCHORS.index(arm["anchor"]) for arm in arms.values()]),
        place=torch.tensor([[arm["place"], arm["spread"]] for arm in arms.values()]).transpose(1, 2).contiguous(),
        elbow=torch.tensor([arm["elbow"] for arm in arms.values()], dtype=torch.float32),
        wrist=torch.tensor([[arm["pronation"], arm["flexion"]] for arm in arms.values()], dtype=torch.float32),
    )


def _both(legs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One leg given stands for both."""
    return legs if len(legs) == 2 else legs * 2


def _ranges(entries: list[dict[str, Any]], default: Mapping[str, tuple[float, float]]) -> Tensor:
    """[N, F, 2] of N entries with the fields of `default`."""
    return torch.tensor([[entry.get(name, value) for name, value in default.items()] for entry in entries]).float()


def _cumulative_pairs(choices: dict[str, Any], names: list[str]) -> Tensor:
    """[C, A * A]: pairs that go together, and for the rest of the chance each arm by itself."""
    rows = []
    for number, choice in enumerate(choices.values()):
        alone = torch.tensor([choice["alone"].get(name, 0.0) for name in names], dtype=torch.float64)
        alone /= alone.sum()
        pairs = (1 - sum(share for *_, share in choice["together"])) * torch.outer(alone, alone)
        for left, right, share in choice["together"]:
            pairs[names.index(left), names.index(right)] += share
        rows.append(number + pairs.flatten().cumsum(0).clamp(max=1))
    return torch.stack(rows)
