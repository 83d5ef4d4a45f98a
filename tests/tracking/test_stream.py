"""People as they come: each is steadied by his own past, without delay."""

from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.walk import walking
from pose2mesh.tracking.stream import SteadyStream
from pose2mesh.types import Intrinsics, Keypoints2D

FPS, FRAMES = 30.0, 30


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained("anny-body")


@pytest.fixture(scope="module")
def people(model):
    """Answers to a walk whose keypoints jitter by 6 pixels, a list a frame."""
    walk, rng = walking(load_anny_body(), FRAMES / FPS, FPS), np.random.default_rng(0)
    frames = []
    for i in range(FRAMES):
        points = walk.keypoints[i, None, :, :2] + rng.normal(0, 6, (1, 17, 2))
        frames.append(
            Keypoints2D(points.astype(np.float32), walk.keypoints[i, None, :, 2], "coco17", (640, 480), tracks=(4,))
        )
    return model.recover(frames, 64, "parameters", fit=False)


def stream_of(model) -> SteadyStream:
    stream = SteadyStream.of(model.network)
    assert stream is not None
    return stream


def steadied(model, frames, rate=FPS):
    stream = stream_of(model)
    return [stream(list(frame), i / rate) for i, frame in enumerate(frames)]


def jitter(frames) -> float:
    joints = np.stack([frame[0].joints for frame in frames])
    return float(np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=-1).mean())


def test_people_are_whole_and_steadier(model, people):
    found = steadied(model, people)
    (person,) = found[-1]
    assert person.vertices.shape == (13718, 3) and person.faces.max() < 13718
    assert person.joints.shape == (32, 3) and person.track == 4
    assert jitter(found[5:]) < jitter(people[5:]) / 3
    seen = people[-1][0].keypoints[:17, :2]
    off = np.linalg.norm(person.camera.project(person.joints[:17]) - seen, axis=-1)
    assert np.median(off) < 0.08 * np.ptp(seen[:, 1])


@pytest.mark.parametrize(("noise", "stands"), [(0.0, False), (5.0, True)])
def test_depth_keeps_up_with_who_walks_up_and_is_calm_where_somebody_stands(model, noise, stands):
    walk, rng = walking(load_anny_body(), 2.4, 25.0, 0, start=(0.0, 6.0)), np.random.default_rng(0)
    known = {"intrinsics": Intrinsics(walk.camera.focal), "tracks": (4,)}
    stream, frames = stream_of(model), []
    for time, row in enumerate(np.full(60, 8) if stands else range(60)):
        points = (walk.keypoints[None, row, :, :2] + rng.normal(0, noise, (1, 17, 2))).astype(np.float32)
        frames.append(
            stream.keypoints(Keypoints2D(points, np.ones((1, 17), "f"), "coco17", (640, 480), **known), time / 25)
        )
    people = model.recover(frames, 64, "parameters", fit=False)
    depth = [stream(found, time / 25)[0].camera.translation[2] for time, found in enumerate(people)]
    if stands:
        assert np.abs(np.diff(depth[25:])).mean() < 0.015
    else:
        assert abs(np.mean(depth[25:] - walk.translation[25:, 2])) < 0.25  # some of it is the body's size


def test_people_do_not_know_one_another(model, people):
    alone = steadied(model, people[:6])[-1][0]
    pairs = [[frame[0], replace(other[0], track=7)] for frame, other in zip(people[:6], people[10:16], strict=True)]
    np.testing.assert_allclose(steadied(model, pairs)[-1][0].joints, alone.joints, atol=1e-5)


def test_who_was_away_for_long_begins_anew(model, people):
    stream = stream_of(model)
    stream(people[0], 0.0)
    (late,) = stream(people[9], 30.0)
    (fresh,) = stream_of(model)(people[9], 0.0)
    np.testing.assert_allclose(late.joints, fresh.joints, atol=1e-5)


def test_other_weights_have_no_network_over_time():
    assert SteadyStream.of(Pose2Mesh.from_pretrained("anny-key2mesh").network) is None
