"""Sequences: order, videos against frames, gaps, smoothing; on numbers small enough to reckon by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pose2mesh.evaluation.protocols.sequences import Sequences
from pose2mesh.geometry.one_euro import one_euro


def sample(group: str, person: int, frame: int) -> SimpleNamespace:
    return SimpleNamespace(group=group, person_id=person, frame=frame)


def along_x(values: list[float]) -> torch.Tensor:
    """One joint a frame: [T, 1, 3] m."""
    return torch.tensor([[[value, 0.0, 0.0]] for value in values], dtype=torch.float64)


def fill(by: str) -> Sequences:
    """A person of four frames, given out of order; another with a gap after its third frame; one of two frames."""
    sequences = Sequences(by)
    motions = {
        ("a", 0): ([0, 1, 2, 3], [0.000, 0.001, 0.002, 0.007]),  # second differences 0, 4 mm
        ("a", 1): ([5, 6, 7, 20], [0.000, 0.000, 0.006, 0.000]),  # 6, -12 (across the gap) mm
        ("b", 0): ([0, 1], [0.000, 0.500]),
    }
    for (group, person), (frames, x) in motions.items():
        order = list(range(len(frames)))[::-1]
        samples = [sample(group, person, frames[i]) for i in order]
        sequences.update(samples, along_x(x)[order], torch.zeros(len(x), 1, 3, dtype=torch.float64))
    return sequences


def test_videos_weigh_the_same_in_the_original() -> None:
    """Mean over videos of (0 + 4) / 2 and (6 + 12) / 2; gaps are not seen, two frames have no acceleration."""
    assert fill("video").summary(None) == {"acceleration": pytest.approx(5.5)}


def test_frames_in_a_row_weigh_the_same_today() -> None:
    assert fill("frame").summary(None) == {"acceleration": pytest.approx((0 + 4 + 6) / 3)}


@pytest.mark.parametrize("by", ["video", "frame"])
def test_smoothing_is_in_millimetres_and_in_order(by: str) -> None:
    smoothed = fill(by).summary((0.004, 0.005))["smoothed"]
    videos = [[0, 1, 2, 7], [0, 0, 6, 0], [0, 500]]  # mm; the truth is zero
    errors = [np.abs(one_euro(np.array(x, float), 0.004, 0.005)) for x in videos]
    expected = np.mean([e.mean() for e in errors]) if by == "video" else np.concatenate(errors).mean()
    assert smoothed["mpjpe"] == pytest.approx(expected)


def test_without_three_frames_there_is_no_acceleration() -> None:
    sequences = Sequences("video")
    sequences.update([sample("a", 0, 0)], along_x([0.0]), along_x([0.1]))
    assert math.isnan(sequences.summary(None)["acceleration"])


def test_one_lost_frame_is_a_gap() -> None:
    """Frames 0, 1, 3, 4, 5: of three in a row there are only the last."""
    sequences = Sequences("frame")
    x = [0.000, 0.001, 0.009, 0.010, 0.014]  # second differences 7, -7, 3 mm
    samples = [sample("c", 0, frame) for frame in (0, 1, 3, 4, 5)]
    sequences.update(samples, along_x(x), torch.zeros(5, 1, 3, dtype=torch.float64))
    assert sequences.summary(None) == {"acceleration": pytest.approx(3)}
