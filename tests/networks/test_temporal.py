"""The network over time: who sees whom, by the clock; and one shape."""

import pytest
import torch

from pose2mesh.checkpoints.temporal import build_temporal, load_temporal, temporal_settings
from pose2mesh.networks.temporal import FrameAnswers, Memory, one_shape
from pose2mesh.tracking.steady import steady_motion

SETTINGS = temporal_settings({"joint_set": "union48", "output_set": "body32"}, 32, 2)


def answers(count: int, seed: int = 0) -> FrameAnswers:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(count, *shape, generator=generator)

    turns = torch.linalg.qr(draw(19, 3, 3))[0]
    return FrameAnswers(draw(48, 3), draw(32, 3), draw(32).abs(), turns, draw(16), draw(32, 2))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = build_temporal(SETTINGS)
    for parameter in network.parameters():  # tables start alike: each of their own, or tests would see nothing
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def run(network, given: FrameAnswers, times, causal=False, present=None):
    times = torch.as_tensor(times, dtype=torch.float64)
    present = torch.ones(len(times), dtype=torch.bool) if present is None else present
    with torch.inference_mode():
        return network(FrameAnswers(*(c[None] for c in given)), times[None], present[None], causal).rotations[0]


def changed(given: FrameAnswers, frame: int) -> FrameAnswers:
    other = answers(len(given.joints), 9)
    return FrameAnswers(
        *(torch.cat([a[:frame], b[frame : frame + 1], a[frame + 1 :]]) for a, b in zip(given, other, strict=True))
    )


def differs(a, b) -> list[bool]:
    return ((a - b).abs().amax((1, 2, 3)) > 1e-5).tolist()


def test_causal_frames_do_not_depend_on_the_future(network):
    given, times = answers(40), torch.arange(40) / 30
    assert differs(run(network, given, times, True), run(network, changed(given, 20), times, True)) == [
        frame >= 20 for frame in range(40)
    ]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_a_frame_is_seen_as_far_as_the_network_says(network, causal, rate):
    count = int(6 * rate)
    given, times, frame = answers(count), torch.arange(count) / rate, count // 2
    seen = torch.tensor(differs(run(network, given, times, causal), run(network, changed(given, frame), times, causal)))
    before, after = network.reach(causal)
    reached = times[seen]
    assert times[frame] - after <= reached.min() and reached.max() <= times[frame] + before
    assert reached.max() > times[frame] + before / 2  # what is farther away weighs little
    assert causal or reached.min() < times[frame] - after / 2


@pytest.mark.parametrize("causal", [False, True])
def test_absent_frames_are_as_if_they_were_not_there(network, causal):
    given, times = answers(30), torch.arange(30) / 30
    present = torch.ones(30, dtype=torch.bool)
    present[[7, 8, 20]] = False
    kept = FrameAnswers(*(column[present] for column in given))
    with_gap = run(network, given, times, causal, present)[present]
    torch.testing.assert_close(with_gap, run(network, kept, times[present], causal), atol=1e-5, rtol=1e-4)


def test_only_differences_of_time_count(network):
    given, times = answers(20), torch.arange(20, dtype=torch.float64) / 30
    torch.testing.assert_close(run(network, given, times), run(network, given, times + 3600), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_video_in_blocks_is_the_same(network, causal, monkeypatch):
    given, times = answers(150), torch.arange(150, dtype=torch.float64) / 30
    whole = steady_motion(network, given, times, causal)
    monkeypatch.setattr("pose2mesh.tracking.steady._BLOCK", 40)
    for one, other in zip(whole, steady_motion(network, given, times, causal), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_shapes_are_weighed():
    betas, weight = torch.tensor([[[1.0], [3.0], [8.0]]]), torch.tensor([[1.0, 1.0, 2.0]])
    assert one_shape(betas, weight)[0, :, 0].tolist() == [5, 5, 5]
    assert one_shape(betas, weight, causal=True)[0, :, 0].tolist() == [1, 2, 5]


def test_shipped_weights_are_small():
    network = load_temporal()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 3_000_000
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_frame_by_frame_with_a_memory_is_the_causal_mode(network, rate):
    """A frame at a time, then some at once, with one that nobody was seen in; nothing older than needed is kept."""
    given, times, memory = answers(90), torch.arange(90, dtype=torch.float64) / rate, Memory()
    present = torch.ones(90, dtype=torch.bool)
    present[30] = False
    parts = [slice(i, i + 1) for i in range(80)] + [slice(80, 90)]
    with torch.inference_mode():
        found = [
            network(FrameAnswers(*(c[None, p] for c in given)), times[None, p], present[None, p], True, memory)
            for p in parts
        ]
    whole = run(network, given, times, True, present)
    one_by_one = torch.cat([steady.rotations[0] for steady in found])
    torch.testing.assert_close(
        one_by_one[present], whole[present], atol=1e-3, rtol=1e-3
    )  # random weights magnify rounding
    assert memory._times.shape[1] <= 10 + rate
