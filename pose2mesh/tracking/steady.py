"""One person's keypoints through the frame network and the network over time, however long the video is."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.fitting.frame_answers import AnsweringNetwork
from pose2mesh.fitting.second_look import second_look
from pose2mesh.fitting.steady_fit import SteadyFit
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers, TemporalNetwork, one_shape
from pose2mesh.synthesis.detections import conversion

_BLOCK = 256  # frames at once
_SET = "body32"  # joints of answers


class SteadyRecovery:
    """Motions of steady keypoints: what is recovered of them is shown to both networks again (`fitting.second_look`).

    The causal mode looks once: what it would show is a frame late, and errors of its own would come back to it.
    """

    def __init__(
        self, frames: CompactPose2Mesh, temporal: TemporalNetwork, body: AnnyBody, device: str | torch.device = "cpu"
    ):
        self.frames, self.temporal, self.device = frames, temporal, device
        self.answer, self.fit = AnsweringNetwork(frames, _SET, device), SteadyFit(body, _SET)

    @torch.inference_mode()
    def __call__(
        self, keypoints: Tensor, times: Tensor, causal: bool = False, fit: bool = True, betas: Tensor | None = None
    ) -> BodyParameters:
        """Of T frames: keypoints [T,J,3] of the frame network's set, in focal lengths, at ascending times [T] s.

        `fit`: the answer follows its keypoints; `betas` [S] of a shape that is known.
        """
        rays = self._rays(keypoints)
        steady, deviation = self._look(keypoints, times, causal, betas)
        if not causal:
            fitted = self.fit(steady, deviation, rays, times)
            joints = torch.cat([self.fit.fit.joints(BodyParameters(*some)) for some in _blocks(*fitted)])
            sets = self.frames.joint_set, _SET
            shown = second_look(keypoints[None], rays[None], times[None], joints[None], sets)[0]
            steady, deviation = self._look(shown, times, causal, betas)
        return self.fit(steady, deviation, rays, times, causal) if fit else steady

    def _look(
        self, keypoints: Tensor, times: Tensor, causal: bool, betas: Tensor | None
    ) -> tuple[BodyParameters, Tensor]:
        """Parameters before the fit, and deviations [T,J_out] m."""
        shown = keypoints[None].to(self.device), self._rays(keypoints)[None].to(self.device)
        answers = FrameAnswers(*(column[0].cpu() for column in self.answer(*shown)))
        steady = steady_motion(self.temporal, answers, times, causal)
        if betas is not None:
            steady = steady._replace(betas=betas.expand(len(times), -1))
        return steady, answers.deviation

    def _rays(self, keypoints: Tensor) -> Tensor:
        """Keypoints [T,J,3] in the order of the answers' joints."""
        return conversion(self.frames.joint_set, _SET)(keypoints)


def _blocks(*columns: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(column.split(_BLOCK) for column in columns), strict=True)


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
