"""Joint angles of a right hand, as a goniometer reads them, to rotations of its bones, for any hand with 21 keypoints.

All angles are absolute: zero is the straight finger in the line of the middle metacarpal, whatever a body's rest pose
is. Its own rest angles are measured on the rest keypoints, and bones are turned by the difference.

Frame of the hand: distal (wrist to the middle knuckle), palmar (out of the palm), radial (towards the thumb). It is
right-handed in this order. Fingers bend about radial and spread about palmar; the thumb's frame is turned by its radial
and palmar abduction and rolled about its own axis, so that it bends across the palm and not towards it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
ANGLES = (
    *("wrist_flexion", "wrist_deviation", "cup"),  # deviation: positive to the ulnar side; cup: the palm hollowed
    *("thumb_radial", "thumb_palmar", "thumb_roll", "thumb_mcp", "thumb_ip"),
    *(f"{f}_{a}" for f in FINGERS[1:] for a in ("spread", "mcp", "pip", "dip")),  # spread: away from the middle finger
)
SEGMENTS = (
    *("forearm", "wrist", *(f"{f}{k}" for f in FINGERS for k in (1, 2, 3))),
    *(f"{f}0" for f in FINGERS[1:]),  # metacarpals, which not every body has
)
SPREAD_SIGNS = (1.0, 1.0, -1.0, -1.0)  # index and middle spread to the radial side, ring and pinky to the ulnar one
# Roll of the thumb at rest: where its bending axis lies across the nail of Anny's thumb (width of the last segment).
REST_ROLL = 70.0
PRONATION = 0.5  # degrees of roll with each degree of palmar abduction: the saddle joint turns the thumb to the fingers
_CUPPED = (0.0, 0.2, 0.6, 1.0)  # share of `cup` that each metacarpal bends, index to pinky
_ANNY_FINGERS = {f"finger{i + 1}": finger for i, finger in enumerate(FINGERS)}


class HandFrames(NamedTuple):
    """What the rest keypoints of a hand say about its bones."""

    axes: Tensor  # [3, 3] columns distal, palmar, radial
    rest: Tensor  # [N, 3, 3] each segment's frame at rest, in hand axes, transposed
    rest_angles: Tensor  # [24] degrees


def measure_frames(keypoints: np.ndarray) -> HandFrames:
    """Frames of a right hand from its rest keypoints [21,3] (hand21 order)."""
    points = torch.as_tensor(keypoints, dtype=torch.float64)
    wrist, index, middle, pinky = (points[i] for i in (0, 5, 9, 17))
    distal = torch.nn.functional.normalize(middle - wrist, dim=0)
    palmar = torch.linalg.cross(index - wrist, pinky - wrist)
    palmar = torch.nn.functional.normalize(palmar - (palmar @ distal) * distal, dim=0)
    axes = torch.stack([distal, palmar, torch.linalg.cross(distal, palmar)], 1)
    bones = torch.nn.functional.normalize(points[1:] - points[:-1], dim=-1) @ axes  # [20, 3] in hand axes
    angles = torch.zeros(len(ANGLES), dtype=torch.float64)
    angles[3:5] = torch.stack(_directions(bones[1]))
    thumb = _thumb_frame(angles[None, 3:6])[0]  # [3, 3]
    bends = [torch.rad2deg(torch.atan2(b[1], b[0])) for b in (bones[2] @ thumb, bones[3] @ thumb)]
    angles[6], angles[7] = bends[0], bends[1] - bends[0]
    for finger, sign in enumerate(SPREAD_SIGNS):
        first = 8 + 4 * finger
        whole = torch.nn.functional.normalize(points[8 + 4 * finger] - points[5 + 4 * finger], dim=0) @ axes
        spread = _directions(whole)[0]
        plane = _about(1, -spread)  # the plane that the finger bends in
        bend = [torch.rad2deg(torch.atan2(b[1], b[0])) for b in bones[5 + 4 * finger : 8 + 4 * finger] @ plane]
        angles[first] = sign * spread
        angles[first + 1 : first + 4] = torch.stack([bend[0], bend[1] - bend[0], bend[2] - bend[1]])
    rest = _frames(angles[None])[0].transpose(-1, -2)
    return HandFrames(axes.float(), rest.float(), angles.float())


def segment_rotations(angles: Tensor, frames: HandFrames) -> Tensor:
    """Angles [B,24] in degrees to world rotations of SEGMENTS [B,N,3,3], the forearm at rest."""
    turned = _frames(angles) @ frames.rest  # [B, N, 3, 3] in hand axes
    return frames.axes @ turned @ frames.axes.T


def segment_of(bone: str) -> int:
    """The row of SEGMENTS that turns a body's bone, by its name in Anny's hand or in MANO."""
    name = bone.removesuffix(".R").removesuffix(".L")
    if name.startswith("lowerarm"):
        name = "forearm"
    elif name.startswith("metacarpal"):
        name = f"{FINGERS[int(name[-1])]}0"
    elif name.startswith("finger"):
        name = _ANNY_FINGERS[name[:7]] + name[-1]
    return SEGMENTS.index(name)


def _directions(bone: Tensor) -> tuple[Tensor, Tensor]:
    """Radial and palmar angle of a direction [3] in hand axes, degrees."""
    return torch.rad2deg(torch.atan2(bone[2], bone[0])), torch.rad2deg(torch.asin(bone[1].clamp(-1, 1)))


def _frames(angles: Tensor) -> Tensor:
    """The frame of each segment [B,N,3,3], in hand axes; degrees [B,24]."""
    identity = torch.eye(3, dtype=angles.dtype, device=angles.device).expand(len(angles), 3, 3)
    wrist = _about(1, angles[:, 1]) @ _about(2, angles[:, 0])  # [B, 3, 3]
    thumb = _thumb_frame(angles[:, 3:6])
    bends = torch.cat([torch.zeros_like(angles[:, :1]), angles[:, 6:8].cumsum(1)], 1)  # [B, 3]
    local = [thumb[:, None] @ _about(2, bends)]  # [B, 3, 3, 3]
    fingers = angles[:, 8:].unflatten(1, (4, 4))  # [B, 4, 4]
    cup = angles[:, 2:3] * angles.new_tensor(_CUPPED)  # [B, 4]
    metacarpals = _about(2, cup)  # [B, 4, 3, 3]
    spread = fingers[..., 0] * angles.new_tensor(SPREAD_SIGNS)  # [B, 4]
    bases = metacarpals @ _about(1, -spread)
    phalanges = bases[:, :, None] @ _about(2, fingers[..., 1:].cumsum(-1))  # [B, 4, 3, 3, 3]
    inside = torch.cat([*local, phalanges.flatten(1, 2), metacarpals], 1)  # [B, 19, 3, 3]
    return torch.cat([identity[:, None], wrist[:, None], wrist[:, None] @ inside], 1)


def _thumb_frame(angles: Tensor) -> Tensor:
    """Frame of the thumb's metacarpal [B,3,3] from radial and palmar abduction and additional roll [B,3], degrees."""
    radial, palmar, roll = angles.unbind(-1)
    pronation = REST_ROLL + roll + PRONATION * (palmar - 45)
    return _about(1, -radial) @ _about(2, palmar) @ _about(0, -pronation)


def _about(axis: int, degrees: Tensor) -> Tensor:
    """Rotations [...,3,3] about a coordinate axis."""
    cos, sin = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees))
    out = torch.zeros(*degrees.shape, 3, 3, dtype=degrees.dtype, device=degrees.device)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = cos
    out[..., i, j], out[..., j, i] = -sin, sin
    return out
