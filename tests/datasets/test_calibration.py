"""Calibration: a known constant bend comes out, real bends and straight performers stay; the packs as reference."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose2mesh import paths
from pose2mesh.datasets.calibration import STRAIGHT, straighten_knees
from pose2mesh.datasets.motion import load_motion
from pose2mesh.datasets.motion_pack import BONES
from pose2mesh.datasets.retarget import rest_direction

LEG = {side: [BONES.index(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01")] for side in "LR"}


def poses(left: np.ndarray, right: np.ndarray, seed: int = 0) -> np.ndarray:
    """World rotations [N, 19, 3] with these flexions of the knees in degrees, thighs in any direction."""
    world = Rotation.random(len(left) * 19, rng=np.random.default_rng(seed)).as_rotvec().reshape(-1, 19, 3)
    for side, flexion in (("L", left), ("R", right)):
        thigh, shank = LEG[side]
        bend = Rotation.from_rotvec(np.radians(flexion + STRAIGHT)[:, None] * [1.0, 0, 0])
        world[:, shank] = (Rotation.from_rotvec(world[:, thigh]) * bend).as_rotvec()
    return world


def flexion(rotvec: np.ndarray, side: str) -> np.ndarray:
    """Angle between thigh and shank as directions in the room, [N] degrees."""
    thigh, shank = (
        Rotation.from_rotvec(rotvec[:, bone]).apply(rest_direction(f"{name}.{side}"))
        for bone, name in zip(LEG[side], ("upperleg01", "lowerleg01"), strict=True)
    )
    return np.degrees(np.arccos(np.clip((thigh * shank).sum(1), -1, 1)))


def walk(count: int, bend: float) -> np.ndarray:
    """Flexions [N] between 3 degrees and 60, and `bend` more."""
    return 3 + bend + 57 * (0.5 + 0.5 * np.sin(np.linspace(0, 40, count))) ** 2


def test_a_constant_bend_comes_out_per_performer_and_leg() -> None:
    names = ["a"] * 2000 + ["b"] * 2000
    rotvec = poses(np.r_[walk(2000, 20), walk(2000, 0)], np.r_[walk(2000, 7), walk(2000, 40)])
    straight, taken_out = straighten_knees(rotvec, names)
    assert taken_out["a"] == pytest.approx((20, 7), abs=0.5)
    assert taken_out["b"] == pytest.approx((0, 25), abs=0.5)  # no more than 25
    least = [np.percentile(flexion(straight, side)[:2000], 2) for side in "LR"]
    assert max(least) < 8  # the direction of the rest pose is off the hinge by some degrees
    others = [bone for bone in range(19) if bone not in LEG["L"] + LEG["R"]]
    np.testing.assert_array_equal(straight[:, others], rotvec[:, others])


def test_few_frames_are_trusted_less() -> None:
    _, taken_out = straighten_knees(poses(walk(500, 20), walk(500, 4)), ["a"] * 500)
    assert taken_out["a"] == pytest.approx((12, 4), abs=0.5)


def test_deep_bends_stay_and_half_goes_at_each_end() -> None:
    bent = np.r_[np.full(1900, 30.0), np.full(50, 80.0), np.full(50, 120.0)]
    rotvec = poses(bent, bent)
    straight, taken_out = straighten_knees(rotvec, ["a"] * len(bent))
    assert taken_out["a"] == pytest.approx((25, 25))
    for side in "LR":
        for start, stop, expected in ((0, 1900, 25.0), (1900, 1950, 12.5), (1950, 2000, 0.0)):
            for bone in LEG[side]:
                turn = Rotation.from_rotvec(rotvec[start:stop, bone]).inv() * Rotation.from_rotvec(
                    straight[start:stop, bone]
                )
                np.testing.assert_allclose(np.degrees(turn.magnitude()), expected / 2, atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("name", ["val", "test_public"])
def test_the_second_edition_of_the_packs_is_the_first_one_calibrated(name: str) -> None:
    """Unknown performers take by take. Both packs are stored in half precision: 0.06 degrees each."""
    folder = paths.data_dir()
    if not (folder / f"mocap2_{name}.npz").is_file():
        pytest.skip(f"no mocap2_{name}.npz in the data folder")
    first, second = (load_motion(folder / f"{edition}_{name}.npz") for edition in ("mocap", "mocap2"))
    subjects = [first.clip_subject[clip] for clip in first.clip_id]
    takes = [first.clip_name[clip] for clip in first.clip_id]
    performers = [t if s.startswith("x-") else s for s, t in zip(subjects, takes, strict=True)]
    straight, _ = straighten_knees(first.rotvec, performers)
    difference = Rotation.from_rotvec(straight.reshape(-1, 3)).inv() * Rotation.from_rotvec(
        second.rotvec.reshape(-1, 3)
    )
    assert np.degrees(difference.magnitude()).max() < 0.12
