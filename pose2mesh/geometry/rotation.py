"""Rotations as vectors (axis times angle, radians), 3x3 matrices and the 6D form. Leading axes are free."""

import torch
from torch import Tensor
from torch.nn import functional

# Below this squared angle the Taylor series is used; its first dropped term is then under 1e-10 relative.
_SMALL_SQUARED_ANGLE = 1e-4


def rotvec_to_rotmat(rotvec: Tensor) -> Tensor:
    """R = I + sin θ/θ · K + (1 − cos θ)/θ² · K² with K the cross-product matrix (Rodrigues). Smooth at zero.

    Shapes: rotvec [..., 3]; returns [..., 3, 3].
    """
    squared = rotvec.square().sum(-1)[..., None, None]  # [..., 1, 1]
    is_small = squared < _SMALL_SQUARED_ANGLE
    angle = torch.where(is_small, torch.ones_like(squared), squared).sqrt()  # safe branch: no sqrt at zero
    half_sinc = (angle / 2).sin() / (angle / 2)
    first = torch.where(is_small, 1 - squared / 6 * (1 - squared / 20), angle.sin() / angle)
    # (1 − cos θ)/θ² through the half angle, which does not cancel
    second = torch.where(is_small, 0.5 - squared / 24 * (1 - squared / 30), half_sinc.square() / 2)
    cross = _cross_matrix(rotvec)
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return identity + first * cross + second * (cross @ cross)


def rotmat_to_rotvec(rotmat: Tensor) -> Tensor:
    """Inverse of `rotvec_to_rotmat` with an angle in [0, π]; accurate near 0 and near π, gradients finite.

    The matrix goes through a unit quaternion, taken from its best-conditioned row (Shepperd 1978).

    Shapes: rotmat [..., 3, 3], proper rotations; returns [..., 3].
    """
    quaternion = _rotmat_to_quaternion(rotmat)  # [..., 4], real part first
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    squared = imaginary.square().sum(-1, keepdim=True)  # sin²(θ/2)
    is_small = squared < _SMALL_SQUARED_ANGLE
    sine = torch.where(is_small, torch.ones_like(squared), squared).sqrt()
    ratio = squared / real.clamp(min=0.5).square()  # tan²(θ/2); only read where it is small
    series = 2 / real.clamp(min=0.5) * (1 - ratio / 3 * (1 - ratio * 3 / 5))  # 2·atan(t)/(t·real)
    return imaginary * torch.where(is_small, series, 2 * torch.atan2(sine, real) / sine)


def rot6d_to_rotmat(rot6d: Tensor) -> Tensor:
    """Gram–Schmidt on two columns (Zhou et al., CVPR 2019, eq. 15); any input gives finite values.

    Shapes: rot6d [..., 6], first column then second column; returns [..., 3, 3].
    """
    first = functional.normalize(rot6d[..., :3], dim=-1)
    second = rot6d[..., 3:] - (first * rot6d[..., 3:]).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def rotmat_to_rot6d(rotmat: Tensor) -> Tensor:
    """The first two columns, one after the other. Shapes: rotmat [..., 3, 3]; returns [..., 6]."""
    return torch.cat([rotmat[..., 0], rotmat[..., 1]], dim=-1)


def _cross_matrix(v: Tensor) -> Tensor:
    """[..., 3] to the matrix [..., 3, 3] with cross_matrix(v) @ w = v × w."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _rotmat_to_quaternion(rotmat: Tensor) -> Tensor:
    """Unit quaternion [..., 4] (w, x, y, z) of [..., 3, 3].

    4·q·qᵀ is linear in the matrix; its row with the largest diagonal entry (at least 1) is a multiple of q.
    """
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = (row.unbind(-1) for row in rotmat.unbind(-2))
    rows = [
        [1 + r00 + r11 + r22, r21 - r12, r02 - r20, r10 - r01],
        [r21 - r12, 1 + r00 - r11 - r22, r10 + r01, r02 + r20],
        [r02 - r20, r10 + r01, 1 - r00 + r11 - r22, r21 + r12],
        [r10 - r01, r02 + r20, r21 + r12, 1 - r00 - r11 + r22],
    ]
    best, largest = torch.stack(rows[0], dim=-1), rows[0][0]  # argmax and gather along so short an axis are slower
    for entry, row in enumerate(rows[1:], 1):
        best = torch.where((row[entry] > largest)[..., None], torch.stack(row, dim=-1), best)
        largest = torch.maximum(largest, row[entry])
    return functional.normalize(best, dim=-1)
