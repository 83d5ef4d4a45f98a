"""Cameras aimed at the person: networks answer as if everybody stood in the middle of the picture.

What a network is given does not say where in the picture somebody is, so it answers in the axes of a camera that looks
at the person: beside the optical axis that is off by the angle of the ray. Keypoints are therefore turned into the
picture of a camera at the same place that is aimed at their middle, and the answer is turned back.
"""

from typing import Any, TypeVar

import torch
from torch import Tensor

from pose2mesh.networks.abilities import abilities_of

_LEAST_AHEAD = 0.05  # of a direction's length: keypoints are kept before the aimed camera

Answer = TypeVar("Answer", bound=Any)


def aimed(keypoints: Tensor, cameras: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints [B,J,3] as cameras see them that are aimed, and the turns [B,3,3] of their axes to the cameras' own.

    Keypoints are pixels and confidence, where 0 is a missing joint; `cameras` [B,3] focal length and principal point.
    """
    focal, center = cameras[:, None, :1], cameras[:, None, 1:]
    flat = torch.cat([(keypoints[..., :2] - center) / focal, keypoints[..., 2:]], -1)
    turn = turn_to(middle_of(flat))
    moved = seen_along(flat, turn)[..., :2] * focal + center
    return torch.cat([torch.where(keypoints[..., 2:] > 0, moved, keypoints[..., :2]), keypoints[..., 2:]], -1), turn


def middle_of(rays: Tensor) -> Tensor:
    """Of the box [...,2] around the joints seen, of rays [...,J,3] in focal lengths and confidence; 0 without any."""
    points, seen = rays[..., :2], rays[..., 2:] > 0
    low = torch.where(seen, points, torch.inf).amin(-2)
    high = torch.where(seen, points, -torch.inf).amax(-2)
    return torch.where(seen.any(-2), (low + high) / 2, 0.0)


def seen_along(rays: Tensor, turn: Tensor) -> Tensor:
    """Rays [...,J,3], focal lengths and confidence, before a camera turned by `turn` [...,3,3]; 0 where missing."""
    directions = torch.cat([rays[..., :2], torch.ones_like(rays[..., :1])], -1) @ turn
    flat = directions[..., :2] / directions[..., 2:].clamp(min=_LEAST_AHEAD)
    return torch.cat([torch.where(rays[..., 2:] > 0, flat, 0.0), rays[..., 2:]], -1)


def turn_to(ray: Tensor) -> Tensor:
    """The smallest rotations [...,3,3] that take the optical axis to rays [...,2] in focal lengths."""
    x, y = ray.unbind(-1)
    length = (1 + x.square() + y.square()).sqrt()
    cosine, a, b = 1 / length, x / length, y / length  # the ray is (a, b, cosine)
    share = 1 / (1 + cosine)
    rows = [1 - share * a * a, -share * a * b, a, -share * a * b, 1 - share * b * b, b, -a, -b, cosine]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def turned_back(answer: Answer, turn: Tensor, network: Any) -> Answer:
    """The answer [B,...] of a network in the axes of the camera, from those of the aimed one; turns [B,3,3]."""
    parts = {name: getattr(answer, name) @ turn.transpose(-1, -2) for name in ("vertices", "joints")}
    parameters = answer.parameters
    if parameters is not None:
        rotations = parameters.rotations
        if abilities_of(network).fitted_set:  # of the free body every bone is seen by the camera
            rotations = turn[:, None] @ rotations
        else:
            rotations = torch.cat([turn[:, None] @ rotations[:, :1], rotations[:, 1:]], 1)
        parts["parameters"] = parameters._replace(rotations=rotations)
    return answer._replace(**parts)
