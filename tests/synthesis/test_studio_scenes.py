from itertools import islice

import numpy as np
import pytest
import torch
from studio_figures import random_scenes
from tiny_pack import write_pack

from pose2mesh.body_models import load_anny_body
from pose2mesh.synthesis import studio
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.synthesis.studio import FILL, SIDE, figure_scene, protocol_scenes


@pytest.fixture(scope="module")
def body():
    return load_anny_body()


@pytest.fixture(scope="module")
def scene(body):
    return figure_scene(body, "greet", 25.0)


def _row_range(mask: np.ndarray) -> tuple[int, int]:
    rows = np.flatnonzero(mask.any(1))
    return rows[0], rows[-1] + 1


def test_the_picture_shows_the_truth_where_its_camera_sees_it(scene):
    seen = scene.truth.camera.project(scene.truth.vertices)  # [V, 2]
    assert _row_range(scene.mask) == pytest.approx((seen[:, 1].min(), seen[:, 1].max()), abs=1)
    assert _row_range(scene.mask.T) == pytest.approx((seen[:, 0].min(), seen[:, 0].max()), abs=1)
    column, row = scene.truth.keypoints[7:17, :2].astype(int).T  # elbows to ankles lie inside their limbs
    assert scene.mask[row, column].all()


def test_the_truth_is_relative_to_the_pelvis_which_the_camera_aims_at(scene):
    joints = dict(zip(scene.truth.joint_names, scene.truth.joints, strict=True))
    np.testing.assert_allclose(joints["pelvis"], 0, atol=1e-6)
    np.testing.assert_allclose(scene.truth.camera.project(joints["pelvis"]), SIDE / 2, atol=1e-3)
    regressed = load_anny_body().joint_regressor("coco19") @ scene.truth.vertices
    np.testing.assert_allclose(scene.truth.joints, regressed, atol=5e-5)  # some processors sum float32 1e-5 off


def test_the_figure_turns_to_its_left(body, scene):
    front = figure_scene(body, "stand")
    nose, left_shoulder = front.truth.joints[0], front.truth.joints[5]
    assert left_shoulder[0] > 0.1  # seen from the front its left is on the right of the picture
    assert nose[2] < left_shoulder[2]  # and the nose is nearer than the shoulders
    turned = figure_scene(body, "stand", 90.0).truth.joints
    assert turned[0][0] > turned[5][0]  # now the nose points to the right


def test_random_scenes_are_a_function_of_seed_and_row(body):
    first, second = random_scenes(body, 2, seed=3)
    again = next(random_scenes(body, 5, seed=3))
    np.testing.assert_array_equal(first.image, again.image)
    assert np.abs(first.truth.vertices - second.truth.vertices).max() > 0.05
    assert np.abs(next(random_scenes(body, 1, seed=4)).truth.vertices - first.truth.vertices).max() > 0.05


def test_the_body_stays_in_the_picture_and_fills_what_the_protocol_asks(body):
    for scene in random_scenes(body, 4, seed=1):
        reach = np.abs(scene.truth.camera.project(scene.truth.vertices) - SIDE / 2).max() / (SIDE / 2)
        assert FILL[0] <= reach <= FILL[1]


@pytest.mark.data
def test_protocol_scenes_show_the_samples_of_the_protocol(body):
    protocol = MocapProtocol(body, "mocap_val.npz", every=1000, limit=2)
    batch = next(protocol.batches(2))
    for i, scene in enumerate(islice(protocol_scenes(protocol), 2)):
        np.testing.assert_array_equal(scene.truth.vertices, batch.vertices[i].numpy())
        focal = scene.truth.camera.focal
        exact = torch.from_numpy((scene.truth.keypoints[:, :2] - SIDE / 2) / focal)
        torch.testing.assert_close(exact, batch.clean[i, :, :2], atol=1e-5, rtol=0)
        assert scene.group == batch.groups[i]


def test_scenes_of_workers_are_those_of_none(body, tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "_BATCH", 2)  # five frames in three batches
    protocol = MocapProtocol(body, write_pack(tmp_path / "pack.npz"), every=1, limit=5)
    alone, shared = (list(protocol_scenes(protocol, workers)) for workers in (0, 2))
    assert len(alone) == len(shared) == 5 and len({scene.image.tobytes() for scene in alone}) == 5
    for one, other in zip(alone, shared, strict=True):
        assert one.group == other.group
        for first, second in (
            (one.image, other.image),
            (one.mask, other.mask),
            (one.truth.vertices, other.truth.vertices),
        ):
            np.testing.assert_array_equal(first, second)
