"""Errors of 2D pose estimators as the Pose2Mesh release synthesizes them: on Human3.6M's joints, and on COCO's.

Human3.6M: as Chang et al. measured and published them (AbsPoseLifter, 2019). A joint's error is normal with a mean and
a deviation for x and y, in pixels of a crop 256 wide, and is there with some chance; otherwise the joint is exact. The
crop is the person's box, widened to the network's 288:384.

COCO: as PoseFix does (Moon et al. 2019, after Ronchi & Perona). Each joint becomes one of: good (a point that COCO's
keypoint similarity calls the same), jitter (near), miss (far, around the joint or its mirror partner), inversion (on
the partner). Distances follow from similarity and area. All joints are taken for visible, since the poses here are
projections of whole bodies; people do not swap joints.
"""

import math

import torch
from torch import Generator, Tensor

from pose2mesh.skeletons import joint_set

_ASPECT = 288 / 384  # width : height of the crop
_CROP = 256.0
_STATISTICS = {  # mean x, mean y, deviation x, deviation y, chance
    "pelvis": (-0.06, -2.37, 1.33, 2.13, 1.00),
    "right_hip": (-0.83, -2.07, 3.41, 2.69, 1.00),
    "right_knee": (-0.04, -1.01, 1.74, 2.20, 0.95),
    "right_ankle": (0.52, -3.40, 1.39, 2.14, 0.93),
    "left_hip": (0.78, -2.79, 3.26, 2.28, 1.00),
    "left_knee": (0.42, -0.15, 1.53, 1.99, 0.94),
    "left_ankle": (-0.15, -3.78, 1.39, 2.39, 0.93),
    "torso": (-0.05, 0.10, 1.36, 1.74, 0.99),
    "neck": (0.14, -2.56, 1.18, 1.15, 0.99),
    "nose": (0.13, -0.26, 0.78, 0.59, 0.98),
    "head_top": (0.09, 0.49, 1.35, 0.87, 0.99),
    "left_shoulder": (-0.19, 0.31, 2.51, 1.48, 0.99),
    "left_elbow": (0.11, -0.60, 1.79, 1.76, 0.95),
    "left_wrist": (-0.02, 0.88, 2.02, 2.10, 0.91),
    "right_shoulder": (0.52, -0.12, 2.23, 1.73, 0.99),
    "right_elbow": (0.06, -0.44, 1.93, 1.63, 0.95),
    "right_wrist": (0.05, 0.16, 2.02, 2.24, 0.90),
}
_TABLE = torch.tensor([_STATISTICS[joint] for joint in joint_set("human36m17").joints])  # [17, 5]
_COCO = joint_set("coco17")
# COCO's per-joint constants (cocodataset.org, keypoint evaluation), in tenths.
_SIGMAS = torch.tensor(
    [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
)
_CANDIDATES = 100  # points drawn per error; the first that is allowed is taken, which draws uniformly from the allowed
_FROM_JOINT = 0.8  # of the misses; the others are around the partner

# Chances of the errors by group of joints, for people of whom more than ten joints are visible.
_FACE = ("nose", "eye", "ear")
_ARMS = ("shoulder", "elbow", "wrist")


def add_human36m_errors(points: Tensor, generator: Generator) -> Tensor:
    """Exact projections of human36m17 to what a detector reports. Shapes: points [B, 17, 2] px; returns the same."""
    batch = len(points)
    error = _TABLE[:, :2] + _TABLE[:, 2:4] * torch.randn(batch, 17, 2, generator=generator)  # px of the crop
    is_there = torch.rand(batch, 17, 1, generator=generator) < _TABLE[:, 4:]
    return points + is_there * error / _CROP * crop_size(points)[:, None]


def crop_size(points: Tensor) -> Tensor:
    """Width and height [B, 2] of the smallest 3:4 box around joints [B, J, 2]; the box counts pixels, so one less."""
    width, height = (points.amax(1) - points.amin(1) - 1).clamp(min=1).unbind(1)  # [B]
    height = torch.maximum(height, width / _ASPECT)
    return torch.stack([height * _ASPECT, height], 1)


def _chances(joint: str) -> tuple[float, float, float]:
    """(jitter, miss, inversion) of a joint; it is good otherwise."""
    part = joint.split("_")[-1]
    jitter = 0.10 if part in ("nose", "knee", "ankle") else 0.20 if part == "hip" else 0.15
    miss = 0.02 if part in _FACE else 0.05 if part in ("shoulder", "ankle") else 0.10
    inversion = 0.01 if part in _FACE else 0.03 if part in _ARMS else 0.06
    return jitter, miss, inversion


def similarity_radius(similarity: float, area: Tensor) -> Tensor:
    """Distance [B, 17] at which COCO's keypoint similarity has a value, for areas [B] in square pixels."""
    spread = (2 * _SIGMAS / 10).square()  # [17]
    return (-2 * area[:, None] * spread * math.log(similarity)).sqrt()


def synthesize_errors(points: Tensor, generator: Generator) -> Tensor:
    """Exact COCO-17 projections to what a detector would report.

    Joints are treated one after the other: a partner that has moved already counts where it is now, as in the release.

    Shapes: points [B, 17, 2] px; returns [B, 17, 2] px.
    """
    extent = points.amax(1) - points.amin(1)  # [B, 2]
    area = extent.prod(1)
    radii = torch.stack([similarity_radius(s, area) for s in (1.0, 0.85, 0.5, 0.1)], -1)  # [B, 17, 4], rising
    out = points.clone()
    for joint, partner in enumerate(_COCO.flip_permutation):
        other = out[:, partner] if partner != joint else torch.full_like(out[:, joint], torch.inf)
        out[:, joint] = _move(out[:, joint], other, radii[:, joint], _chances(_COCO.joints[joint]), generator)
    return out


def _move(
    place: Tensor, other: Tensor, radii: Tensor, chances: tuple[float, float, float], generator: Generator
) -> Tensor:
    """One joint [B, 2] with its partner [B, 2] (infinitely far if it has none); radii [B, 4] of falling similarity."""
    zero, near, middle, far = (radii[:, i : i + 1] for i in range(4))  # [B, 1]
    has_other = torch.isfinite(other).all(-1)
    around = torch.rand(len(place), generator=generator) < _FROM_JOINT
    around = torch.where((around | ~has_other)[:, None], place, other)
    beyond = torch.where((around == place).all(-1, keepdim=True), other, place)
    on_other = torch.where(has_other[:, None], other, place)
    drawn = (
        _draw(place, other, near, middle, None, generator),  # jitter
        _draw(around, beyond, middle, far, middle, generator),  # miss
        _draw(on_other, place, zero, middle, None, generator),  # inversion
        _draw(place, other, zero, near, None, generator),  # good
    )
    possible = torch.stack([ok for _, ok in drawn], 1)  # [B, 4]
    possible[:, 2] &= has_other
    weights = torch.tensor([*chances, 1 - sum(chances)]) * possible
    weights[:, 3] += ~possible.any(1)  # nothing is allowed where partners coincide: then the joint stays about there
    kind = torch.multinomial(weights, 1, generator=generator)  # [B, 1]
    return torch.stack([points for points, _ in drawn], 1).take_along_dim(kind[..., None], 1).squeeze(1)


def _draw(
    center: Tensor, other: Tensor, low: Tensor, high: Tensor, clearance: Tensor | None, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A point [B, 2] at a distance in [low, high] from `center` and nearer to it than to `other`; whether there is one.

    With a `clearance` [B, 1] the point is at least that far from `other` instead.
    """
    shape = (len(center), _CANDIDATES)
    radius = low + (high - low) * torch.rand(shape, generator=generator)  # [B, N]
    angle = 2 * math.pi * torch.rand(shape, generator=generator)
    points = center[:, None] + radius[..., None] * torch.stack([angle.cos(), angle.sin()], -1)  # [B, N, 2]
    allowed = (points - other[:, None]).norm(dim=-1) > (radius if clearance is None else clearance)
    first = allowed.to(torch.uint8).argmax(1)  # [B]
    return points[torch.arange(len(center)), first], allowed.any(1)
