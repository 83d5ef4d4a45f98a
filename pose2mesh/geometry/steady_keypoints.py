"""Keypoints over time, before anything is recovered of them: jitter goes, stray joints return, short gaps close.

Every joint at every frame is the value there of a parabola (of the past alone: of a line) through its neighbours in
time (local regression, Cleveland 1979), robust to joints that land elsewhere (Geman & McClure 1987). How far it looks
is read off the keypoints' own jitter, so exact ones stay as they are; where two fifths of a joint's neighbours would
have to be strays it swings, and is looked at more closely.
"""

from collections import deque

import torch
from torch import Tensor

SECONDS, CAUSAL_SECONDS = 0.2, 0.15  # deviation of the kernel over time where the jitter is `JITTER`
JITTER = 0.011  # of the person's size; kernels are wider for more
NARROWEST, WIDEST = 0.02, 0.25  # s
REACH = 4.0  # deviations of the kernel that are looked at
STRAY = 0.06  # of the person's size: joints farther from the curve hardly count
FILLED = 0.5  # confidence of a joint that its neighbours in time tell
ENOUGH = 1.0  # sum of weights from which they do
PARTS = (0.5, 0.25)  # of the kernel's deviation, for joints that do not keep to their curve
MOSTLY = 0.6  # share of the neighbours' weight that counts where a joint keeps to its curve
FRAMES = 64  # that a stream remembers
_ROUNDS = 3  # of weighing anew
_BEND = 0.01  # keeps curves through few points flat
_BLOCK = 256  # frames at once


def steady_keypoints(keypoints: Tensor, times: Tensor, causal: bool = False) -> Tensor:
    """One person's keypoints [T,J,3] (x, y in any unit, confidence) at ascending times [T] s, made steady.

    Seen joints keep their confidence. `causal`: of the frames so far, but for how much they jitter. Fewer than three
    frames stay as they are.
    """
    size, jitter = _size(keypoints), _jitter(keypoints)
    if len(times) < 3 or not size:
        return keypoints
    seconds = REACH * _width(jitter / size, causal)
    # Whole from the start: small results that were kept between the blocks' large ones would leave holes in memory.
    points, weight = keypoints[..., :2].clone(), keypoints[..., 2].clone()
    for start, some in zip(range(0, len(times), _BLOCK), times.split(_BLOCK), strict=True):
        first = int(torch.searchsorted(times, some[0] - seconds))
        last = int(torch.searchsorted(times, some[-1] + (0 if causal else seconds), right=True))
        gone = times[first:last] - some[:, None]  # [t, n]
        rows = slice(start, start + len(some))
        found = _regressed(keypoints[first:last], gone.to(keypoints.dtype), size, jitter, causal)
        points[rows], weight[rows] = found
    return _with_confidence(points, weight, keypoints[..., 2])


class KeypointStream:
    """One person's keypoints as they come, made steady by those so far."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Tensor]] = deque(maxlen=FRAMES)

    def __call__(self, keypoints: Tensor, time: float) -> Tensor:
        """Keypoints [J,3] at `time` s, which ascends, to the same."""
        self._past.append((time, keypoints))
        past = torch.stack([points for _, points in self._past])  # [T, J, 3]
        size = _size(past)
        if len(past) < 3 or not size:
            return keypoints
        gone = torch.tensor([[moment - time for moment, _ in self._past]], dtype=past.dtype)  # [1, T]
        points, weight = _regressed(past, gone, size, _jitter(past), causal=True)
        return _with_confidence(points[0], weight[0], keypoints[:, 2])


def _width(jitter: float, causal: bool) -> float:
    """Deviation of the kernel, s, for a jitter in person's sizes."""
    return min(max((CAUSAL_SECONDS if causal else SECONDS) * jitter / JITTER, NARROWEST), WIDEST)


def _regressed(keypoints: Tensor, gone: Tensor, size: float, jitter: float, causal: bool) -> tuple[Tensor, Tensor]:
    """Points [t,J,2] and sums of their weights [t,J], of keypoints [n,J,3] that are `gone` [t,n] s away.

    By the widest kernel whose curve the joint keeps to: who swings faster is looked at more closely.
    """
    seconds = _width(jitter / size, causal)
    points, weight, is_followed = _curve(keypoints, gone / seconds, size, causal)
    for part in PARTS:
        if is_followed.all() or part * seconds < NARROWEST:
            break
        closer = _curve(keypoints, gone / (part * seconds), size, causal)
        points = torch.where(is_followed[..., None], points, closer[0])
        weight = torch.where(is_followed, weight, closer[1])
        is_followed = is_followed | closer[2]
    return points, weight


def _curve(keypoints: Tensor, gone: Tensor, size: float, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Points [t,J,2], sums of their weights [t,J], and whether joints keep to their curves [t,J]; `gone` [t,n]."""
    confidence = keypoints[..., 2]
    points = torch.where(confidence[..., None] > 0, keypoints[..., :2], 0.0)
    near = (gone.abs() <= REACH) & (gone <= 0) if causal else gone.abs() <= REACH
    weight = ((-0.5 * gone.square()).exp() * near)[..., None] * confidence  # [t, n, J]
    order = torch.arange(2 if causal else 3, device=gone.device)
    powers = gone[..., None] ** torch.arange(2 * len(order) - 1, device=gone.device)  # [t, n, 3 or 5]
    flat = torch.diag(torch.where(order > 0, _BEND, 1e-9).to(gone))
    trust, stray = torch.ones_like(weight), STRAY * size
    for _ in range(_ROUNDS):
        trusted = weight * trust
        moments = torch.einsum("tnk,tnj->tjk", powers, trusted)
        right = torch.einsum("tnk,tnjc->tjkc", powers[..., : len(order)], trusted[..., None] * points)
        curves = torch.linalg.solve(moments[..., order[:, None] + order] + flat, right)  # [t, J, 2 or 3, 2]
        off = torch.einsum("tnk,tjkc->tnjc", powers[..., : len(order)], curves) - points  # [t, n, J, 2]
        trust = (stray**2 / (off.square().sum(-1) + stray**2)).square()
    kept = (weight * trust).sum(1)
    return curves[:, :, 0], kept, kept >= MOSTLY * weight.sum(1)


def _with_confidence(points: Tensor, weight: Tensor, confidence: Tensor) -> Tensor:
    """Points [...,J,2] by what their detector gave [...,J], joints that it missed by the weight of those around."""
    confidence = torch.where(confidence > 0, confidence, FILLED * (weight > ENOUGH))
    return torch.cat([points, confidence[..., None]], -1) * (confidence > 0)[..., None]


def _size(keypoints: Tensor) -> float:
    """Longer side of the box of seen joints [T,J,3], median over frames; 0 where nothing is seen."""
    points, seen = keypoints[..., :2], keypoints[..., 2:] > 0
    high, low = (torch.where(seen, sign * points, -torch.inf).amax(1) * sign for sign in (1.0, -1.0))  # [T, 2]
    sides = (high - low)[seen.any(1)[..., 0]].amax(-1)
    return float(sides.median()) if len(sides) else 0.0


def _jitter(keypoints: Tensor) -> float:
    """Deviation of the white noise that explains the median second difference of joints [T,J,3]."""
    points, seen = keypoints[..., :2], keypoints[..., 2] > 0
    bend = (points[2:] - 2 * points[1:-1] + points[:-2])[seen[2:] & seen[1:-1] & seen[:-2]].abs()  # [N, 2]
    return float(bend.median()) / (0.6745 * 6**0.5) if len(bend) else 0.0
