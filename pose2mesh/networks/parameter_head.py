"""From features to the parameters of a body: shape coefficients, then 6D rotations (Zhou et al. 2019)."""

import torch
from torch import Tensor, nn

from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.networks.prediction import BodyParameters


def start_at_rest(layers: nn.Module, rest6d: Tensor, num_shape: int) -> None:
    """Let fresh layers begin near the rest pose `rest6d` [R,6] of the mean body."""
    last = [module for module in layers.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.copy_(torch.cat([torch.zeros(num_shape), rest6d.flatten()]))


def estimate_parameters(layers: nn.Module, features: Tensor, num_shape: int) -> BodyParameters:
    """Features [B,C] through layers that give S + 6R numbers to rotations [B,R,3,3] and shape [B,S]."""
    with torch.autocast(features.device.type, enabled=False):  # bfloat16 is too coarse for angles
        out = layers(features.float())  # [B, S + 6R]
        return BodyParameters(rot6d_to_rotmat(out[:, num_shape:].unflatten(1, (-1, 6))), out[:, :num_shape])
