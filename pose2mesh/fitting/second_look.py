"""Keypoints of a motion as what was recovered of it shows them: joints that nobody saw, or saw elsewhere.

A frame that lacks an ankle tells the frame network nothing of it, but the frames around do. So what is recovered over
time is shown to both networks once more where the detector failed, with little confidence.
"""

import torch
from torch import Tensor

from pose2mesh.fitting.frame_answers import placed
from pose2mesh.geometry.placement import project_rays
from pose2mesh.synthesis.detections import conversion

CONFIDENCE = 0.3  # of joints that are shown where the motion has them
STRAY = 0.06  # m: joints that are seen farther from there hardly count
WITHIN = 1.0  # s: who never saw a joint, or long ago, is not told of it


def second_look(keypoints: Tensor, rays: Tensor, times: Tensor, joints: Tensor, sets: tuple[str, str]) -> Tensor:
    """Keypoints [B,T,J,3] of sequences, in focal lengths, to the same of the second look.

    Shapes: `rays` [B,T,K,3] are the keypoints in the set of `joints` [B,T,K,3] m, which were recovered of them, camera
    axes; `times` [B,T] s, ascending. `sets`: names of the sets of keypoints and joints.
    """
    place, _ = placed(joints.flatten(0, 1), rays.flatten(0, 1))
    points = project_rays(joints.flatten(0, 1), place)  # [N, K, 2]
    shown = conversion(*reversed(sets))(torch.cat([points, torch.ones_like(points[..., :1])], -1))  # [N, J, 3]
    shown, depth = shown.unflatten(0, times.shape), place[:, 2].view(*times.shape, 1)
    seen = keypoints[..., 2] > 0  # [B, T, J]
    known = (shown[..., 2] > 0) & seen.any(-1, keepdim=True)  # of a frame without anybody nothing is
    off = (keypoints[..., :2] - shown[..., :2]).norm(dim=-1) * depth
    trust = seen / (1 + known * (off / STRAY).square()).square()
    confidence = trust * keypoints[..., 2] + (1 - trust) * CONFIDENCE * (seen | (known & _seen_lately(seen, times)))
    trust = trust[..., None]
    again = torch.cat([trust * keypoints[..., :2] + (1 - trust) * shown[..., :2], confidence[..., None]], -1)
    return again * (confidence[..., None] > 0)


def _seen_lately(seen: Tensor, times: Tensor) -> Tensor:
    """Joints [B,T,J] that were or will be seen within `WITHIN` of a frame at `times` [B,T]."""
    times = times[..., None]
    before = torch.where(seen, times, -torch.inf).cummax(1).values
    after = torch.where(seen, times, torch.inf).flip(1).cummin(1).values.flip(1)
    return (times - before <= WITHIN) | (after - times <= WITHIN)
