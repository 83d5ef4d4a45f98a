"""Limbs of two bones as anatomy speaks of them: hanging straight down where all angles are zero.

Anny rests with bent elbows (41 degrees) and knees (9). The world rotation of a bone against that rest pose is W A:
W turns the bone hanging straight to where it is, the constant A the rest pose to hanging straight. Everything is
written for the left side, in SMPL axes (x to the subject's left, y up, z forward) and metres.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Bone heads of the mean adult at rest, relative to the root: of the trunk, then of the left limbs.
_HEADS = {
    "root": (0.0, 0.0, 0.0), "spine03": (0.0, 0.142, -0.024), "spine01": (0.0, 0.342, -0.038),
    "neck01": (0.0, 0.516, 0.001), "head": (0.0, 0.609, 0.032), "clavicle": (0.022, 0.444, 0.015),
    "upperarm01": (0.167, 0.423, 0.010), "lowerarm01": (0.334, 0.241, 0.021), "wrist": (0.448, 0.128, 0.172),
    "upperleg01": (0.107, -0.015, -0.007), "lowerleg01": (0.137, -0.374, 0.022), "foot": (0.178, -0.786, -0.011),
}  # fmt: skip


def between(start: str, end: str) -> Tensor:
    """Vector [3] from one bone head to another at rest."""
    return torch.tensor(_HEADS[end]) - torch.tensor(_HEADS[start])


def about(axis: str, degrees: Tensor) -> Tensor:
    """Rotations [..., 3, 3] about a coordinate axis by angles [...] in degrees."""
    angle = torch.deg2rad(degrees)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, cos, -sin, zero, sin, cos),
        "y": (cos, zero, sin, zero, one, zero, -sin, zero, cos),
        "z": (cos, -sin, zero, sin, cos, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def bone_frame(direction: Tensor, across: Tensor) -> Tensor:
    """W [..., 3, 3] of a bone that points along `direction` [..., 3] and whose hinge lies nearest to `across`."""
    x = normalize(across - (across * direction).sum(-1, keepdim=True) * direction, dim=-1)
    return torch.stack([x, -direction, torch.linalg.cross(direction, x)], -1)


class TwoBones:
    """An arm or a leg: from `root` over `middle` to `end`."""

    def __init__(self, root: str, middle: str, end: str, across: Tensor):
        """`across` [3] is the hinge of the middle joint at rest, the x axis of the hanging limb."""
        upper, lower = between(root, middle), between(middle, end)
        self.upper, self.lower = float(upper.norm()), float(lower.norm())
        self.rest_upper = bone_frame(upper / self.upper, across).T  # A of both bones, [3, 3]
        self.rest_lower = bone_frame(lower / self.lower, across).T

    def distance(self, flexion: Tensor) -> Tensor:
        """From root to end [...] m for the angle [...] in degrees between the bones."""
        cosine = torch.deg2rad(flexion).cos()
        return (self.upper**2 + self.lower**2 + 2 * self.upper * self.lower * cosine).sqrt()

    def reach(self, target: Tensor, bulge: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Put the end at `target` [..., 3], the middle joint out to the side of `bulge` [..., 3] (law of cosines).

        A target out of reach is approached as far as the bones go, or as near as they fold (150 degrees).
        Returns the directions of both bones and the normal target x bulge of their plane, unit vectors [..., 3].
        """
        nearest = math.sqrt(self.upper**2 + self.lower**2 - 2 * self.upper * self.lower * math.cos(math.radians(30)))
        distance = target.norm(dim=-1, keepdim=True).clamp(nearest, 0.99999 * (self.upper + self.lower))  # [..., 1]
        along = normalize(target, dim=-1)
        aside = normalize(bulge - (bulge * along).sum(-1, keepdim=True) * along, dim=-1)
        cosine = (self.upper**2 + distance**2 - self.lower**2) / (2 * self.upper * distance)
        upper = cosine * along + (1 - cosine**2).clamp(min=0).sqrt() * aside
        lower = (distance * along - self.upper * upper) / self.lower
        return upper, normalize(lower, dim=-1), torch.linalg.cross(along, aside)


# The elbow flexes about -x of the hanging arm (the forearm comes forward), the knee about +x (the shank goes back).
ARM = TwoBones(
    *("upperarm01", "lowerarm01", "wrist"),
    across=-torch.linalg.cross(between("upperarm01", "lowerarm01"), between("lowerarm01", "wrist")),
)
LEG = TwoBones("upperleg01", "lowerleg01", "foot", across=torch.tensor([1.0, 0.0, 0.0]))
