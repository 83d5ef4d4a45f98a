"""Identities on motion whose truth is known: crossings, gaps, missed joints, people found in any order."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.synthesis.walk import walking
from pose2mesh.tracking import IdentityTracker
from pose2mesh.types import Keypoints2D
from tools.studies.identities import identity_f1, identity_switches

BODY = load_anny_body()
FPS = 30.0


@cache
def people(kind: str) -> list[np.ndarray]:
    """Keypoints [T, 17, 3] of everybody in a scene of three seconds."""
    places = {
        "crossing": [(90, (-1.5, 4.5)), (-90, (1.5, 5.2))],
        "meeting and parting": [(70, (-1.6, 5.0)), (-75, (1.6, 4.6))],
        "three": [(90, (-1.5, 4.2)), (-90, (1.5, 5.0)), (0, (0.3, 6.5))],
        "side by side": [(90, (-1.8, 4.5)), (90, (-1.2, 5.0))],
    }[kind]
    return [walking(BODY, 3.0, FPS, heading, start=start).keypoints for heading, start in places]


def detections(scene: list[np.ndarray], seed: int, gap: tuple[int, int] = (0, 0)):
    """Truth and keypoints frame by frame: noise, missed joints, hidden people not found, in an order of its own."""
    rng = np.random.default_rng(seed)
    for frame in range(len(scene[0])):
        found, truth = [], []
        for number, person in enumerate(scene):
            points = person[frame].copy()
            size = np.ptp(points[:, :2], axis=0).max()
            others = [other[frame] for other in scene[number + 1 :]]  # nearer people come later in no scene: hide both
            hidden = any(np.abs(np.median(points[:, 0]) - np.median(o[:, 0])) < 0.12 * size for o in others)
            if (number == 0 and gap[0] <= frame < gap[1]) or hidden or rng.random() < 0.03:
                continue
            points[:, :2] += rng.normal(0, 0.015 * size, (17, 2))
            points[rng.random(17) < 0.15, 2] = 0
            found.append(points)
            truth.append(number)
        order = rng.permutation(len(found))
        rows = np.array(found, np.float32).reshape(-1, 17, 3)[order]
        yield np.array(truth, int)[order], Keypoints2D(rows[..., :2], rows[..., 2], "coco17", (640, 480))


def follow(frames, fps=FPS):
    tracker, truths, numbers = IdentityTracker(), [], []
    for index, (truth, keypoints) in enumerate(frames):
        truths.extend(truth)
        numbers.extend(tracker.update(keypoints, index / fps))
    return np.array(truths), np.array(numbers)


@pytest.mark.parametrize("kind", ["crossing", "meeting and parting", "three", "side by side"])
def test_people_keep_their_numbers_when_they_cross(kind):
    for seed in range(3):
        truth, numbers = follow(detections(people(kind), seed))
        assert identity_f1(truth, numbers) > 0.99 and identity_switches(truth, numbers) == 0


def with_mixed_joints(scene: list[np.ndarray]):
    """What a detector that follows people from frame to frame shows of a crossing: who is behind drifts onto who is
    before, is then taken for a double and is found again half a second after both are apart.
    """
    before, behind = scene
    distance = [
        abs(np.median(before[i, :, 0]) - np.median(behind[i, :, 0])) / np.ptp(before[i, :, 1]) for i in range(90)
    ]
    first = int(np.argmax(np.array(distance) < 0.25))
    crossed = first + int(np.argmax(np.array(distance[first:]) > 0.4))
    for frame in range(90):
        points = [before[frame].copy(), behind[frame].copy()]
        if first <= frame < first + 6:  # drifts
            points[1] = points[1] + (points[0] - points[1]) * (frame - first + 1) / 6
        if first + 6 <= frame < crossed + 15:  # the double that was listed first stays
            points = points[:1]
        rows = np.array(points, np.float32)
        keypoints = Keypoints2D(rows[..., :2], rows[..., 2], "coco17", (640, 480))
        yield np.arange(len(points)), keypoints


@pytest.mark.parametrize("kind", ["crossing", "meeting and parting"])
def test_who_is_behind_comes_back_with_the_own_number(kind):
    for scene in (people(kind), people(kind)[::-1]):
        truth, numbers = follow(with_mixed_joints(scene))
        assert numbers[truth == 0][-1] == numbers[truth == 0][0]
        assert numbers[truth == 1][-1] == numbers[truth == 1][0]


@pytest.mark.parametrize("kind", ["crossing", "meeting and parting"])
def test_joints_that_were_never_seen_do_not_tell_where_people_are(kind):
    """Of people cut at the waist nine joints lie at zero, which is no place."""
    frames = []
    for truth, keypoints in with_mixed_joints(people(kind)):
        confidence = keypoints.confidence.copy()
        confidence[:, [*range(5), *range(13, 17)]] = 0
        points = np.where(confidence[..., None] > 0, keypoints.points, 0)
        frames.append((truth, replace(keypoints, points=points, confidence=confidence)))
    truth, numbers = follow(frames)
    assert numbers[truth == 0][-1] == numbers[truth == 0][0]
    assert numbers[truth == 1][-1] == numbers[truth == 1][0]


@pytest.mark.parametrize("frames", [15, 30])
def test_somebody_out_of_sight_for_a_second_is_still_known(frames):
    truth, numbers = follow(detections(people("side by side"), 0, (40, 40 + frames)))
    assert identity_switches(truth, numbers) == 0


def test_somebody_who_comes_back_much_later_is_new():
    frames = list(detections([walking(BODY, 4.0, FPS, 80).keypoints], 0, (20, 80)))
    truth, numbers = follow(frames)
    assert identity_switches(truth, numbers) == 1 and set(numbers) == {1, 2}


def test_rate_of_the_video_does_not_matter():
    scene = [person[::3] for person in people("crossing")]
    truth, numbers = follow(detections(scene, 1), FPS / 3)
    assert identity_switches(truth, numbers) == 0


def test_numbers_that_the_keypoints_bring_are_kept():
    (_, keypoints), *_ = detections(people("three"), 0)
    told = replace(keypoints, tracks=(7, 3, 9)[: len(keypoints)])
    assert IdentityTracker().update(told, 0.0) == told.tracks
    keep = np.array([True, False, True])[: len(keypoints)]
    assert told.select(keep).tracks == tuple(t for t, k in zip(told.tracks, keep, strict=True) if k)


def test_frames_without_anybody():
    nobody = Keypoints2D(np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), np.float32), "coco17")
    tracker = IdentityTracker()
    assert tracker.update(nobody, 0.0) == ()
    assert tracker.update(replace(nobody, points=np.zeros((1, 17, 2)), confidence=np.zeros((1, 17))), 0.1) == (1,)
    tracker.update(replace(nobody, joint_set="halpe26"), 0.2)
    assert tracker.joint_set == "coco17"  # that of people: a file's empty frames may be of any


def with_a_lagging_find(scene: list[np.ndarray], frames_beside: int):
    """A find of the first person that stops at frame 30, where the person is found anew, and lives on beside it."""
    person = scene[0]
    for frame in range(90):
        rows, truth = [person[frame]], [0]
        if 30 <= frame < 30 + frames_beside:
            rows, truth = [person[29], person[frame] + (40, 0, 0)], [1, 0]
        elif frame >= 30:
            rows = [person[frame] + (40, 0, 0)]
        rows = np.array(rows, np.float32)
        yield np.array(truth), Keypoints2D(rows[..., :2], rows[..., 2], "coco17", (640, 480))


def test_who_is_found_anew_beside_the_own_lagging_find_has_the_own_number_soon():
    truth, numbers = follow(with_a_lagging_find(people("crossing"), 5))
    own = numbers[truth == 0]
    assert set(own[:30]) == {1}
    assert set(own[30:37]) == {2} and set(own[40:]) == {1}  # five frames beside it, a tenth of a second of doubt


@pytest.mark.parametrize(("fps", "frames_beside", "gone"), [(5, 1, 2), (10, 3, 2), (15, 3, 2), (30, 5, 4)])
def test_who_is_missed_in_a_single_frame_has_not_vanished(fps, frames_beside, gone):
    """Somebody comes beside another, who is then not found: in one frame by mistake, in some, a tenth of a second or
    more, because both are the same person.
    """
    person = people("side by side")[0][0].astype(np.float32)
    both = np.stack([person, person + np.float32([30, 0, 0])])
    for missed, expected in ((1, 2), (gone, 1)):
        tracker, numbers = IdentityTracker(), ()
        rows = [both[:1]] * fps + [both] * frames_beside + [both[1:]] * missed + [both] * fps
        for frame, found in enumerate(rows):
            keypoints = Keypoints2D(found[..., :2], found[..., 2], "coco17", (640, 480))
            numbers = tracker.update(keypoints, frame / fps)
        assert numbers[1] == expected


def test_who_walks_beside_somebody_for_longer_is_another_person():
    truth, numbers = follow(with_a_lagging_find(people("crossing"), 15))
    assert set(numbers[truth == 0][-30:]) == {2}
