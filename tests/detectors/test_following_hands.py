"""Hands from frame to frame: with made-up looks that are known, and with the networks on a hand that turns."""

import numpy as np
import pytest

from pose2mesh.detectors.following_hands import NEW, SOON, HandVideo
from pose2mesh.detectors.found_hands import Hand

FRAME = np.zeros((100, 200, 3), np.uint8)


def hand_at(x: float, right: float = 1.0) -> Hand:
    """A hand 20 px wide and high."""
    points = np.stack(np.meshgrid([x - 10, x, x + 10], np.linspace(40, 60, 7)), -1).reshape(21, 2)
    return Hand(points, np.ones(21), right)


class Made:
    """Finds and sees what the test puts there; counts the searches."""

    def __init__(self) -> None:
        self.there: list[Hand] = []
        self.searches = 0

    def find(self, image: np.ndarray) -> list[Hand]:
        self.searches += 1
        return list(self.there)

    def look(self, image, region, most):
        assert most == 1
        near = [hand for hand in self.there if abs(hand.points[:, 0].mean() - region.center[0]) < 15]
        return near[0] if near else None


@pytest.fixture
def made() -> Made:
    return Made()


def test_hands_are_followed_without_a_search(made):
    video = HandVideo(made, every=15)
    for frame in range(15):
        made.there = [hand_at(50 + 2 * frame), hand_at(150 - frame, 0.0)]
        found = video.detect(FRAME, frame / 30)
        np.testing.assert_allclose(found.points[:, :, 0].mean(1), [50 + 2 * frame, 150 - frame])
        assert found.handedness == ("right", "left")
    assert made.searches == 1
    made.there.append(hand_at(15))
    assert len(video.detect(FRAME)) == 3 and made.searches == 2


def test_who_is_lost_is_searched_for_soon_and_nobody_is_not_searched_for_in_every_frame(made):
    video = HandVideo(made, every=15)
    made.there = [hand_at(50)]
    for _ in range(SOON):
        video.detect(FRAME)
    made.there = [hand_at(150)]  # too far to be followed
    assert len(video.detect(FRAME)) == 1 and made.searches == 2
    made.there = []
    assert [len(video.detect(FRAME)) for _ in range(3 * SOON)] == [0] * (3 * SOON)
    assert made.searches == 5


def test_two_that_end_in_one_place_are_one_hand_and_a_single_frame_does_not_change_the_side(made):
    video = HandVideo(made, every=15)
    made.there = [hand_at(50), hand_at(75)]
    assert len(video.detect(FRAME)) == 2
    made.there = [hand_at(62, 0.0)]
    found = video.detect(FRAME)
    assert len(found) == 1 and found.handedness == ("right",)
    sides = [video.detect(FRAME).handedness for _ in range(4)]
    assert sides[-1] == ("left",) and (1 - NEW) ** 3 < 0.5


def test_a_turning_hand(monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")
    from pose2mesh.detectors.hands import HandDetector
    from pose2mesh.synthesis.hand_studio import HandStudio

    studio, detector = HandStudio(), HandDetector()
    video = detector.video()
    for frame in range(5):
        scene = studio.gesture_scene("basic", "spread", "left", 5.0 * frame)
        found = video.detect(scene.image)
        truth = scene.truth.keypoints[:, :2]
        assert found.handedness == ("left",)
        assert np.linalg.norm(found.points[0] - truth, axis=1).mean() < 0.08 * np.ptp(truth, axis=0).max()
        monkeypatch.setattr(detector, "find", lambda _: pytest.fail("searched again"))
