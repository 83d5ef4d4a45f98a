"""Joints of whole sequences: acceleration errors, and errors after smoothing over time."""

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from pose2mesh.datasets.sample import Sample
from pose2mesh.geometry.one_euro import one_euro
from pose2mesh.metrics import acceleration_error, mpjpe, pa_mpjpe

_MM = 1000


class Sequences:
    """The evaluated joints, root-relative, of every person over time."""

    def __init__(self, by: str):
        """`by`: "video" averages over videos of their means, "frame" over the frames that have both neighbors."""
        self.by = by
        self._frames: dict[tuple[str, int], list[tuple[int, Tensor, Tensor]]] = defaultdict(list)

    def update(self, samples: list[Sample], predicted: Tensor, target: Tensor) -> None:
        """Add joints [B, J, 3] m."""
        for sample, one, other in zip(samples, predicted.cpu(), target.cpu(), strict=True):
            self._frames[sample.group, sample.person_id].append((sample.frame, one, other))

    def summary(self, smoothing: tuple[float, float] | None) -> dict:
        """{"acceleration": ..., "smoothed": {...}}: mm (acceleration: per squared frame); the second if asked for.

        `smoothing`: min_cutoff and beta of the One-Euro filter over joints in millimetres.
        """
        videos = [self._stack(frames) for _, frames in sorted(self._frames.items())]
        out: dict = {"acceleration": self._acceleration(videos)}
        if smoothing:
            out["smoothed"] = self._smoothed(videos, *smoothing)
        return out

    def _stack(self, frames: list[tuple[int, Tensor, Tensor]]) -> tuple[np.ndarray, Tensor, Tensor]:
        ordered = sorted(frames, key=lambda item: item[0])
        numbers = np.array([number for number, _, _ in ordered])
        return numbers, torch.stack([one for _, one, _ in ordered]), torch.stack([other for _, _, other in ordered])

    def _acceleration(self, videos: list[tuple[np.ndarray, Tensor, Tensor]]) -> float:
        errors = []
        for numbers, predicted, target in videos:
            error = acceleration_error(predicted, target)  # [T - 2]
            if self.by == "frame":
                error = error[torch.from_numpy(numbers[2:] - numbers[:-2] == 2)]
            errors.append(error)
        return self._mean(errors)

    def _smoothed(self, videos: list[tuple[np.ndarray, Tensor, Tensor]], min_cutoff: float, beta: float) -> dict:
        smooth = [
            (numbers, torch.from_numpy(one_euro(_MM * predicted.numpy(), min_cutoff, beta) / _MM), target.double())
            for numbers, predicted, target in videos
        ]
        return {
            "pa_mpjpe": self._mean([pa_mpjpe(predicted, target) for _, predicted, target in smooth]),
            "mpjpe": self._mean([mpjpe(predicted, target) for _, predicted, target in smooth]),
            "acceleration": self._acceleration(smooth),
        }

    def _mean(self, errors: list[Tensor]) -> float:
        """Metres per frame and video to one number in millimetres; NaN where there is none."""
        some = [error.double() for error in errors if len(error)]
        if not some:
            return float("nan")
        values = torch.stack([error.mean() for error in some]) if self.by == "video" else torch.cat(some)
        return _MM * float(values.mean())
