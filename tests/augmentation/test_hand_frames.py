"""Joint angles against what can be measured on the posed hand."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.hand_frames import ANGLES, SEGMENTS, measure_frames, segment_of, segment_rotations
from pose2mesh.augmentation.hand_gestures import gestures
from pose2mesh.augmentation.hand_poses import HandPoseSampler
from pose2mesh.body_models import HandBody, load_hand_body

HAND = load_hand_body()


def keypoints(angles: torch.Tensor) -> torch.Tensor:
    """Bone heads of the posed hand as hand21 without tips [B,21,3]; a tip is its last head's straight continuation."""
    sampler = HandPoseSampler(HAND, angles)
    output = HAND(torch.zeros(len(angles), 10), HAND.expand_pose(sampler.rotations(angles)))
    rows = torch.as_tensor(HAND.joint_regressor("hand21"), dtype=torch.float32)
    return rows @ output.vertices


def angle_between(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Degrees."""
    return torch.rad2deg(torch.acos(torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1)))


def straight(**changes: float) -> torch.Tensor:
    angles = torch.zeros(1, len(ANGLES))
    angles[0, 3:5] = torch.tensor([40.0, 20.0])
    for name, value in changes.items():
        angles[0, ANGLES.index(name)] = value
    return angles


def test_rest_angles_give_the_rest_pose() -> None:
    sampler = HandPoseSampler(HAND, torch.zeros(1, 24))
    rotations = sampler.rotations(sampler.frames.rest_angles[None])
    assert torch.allclose(rotations, torch.eye(3).expand_as(rotations), atol=1e-5)


def test_rest_angles_are_anatomical() -> None:
    """Anny rests with fingers a little bent and spread, the thumb beside the palm."""
    rest = dict(zip(ANGLES, measure_frames(rest_keypoints(HAND)).rest_angles.tolist(), strict=True))
    assert all(5 < rest[f"{finger}_mcp"] < 35 for finger in ("index", "middle", "ring", "pinky"))
    assert all(-5 < rest[f"{finger}_{joint}"] < 20 for finger in ("index", "ring") for joint in ("pip", "dip"))
    assert rest["index_spread"] > 0 and rest["ring_spread"] > 5 and rest["pinky_spread"] > rest["ring_spread"]
    assert 30 < rest["thumb_radial"] < 75


def rest_keypoints(hand: HandBody) -> np.ndarray:
    return hand.joint_regressor("hand21") @ hand.v_template.double().numpy()


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
def test_bends_are_what_a_goniometer_reads(finger: str) -> None:
    """The angle between neighboring bones is the bend of the joint between them, to 8 degrees."""
    first = 5 + 4 * ("index", "middle", "ring", "pinky").index(finger)
    points = keypoints(straight(**{f"{finger}_mcp": 40, f"{finger}_pip": 70, f"{finger}_dip": 35}))[0]
    bones = points[first + 1 : first + 4] - points[first : first + 3]
    bends = angle_between(bones[1:], bones[:-1])
    assert torch.allclose(bends, torch.tensor([70.0, 35.0]), atol=8)


def test_positive_spread_opens_the_fan() -> None:
    together, apart = (keypoints(straight(index_spread=s, ring_spread=s, pinky_spread=2 * s))[0] for s in (0.0, 15.0))
    for near, far in ((12, 8), (12, 16), (16, 20)):  # fingertips
        assert (apart[near] - apart[far]).norm() > (together[near] - together[far]).norm() + 0.005


def test_bending_goes_to_the_palm() -> None:
    """Seen from the wrist's knuckle line, all bent fingers move to the side where the thumb bends to."""
    frames = measure_frames(rest_keypoints(HAND))
    palmar = frames.axes[:, 1]
    flat, bent = keypoints(straight())[0], keypoints(straight(**{f"{f}_mcp": 60 for f in ("index", "pinky")}))[0]
    assert ((bent[[8, 20]] - flat[[8, 20]]) @ palmar > 0.03).all()


def test_thumb_folds_over_the_fist() -> None:
    """In the fist the thumb's tip lies in front of the bent index or middle finger, on their palmar side."""
    points = keypoints(torch.tensor([gestures()["basic"]["fist"]], dtype=torch.float32))[0]
    nearest = (points[[6, 7, 8, 10, 11, 12]] - points[4]).norm(dim=1).min()
    assert nearest < 0.03
    open_hand = keypoints(torch.tensor([gestures()["basic"]["spread"]], dtype=torch.float32))[0]
    assert (open_hand[4] - open_hand[5]).norm() > (points[4] - points[5]).norm()


def test_thumb_meets_every_fingertip() -> None:
    for name, tip in (("pinch_index", 8), ("pinch_middle", 12), ("pinch_ring", 16), ("pinch_pinky", 20)):
        points = keypoints(torch.tensor([gestures()["pinches"][name]], dtype=torch.float32))[0]
        assert (points[4] - points[tip]).norm() < 0.022  # tips are vertices near the nails; the pads touch before


def test_wrist_turns_the_whole_hand() -> None:
    frames = measure_frames(rest_keypoints(HAND))
    bent = segment_rotations(straight(wrist_flexion=50.0), frames)[0]
    flat = segment_rotations(straight(), frames)[0]
    turn = bent[SEGMENTS.index("wrist")]
    assert torch.allclose(bent[1:], turn @ flat[1:], atol=1e-5)
    assert torch.allclose(bent[0], torch.eye(3), atol=1e-6)  # the forearm stays


def test_bones_of_both_hands_are_known() -> None:
    assert [SEGMENTS[segment_of(name)] for name in ("lowerarm02.R", "finger1-1.R", "finger5-3.L", "metacarpal2.R")] == [
        "forearm", "thumb1", "pinky3", "middle0",
    ]  # fmt: skip
    assert SEGMENTS[segment_of("index2")] == "index2" and SEGMENTS[segment_of("wrist")] == "wrist"
