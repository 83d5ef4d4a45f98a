"""Shares of points that are close enough, one value in [0, 1] per sample."""

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor


def f_score(pred: Tensor, target: Tensor, threshold: float) -> Tensor:
    """Harmonic mean of precision and recall between two vertex sets, by nearest neighbors.

    A point counts when its nearest neighbor in the other set is closer than the threshold, as in FreiHAND's
    evaluation (Zimmermann et al. 2019), which reports 5 and 15 mm after `similarity_align`. NaN where a point is.

    Shapes: pred [B, V, 3] m, target [B, V', 3] m; threshold in metres; returns [B].
    """
    scores = [
        _harmonic_mean(_share_within(p, t, threshold), _share_within(t, p, threshold))
        for p, t in zip(pred.detach().cpu().numpy(), target.detach().cpu().numpy(), strict=True)
    ]
    return torch.tensor(scores, dtype=pred.dtype, device=pred.device)


def auc(pred: Tensor, target: Tensor, *, max_threshold: float = 0.05, steps: int = 100) -> Tensor:
    """Area under the curve of correct 3D points over thresholds from 0 to `max_threshold`, scaled to [0, 1].

    100 thresholds from 0 to 50 mm and the trapezoidal rule, as in FreiHAND's evaluation.

    Shapes: pred and target [B, J, 3] m; max_threshold in metres; returns [B].
    """
    distance = (pred - target).norm(dim=-1)  # [B, J]
    thresholds = torch.linspace(0, max_threshold, steps, dtype=distance.dtype, device=distance.device)
    share = (distance[..., None] <= thresholds).to(distance.dtype).mean(1)  # [B, steps]
    return torch.trapezoid(share, thresholds) / max_threshold


def _share_within(points, others, threshold: float) -> float:
    """Share of `points` [N, 3] with a neighbor among `others` [N', 3] closer than the threshold; NaN where one is."""
    if not (np.isfinite(points).all() and np.isfinite(others).all()):
        return float("nan")
    return float((KDTree(others).query(points)[0] < threshold).mean())


def _harmonic_mean(a: float, b: float) -> float:
    return 0.0 if a + b == 0 else 2 * a * b / (a + b)
