"""Losses on the surface that the vertices span."""

import torch
from torch import Tensor

_LENGTH_FLOOR = 1e-6  # m; makes the edge length smooth at zero and changes a 1 mm edge by 5e-7 of itself
_DIRECTION_FLOOR = 1e-5  # m; bounds the slope of a unit vector at zero length


def normal_loss(pred: Tensor, target: Tensor, faces: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean |cos| between predicted edges and the true normal of their face (Choi et al. 2020).

    Shapes: pred and target [B, V, 3] m; faces [F, 3] int64; valid [B], None for all; returns [], 0 to 1.
    """
    pred, target = _blank_invalid(pred, valid), _blank_invalid(target, valid)
    along = _face_edges(pred, faces)  # [B, F, 3 edges, 3]
    along = along / _smooth_length(along, _DIRECTION_FLOOR)[..., None]
    edges = _face_edges(target, faces)
    normal = torch.nn.functional.normalize(torch.linalg.cross(edges[:, :, 0], edges[:, :, 1]), dim=-1)  # [B, F, 3]
    cosine = (along * normal[:, :, None]).sum(-1).abs()  # [B, F, 3]
    return _mean_of_valid(cosine, valid)


def edge_loss(pred: Tensor, target: Tensor, faces: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the edge lengths, over the three edges of each face (Choi et al. 2020).

    The length is √(d² + ε²), so the slope stays below one where two vertices coincide.

    Shapes: pred and target [B, V, 3] m; faces [F, 3] int64; valid [B], None for all; returns [], metres.
    """
    pred, target = _blank_invalid(pred, valid), _blank_invalid(target, valid)
    pred_length = _smooth_length(_face_edges(pred, faces), _LENGTH_FLOOR)  # [B, F, 3]
    target_length = _smooth_length(_face_edges(target, faces), _LENGTH_FLOOR)
    return _mean_of_valid((pred_length - target_length).abs(), valid)


def _face_edges(vertices: Tensor, faces: Tensor) -> Tensor:
    """Edge vectors 0→1, 0→2 and 1→2 of each face: [B, V, 3] to [B, F, 3, 3]."""
    start, end = faces[:, [0, 0, 1]], faces[:, [1, 2, 2]]  # [F, 3]
    return vertices[:, end] - vertices[:, start]


def _smooth_length(vectors: Tensor, floor: float) -> Tensor:
    return (vectors.square().sum(-1) + floor**2).sqrt()


def _blank_invalid(vertices: Tensor, valid: Tensor | None) -> Tensor:
    """Zeros in place of invalid samples, which may hold NaN."""
    if valid is None:
        return vertices
    return torch.where(valid.bool()[:, None, None], vertices, torch.zeros_like(vertices))


def _mean_of_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of [B, F, 3] over the valid samples; zero when there is none."""
    if valid is None:
        return values.mean()
    per_sample = values.mean((1, 2)) * valid.bool()  # [B]
    return per_sample.sum() / valid.bool().sum().clamp(min=1)
