"""People followed through frames whose motion is known."""

import threading
import time

import numpy as np
import pytest

from pose2mesh.detectors import following
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.finder import WHOLE
from pose2mesh.detectors.following import VideoDetector
from pose2mesh.skeletons import MEDIAPIPE33

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")
skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
NOSE = MEDIAPIPE33.index("nose")


@pytest.fixture(scope="module")
def detector():
    return BlazePoseDetector()


def _frame(*lefts):
    """Half-size astronauts at these places."""
    picture = np.full((300, 900, 3), 90, np.uint8)
    for left in lefts:
        picture[22:278, left : left + 256] = skimage_data.astronaut()[::2, ::2]
    return picture


def _by_place(found):
    order = np.argsort(found.points[:, NOSE, 0])
    return [found.tracks[i] for i in order], found.points[order, NOSE, 0]


def test_tracks_stay_while_people_move_and_are_not_given_again(detector):
    video = detector.video(every=3)
    tracks, noses = _by_place(video.detect(_frame(40, 560), 0.0))
    assert len(set(tracks)) == 2
    for step in range(1, 6):
        again, moved = _by_place(video.detect(_frame(40 + 8 * step, 560 - 6 * step), step / 25))
        assert again == tracks
        np.testing.assert_allclose(moved - noses, [8 * step, -6 * step], atol=8)
    for _ in range(6):  # the left one leaves
        rest = video.detect(_frame(530))
    assert rest.tracks == (tracks[1],)
    back, _ = _by_place(_until_two(video))
    assert back[1] == tracks[1] and back[0] not in tracks


def _until_two(video):
    for _ in range(6):
        found = video.detect(_frame(40, 530))
    assert len(found) == 2
    return found


def test_an_empty_picture_has_nobody_and_later_somebody(detector):
    video = detector.video()
    assert len(video.detect(np.zeros((300, 900, 3), np.uint8))) == 0
    found = [len(video.detect(_frame(300))) for _ in range(8)]
    assert found[-1] == 1


def test_live_frames_do_not_wait_for_the_finder(detector, monkeypatch):
    """While a slow search is under way people are followed; what it finds is taken in when it is there."""
    gate, find = threading.Event(), following.find_people
    live = VideoDetector(detector, every=2, is_live=True)
    assert len(live.detect(_frame(40))) == 1

    def slow(*arguments):
        assert gate.wait(60)
        return find(*arguments)

    monkeypatch.setattr(following, "find_people", slow)
    for _ in range(4):
        assert len(live.detect(_frame(40, 560))) == 1  # the new one is not known yet, and nothing waits
    gate.set()
    deadline = time.monotonic() + 60
    while len(found := live.detect(_frame(40, 560))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert set(found.tracks) == {0, 1}


def test_large_and_small_people_are_looked_for_by_turns(detector, monkeypatch):
    looked, find = [], following.find_people

    def noted(network, image, with_tiles, sides):
        looked.append(tuple(sides))
        return find(network, image, with_tiles, sides)

    monkeypatch.setattr(following, "find_people", noted)
    frames = detector.video(every=1)
    for _ in range(5):
        frames.detect(_frame(300))
    assert looked[0] == WHOLE and set(looked[1:]) == {WHOLE[:1], WHOLE[1:]}
    frames.detect(np.zeros((300, 900, 3), np.uint8))
    assert looked[-1] == WHOLE  # somebody was lost


def test_a_second_opinion_now_and_then_moves_joints_until_the_next_one(detector, monkeypatch):
    """Each person's own, in shares of the person; where to look next goes by the joints that were followed."""
    asked = []

    def reconsider(image, people):
        asked.append([person.track for person in people])
        return [person._replace(joints=person.joints + np.float32([12, 0, 0])) for person in people]

    frames = [_frame(40 + 8 * step, 560 - 6 * step) for step in range(8)]
    plain = BlazePoseDetector(opinion=False).video(every=3)
    known = [plain.detect(frame) for frame in frames]
    monkeypatch.setattr(detector, "reconsider", reconsider)
    video = detector.video(every=3)
    found = [video.detect(frame) for frame in frames]
    assert sorted(asked[0]) == [0, 1]
    assert sum(map(len, asked[1:])) == 2  # seven frames, one in five, two people
    for ours, theirs in zip(found, known, strict=True):
        assert ours.tracks == theirs.tracks
        shift = ours.points - theirs.points  # [2, 33, 2]
        np.testing.assert_allclose(shift[..., 0], 12, atol=1.5)  # their regions grow and shrink a little
        assert not shift[..., 1].any()
    asked.clear()
    live = detector.live()
    assert [len(live.detect(frame)) for frame in frames[:3]] == [2, 2, 2] and not asked


def test_who_comes_in_is_noticed_within_half_a_second_at_any_rate(detector):
    """Numbered frames may be a second apart: fifteen of them are a quarter of a minute."""
    for fps, most in ((1.0, 0), (10.0, 5), (30.0, 15)):
        video = detector.video()
        video.detect(_frame(40), 0.0)
        counts = [len(video.detect(_frame(40, 560), step / fps)) for step in range(1, most + 2)]
        assert counts[-1] == 2, fps
