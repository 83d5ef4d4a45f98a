"""One person's answers of a frame network through the network over time, however long the video is."""

import torch
from torch import Tensor

from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers, TemporalNetwork, one_shape

_BLOCK = 256  # frames at once


def steady_motion(
    temporal: TemporalNetwork, answers: FrameAnswers, times: Tensor, causal: bool = False
) -> BodyParameters:
    """Rotations [T,R,3,3] and betas [T,S] of answers [T,...] at times [T] s, which ascend.

    The video goes through in blocks with as much around them as the network sees.
    """
    parts, count = [], len(times)
    reach = temporal.reach(causal)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        first = int(torch.searchsorted(times, times[start] - reach[0]))
        last = int(torch.searchsorted(times, times[stop - 1] + reach[1], right=True))
        some = FrameAnswers(*(column[None, first:last] for column in answers))
        with torch.inference_mode():
            present = torch.ones(1, last - first, dtype=torch.bool, device=times.device)
            steady = temporal(some, times[None, first:last], present, causal)
        parts.append([column[0, start - first : stop - first] for column in steady])
    rotations, betas, weight = (torch.cat(column) for column in zip(*parts, strict=True))
    return BodyParameters(rotations, one_shape(betas[None], weight[None], causal)[0])
