"""Legs that a picture does not show: the likelier of hanging and sitting, not their mean, which is a crouch.

A network answers with the mean over all poses that fit what it sees; of a portrait it lies between thighs that hang and
thighs on a chair. How far from either it lies tells which is the likelier (docs/decisions/0099).
"""

import math

import torch
from torch import Tensor

from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.skeletons import MOTION_BONES, JointSet

_HIDDEN, _SHOWN = 0.25, 0.35  # confidence of both legs' surest joint: hidden up to the first, shown from the second
_SITTING = math.pi / 2  # rad at hips and knees of who sits; 0 of who stands
_SHARPNESS = 2.0  # exponent of both likelihoods; 1 changes nothing
_PARTS = ("knee", "ankle", "heel", "toe")
_LEGS = tuple(tuple(MOTION_BONES.index(f"{b}.{s}") for b in ("upperleg01", "lowerleg01", "foot")) for s in "LR")


def decide_legs(rotations: Tensor, confidence: Tensor, joints: JointSet) -> Tensor:
    """World rotations [B,19,3,3] of the captured bones, whose hidden legs stand or sit more clearly.

    `confidence` [B,J] of the keypoints in the order of `joints`. People of whom a leg's joint is seen stay as they are.
    """
    rows = [i for i, name in enumerate(joints.joints) if name.endswith(_PARTS)]
    hidden = ((_SHOWN - confidence[:, rows].amax(1)) / (_SHOWN - _HIDDEN)).clamp(0, 1)  # [B]
    if not hidden.any():
        return rotations
    decided = rotations.clone()
    for thigh, shank, foot in _LEGS:
        upper = _sharpened(rotations[:, 0].mT @ rotations[:, thigh], hidden)
        lower = _sharpened(rotations[:, thigh].mT @ rotations[:, shank], hidden)
        decided[:, thigh] = rotations[:, 0] @ upper
        decided[:, shank] = decided[:, thigh] @ lower
        decided[:, foot] = decided[:, shank] @ rotations[:, shank].mT @ rotations[:, foot]
    return decided


def _sharpened(turn: Tensor, share: Tensor) -> Tensor:
    """Rotations [B,3,3] about the same axis, by angles that go a share [B] of the way to the likelier end."""
    vector = rotmat_to_rotvec(turn)  # [B, 3]
    angle = vector.norm(dim=1).clamp(min=1e-6)
    sits = (angle / _SITTING).clamp(max=1)  # the mean of 0 and 1 by their likelihoods
    sharp = sits**_SHARPNESS / (sits**_SHARPNESS + (1 - sits) ** _SHARPNESS) * _SITTING
    factor = torch.where(angle < _SITTING, 1 + share * (sharp / angle - 1), torch.ones_like(angle))
    return rotvec_to_rotmat(vector * factor[:, None])
