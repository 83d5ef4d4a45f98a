"""From noisy single frames back to a motion whose truth is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.augmentation.cameras import SMPL_TO_CAMERA
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.networks.abilities import Abilities
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.synthesis.walk import CAMERA_HEIGHT, walking
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.tracking.ground import ground_plane, upright, world_from_camera
from pose2mesh.tracking.motion import MotionBuilder
from pose2mesh.tracking.smoothing import smooth_rotations
from pose2mesh.types import Camera, Motion, Person

BODY = load_anny_body()
TRUTH = walking(BODY, 2.0)
FACES = BODY.faces.numpy()


@pytest.fixture(scope="module")
def builder():
    decoder = AnnyDecoder(BODY, np.zeros(0, np.int64))
    return MotionBuilder(
        SimpleNamespace(
            abilities=Abilities(has_decoder=True),
            decoder=decoder,
            joint_set="coco17",
            output_joint_names=TRUTH.joint_names,
            faces=FACES,
        )
    )


def answers(motion: Motion, degrees: float = 3.0, pixels: float = 2.0, seed: int = 0):
    """What a network would say of each frame: index, time and people, with noise in angles, shape and keypoints."""
    rng = np.random.default_rng(seed)
    for frame in np.unique(motion.frame):
        people = []
        for row in np.flatnonzero(motion.frame == frame):
            noise = Rotation.from_rotvec(np.radians(degrees) * rng.normal(size=(19, 3))).as_matrix()
            keypoints = motion.keypoints[row].copy()
            keypoints[:, :2] += rng.normal(0, pixels, (17, 2))
            betas = motion.betas[row] + 0.2 * rng.normal(size=16)
            parameters = {"rotations": (noise @ motion.rotations[row]).astype(np.float32), "betas": betas.astype("f")}
            camera = Camera(700.0, (320.0, 240.0), np.ones(3), (640, 480))
            empty = np.zeros((0, 3), np.float32)
            person = Person(empty, FACES, motion.joints[row], motion.joint_names, keypoints, camera)
            people.append(replace(person, parameters=parameters, track=int(motion.track[row])))
        yield int(frame), float(motion.time[motion.frame == frame][0]), people


@pytest.fixture(scope="module")
def built(builder):
    return builder.build(builder.rows(answers(TRUTH)), 30.0)


def test_places_are_near_the_truth_and_smooth(built):
    error = np.abs(built.translation - TRUTH.translation).mean(0)
    assert error[0] < 0.03 and error[1] < 0.03 and error[2] < 0.08
    acceleration = np.linalg.norm(np.diff(built.translation - TRUTH.translation, 2, axis=0), axis=1)
    assert acceleration.mean() < 0.03  # m per squared frame


def test_one_shape_and_constant_bones(built):
    assert (built.betas == built.betas[0]).all()
    thigh = [built.joint_names.index(name) for name in ("left_hip", "left_knee")]
    lengths = np.linalg.norm(built.joints[:, thigh[0]] - built.joints[:, thigh[1]], axis=1)
    assert lengths.std() < 0.015  # keypoints lie on the skin, so they move a little about the bones


def test_feet_stand_where_they_stand(builder, built):
    assert (built.contacts == TRUTH.contacts).mean() > 0.8
    rough = builder.build(builder.rows(answers(TRUTH)), 30.0, smooth="off")

    def sliding(motion):
        soles = builder._feet(motion.rotations, motion.betas)
        places = (soles + motion.translation[:, None, None]).mean(2)  # [T, 2, 3]
        both = TRUTH.contacts[1:] & TRUTH.contacts[:-1]
        return np.linalg.norm(np.diff(places, axis=0), axis=-1)[both].mean()

    alone = [camera_of_frame(builder, row) for row in range(len(TRUTH))]
    frames = replace(rough, translation=np.array(alone))
    assert sliding(built) < 0.5 * sliding(frames)


def camera_of_frame(builder, row: int) -> np.ndarray:
    """The place that a single frame tells."""
    one = TRUTH.select(np.array([row]))
    return builder.build(builder.rows(answers(one, seed=row)), 30.0).translation[0]


def test_ground_is_found(built):
    soles = built.world_from_camera
    assert soles[1, 3] == pytest.approx(CAMERA_HEIGHT, abs=0.08)
    assert np.degrees(np.arccos(-soles[1, 1])) < 3


def test_smoothing_takes_jitter_and_leaves_no_lag():
    noise = Rotation.from_rotvec(np.radians(4) * np.random.default_rng(0).normal(size=(60 * 19, 3)))
    noisy = noise.as_matrix().reshape(60, 19, 3, 3) @ TRUTH.rotations
    smooth = smooth_rotations(noisy, TRUTH.time)

    def angle(first, second):
        return np.arccos(np.clip((np.einsum("...ij,...ij->...", first, second) - 1) / 2, -1, 1))

    assert angle(smooth, TRUTH.rotations).mean() < 0.7 * angle(noisy, TRUTH.rotations).mean()
    steps = [angle(r[1:], r[:-1]).mean() for r in (smooth, noisy, TRUTH.rotations)]
    assert abs(steps[0] - steps[2]) < 0.3 * abs(steps[1] - steps[2])
    np.testing.assert_allclose(
        smooth_rotations(TRUTH.rotations[::-1], TRUTH.time)[::-1],
        smooth_rotations(TRUTH.rotations, TRUTH.time),
        atol=1e-6,
    )


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_plane_and_world(tilt):
    rng = np.random.default_rng(0)
    turn = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    floor = np.column_stack([rng.uniform(-2, 2, 300), np.full(300, 1.4), rng.uniform(2, 8, 300)])
    points = floor @ turn.T + rng.normal(0, 0.01, (300, 3))
    points[:30, 1] -= 0.5  # wrong contacts
    world = world_from_camera(ground_plane(points))
    np.testing.assert_allclose(world[:3, :3] @ world[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(world[:3, :3]) == pytest.approx(1)
    heights = points[30:] @ world[1, :3] + world[1, 3]
    assert abs(heights.mean()) < 0.02 and heights.std() < 0.03
    assert world[1, 3] == pytest.approx(1.4, abs=0.03)
    assert ground_plane(points[:3]) is None


@pytest.mark.parametrize("pitch", [0.0, 30.0, 60.0])
def test_people_who_stay_in_place_tell_where_up_is(builder, pitch):
    """The points of feet that do not walk lie too close together for a slope."""
    turn = Rotation.from_euler("x", pitch, degrees=True).as_matrix()  # the camera looks down by that much
    level = (SMPL_TO_CAMERA @ world_rotmats(figure("stand")[None])).numpy().repeat(60, 0)  # [T, 19, 3, 3]
    still, place = TRUTH.select(np.arange(60)), np.array([0.0, 0.0, 5.0])
    joints = builder._pose(level, still.betas)
    points = still.camera.project(joints[:, :17] @ turn.T + place)
    seen = replace(
        still,
        joints=(joints @ turn.T).astype(np.float32),
        rotations=(turn @ level).astype(np.float32),
        keypoints=np.concatenate([points, np.ones((60, 17, 1))], -1).astype(np.float32),
    )
    world = builder.build(builder.rows(answers(seen)), 30.0).world_from_camera
    assert np.degrees(np.arccos(world[1, :3] @ turn @ [0, -1, 0])) < 4
    height = builder._feet(level, still.betas)[..., 1].max()
    assert world[1, :3] @ place + world[1, 3] == pytest.approx(height, abs=0.04)


def test_up_is_told_by_people_on_their_feet_only():
    standing = np.tile([0.0, -0.5, 0.0], (20, 1)), np.tile([0.0, 0.85, 0.0], (20, 2, 2, 1))  # necks, soles
    np.testing.assert_allclose(upright(*standing), [0, -1, 0])
    sits = np.tile([0.0, 0.45, -0.5], (20, 2, 2, 1))
    bends = np.tile([0.0, 0.0, -0.5], (20, 1))
    assert upright(standing[0], sits) is None and upright(bends, standing[1]) is None
    for axis, degrees in (("z", 80), ("z", -80), ("x", -65)):  # the last as a camera that looks down by 25 sees it
        lies = [part @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T for part in standing]
        assert upright(*lies) is None
    assert upright(standing[0][:3], standing[1][:3]) is None
    on_one_leg = standing[1].copy()
    on_one_leg[:, 1] = [0.0, 0.5, 0.35]  # foot behind
    assert np.degrees(np.arccos(-upright(standing[0], on_one_leg)[1])) < 1


def test_ghosts_go_and_a_single_frame_stays(builder):
    ghost = replace(TRUTH, track=np.where(TRUTH.frame < 3, 9, 1))
    assert builder.build(builder.rows(answers(ghost)), 30.0).tracks == (1,)
    one = builder.build(builder.rows(answers(TRUTH.select(TRUTH.frame == 4))), 30.0)
    assert len(one) == 1 and one.frame[0] == 4


def test_absent_keypoints_and_gaps(builder):
    motion = TRUTH.select((TRUTH.frame < 20) | (TRUTH.frame > 50))
    keypoints = motion.keypoints.copy()
    keypoints[5:8, :, 2] = 0
    built = builder.build(builder.rows(answers(replace(motion, keypoints=keypoints))), 30.0)
    assert np.abs(built.translation - motion.translation).mean() < 0.08


def test_people_without_a_joint_that_places_them(builder):
    """Such as feet alone: before a gap they are taken for where they are after it, by themselves for nobody."""
    keypoints = TRUTH.keypoints.copy()
    keypoints[:20, :, 2] = 0
    gap = replace(TRUTH, keypoints=keypoints).select((TRUTH.frame < 20) | (TRUTH.frame > 50))
    built = builder.build(builder.rows(answers(gap)), 30.0)
    np.testing.assert_allclose(built.translation[:20], np.tile(built.translation[20], (20, 1)))
    unseen = TRUTH.select(TRUTH.frame < 20)
    rows = builder.rows(answers(replace(unseen, keypoints=keypoints[:20])))
    with pytest.raises(NoPersonFoundError):
        builder.build(rows, 30.0)
    others = builder.rows(answers(replace(TRUTH, track=np.full(len(TRUTH), 2))))
    assert builder.build(builder.join([rows, others]), 30.0).tracks == (2,)


def test_networks_without_parameters_are_fitted():
    """Meshes alone give the same motion as the parameters that made them."""
    bare = MotionBuilder(SimpleNamespace(joint_set="coco17", output_joint_names=TRUTH.joint_names, faces=FACES))
    few = TRUTH.select(TRUTH.frame < 8)
    meshes = AnnyDecoder(BODY)(BodyParameters(torch.from_numpy(few.rotations), torch.from_numpy(few.betas))).vertices
    frames = [
        (index, time, [replace(people[0], vertices=mesh.numpy(), parameters=None)])
        for (index, time, people), mesh in zip(answers(few, 0, 0), meshes, strict=True)
    ]
    built = bare.build(bare.rows(frames), 30.0, smooth="off")
    assert np.abs(built.joints - few.joints).max() < 0.01
    hand = SimpleNamespace(joint_set="hand21", faces=FACES[:100])
    with pytest.raises(InputError, match="another mesh"):
        MotionBuilder(hand)


def test_meshes_of_a_motion():
    bodies = MotionBodies(TRUTH)
    (person,) = bodies.people(7)
    points = person.camera.project(person.joints[:17])
    np.testing.assert_allclose(points, TRUTH.keypoints[7, :, :2], atol=0.05)
    rows = bodies.vertices(np.array([7]))
    np.testing.assert_array_equal(person.vertices, rows[0])
    assert bodies.people(1000) == []
    stamped = MotionBodies(replace(TRUTH, frame=TRUTH.frame + 1_700_000_000_000))  # numbers may be times of day
    np.testing.assert_array_equal(stamped.people(1_700_000_000_007)[0].vertices, person.vertices)


def test_nobody_and_wrong_words(builder):
    with pytest.raises(NoPersonFoundError):
        builder.build(builder.rows([]), 30.0)
    with pytest.raises(InputError, match="smooth 'much'"):
        builder.build(builder.rows(answers(TRUTH)), 30.0, "much")
