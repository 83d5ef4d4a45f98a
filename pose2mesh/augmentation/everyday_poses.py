"""Poses that people take in photos: standing, leaning, sitting, kneeling, lying, with what their arms do meanwhile.

Recordings are of actions; hardly anybody in them just stands. Drawn here from ranges (`everyday_tables`) and put
together by inverse kinematics: both feet on one floor, hands at hips, thighs or face. Deviations are cut at two.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from pose2mesh.augmentation.everyday_tables import ANCHORS, KINDS, everyday_tables
from pose2mesh.augmentation.limbs import ARM, LEG, about, between, bone_frame
from pose2mesh.augmentation.poses import clamp_to_limits, mirror
from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative
from pose2mesh.errors import InputError
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.skeletons import MOTION_BONES

_LEFT, _RIGHT = slice(5, 12), slice(12, 19)  # clavicle to foot among the captured bones
_UPPER = torch.tensor([bone != "root" and "leg" not in bone and "foot" not in bone for bone in MOTION_BONES])[:, None]
_MIRROR = torch.tensor([1.0, -1.0, -1.0])  # of rotation vectors, left to right
_MIRROR_PLACE = torch.tensor([-1.0, 1.0, 1.0])
_LARGEST_ROLL = 9.0  # degrees that the pelvis tilts to keep both feet on the floor; knees do the rest


@dataclass(frozen=True)
class EverydayPoses:
    """Shares of the kinds of poses; they need not sum to one."""

    __pydantic_config__: ClassVar = STRICT

    standing: NotNegative = 0.36
    contrapposto: NotNegative = 0.14
    leaning: NotNegative = 0.08
    chair: NotNegative = 0.2
    ground: NotNegative = 0.06
    cross_legged: NotNegative = 0.03
    kneeling: NotNegative = 0.04
    squatting: NotNegative = 0.03
    lying: NotNegative = 0.05
    recorded_upper: Fraction = 0.2  # chance that trunk, head and arms come from a recorded pose, where there are some

    def __post_init__(self) -> None:
        if not any(getattr(self, kind) for kind in KINDS):
            raise InputError(f"everyday poses: all shares are zero; give at least one of {', '.join(KINDS)}")


def only(kind: str) -> EverydayPoses:
    """The recipe of one kind of poses."""
    return EverydayPoses(**{name: float(name == kind) for name in KINDS})


def sample_everyday(count: int, recipe: EverydayPoses, generator: Generator, recorded: Tensor | None = None) -> Tensor:
    """Draw `count` poses [B,19,3]: relative rotation vectors as in `sample_poses`, without heading.

    `recorded` [N,19,3] are poses whose upper bodies are mixed in.
    """
    row = _draw_rows(count, recipe, generator)  # [B]
    root, trunk, neck = _trunk(row, generator)  # [B, 3, 3], [B, 3], [B, 3]
    root, thigh, shank, foot = _legs(row, root, generator)
    arms = _arms(row, root, trunk, neck, thigh, generator)  # clavicle, upper arm, forearm, hand: [B, 2, 3, 3] relative
    sided_root = _sided(root)
    legs = (_relative(sided_root, thigh @ LEG.rest_upper), _relative(thigh @ LEG.rest_upper, shank @ LEG.rest_lower))
    limbs = rotmat_to_rotvec(torch.stack([*arms, *legs, _relative(shank @ LEG.rest_lower, foot)], 2))  # [B, 2, 7, 3]
    pose = torch.empty(count, 19, 3)
    pose[:, 0] = rotmat_to_rotvec(root)
    pose[:, 1] = pose[:, 2] = trunk / 2
    pose[:, 3], pose[:, 4] = 0.4 * neck, 0.6 * neck
    pose[:, _LEFT], pose[:, _RIGHT] = limbs[:, 0], limbs[:, 1] * _MIRROR
    flip, mixed = torch.rand(2, count, 1, 1, generator=generator)
    if recorded is not None:
        other = recorded[torch.randint(len(recorded), (count,), generator=generator)]
        pose = torch.where(_UPPER & (mixed < recipe.recorded_upper), other, pose)
    return clamp_to_limits(torch.where(flip < 0.5, mirror(pose), pose))


def _normal(table: Tensor, generator: Generator) -> Tensor:
    """Values [...] of (mean, deviation) [..., 2], cut at two deviations."""
    return table[..., 0] + table[..., 1] * torch.randn(table.shape[:-1], generator=generator).clamp(-2, 2)


def _draw_rows(count: int, recipe: EverydayPoses, generator: Generator) -> Tensor:
    """Postures [B], rows of the tables."""
    tables = everyday_tables()
    kinds = torch.tensor([getattr(recipe, kind) for kind in KINDS])
    return torch.multinomial(kinds[tables.kind] * tables.share, count, replacement=True, generator=generator)


def _trunk(row: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pelvis [B,3,3]; rotation vectors of the chest against the pelvis and of the head against the chest, [B,3]."""
    tables = everyday_tables()
    pitch, roll, bend, lean, twist, nod = _normal(tables.trunk[row], generator).unbind(-1)
    root = about("z", roll) @ about("x", pitch)
    strength = torch.rand(2, len(row), generator=generator)
    turn, tilt = torch.randn(2, len(row), generator=generator).clamp(-2, 2) * strength
    nod = (nod - tables.level[row] * (pitch + bend)).clamp(-45, 45)
    trunk = torch.deg2rad(torch.stack([bend, twist, lean], -1))
    return root, trunk, torch.deg2rad(torch.stack([nod, 35 * turn - 0.5 * twist, 12 * tilt - 0.5 * lean], -1))


def _sided(rotation: Tensor) -> Tensor:
    """Rotations [B,3,3] for the left side and, mirrored, for the right: [B,2,3,3]."""
    signs = _MIRROR_PLACE[:, None] * _MIRROR_PLACE
    return torch.stack([rotation, rotation * signs], 1)


def _relative(parent: Tensor, child: Tensor) -> Tensor:
    return parent.transpose(-1, -2) @ child


def _turned(rotation: Tensor, vector: Tensor) -> Tensor:
    """[..., 3, 3] applied to [..., 3]."""
    return (rotation @ vector[..., None])[..., 0]


def _legs(row: Tensor, root: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pelvis [B,3,3], tilted so that both feet find the floor; W of thigh, shank and foot [B,2,3,3]."""
    tables = everyday_tables()
    drawn = _normal(tables.standing[row], generator)  # [B, 2, 4]
    straight = tables.standing[row, :, 0, 0]
    knee = straight + (drawn[..., 0] - straight).abs()  # half a normal distribution
    _, out, forward, heading = drawn.unbind(-1)  # [B, 2]
    drop = (LEG.distance(knee).square() - out.square() - forward.square()).sqrt()  # [B, 2] m from hip to ankle
    width = 2 * float(between("root", "upperleg01")[0])
    roll = torch.rad2deg(torch.asin(((drop[:, 0] - drop[:, 1]) / width).clamp(-1, 1)))
    roll = roll.clamp(-_LARGEST_ROLL, _LARGEST_ROLL) * tables.stands[row]
    root = about("z", roll) @ root
    sided = _sided(root)
    height = _turned(sided, between("root", "upperleg01"))[..., 1]  # [B, 2]
    floor = (height - drop).amax(1, keepdim=True)
    ankle = torch.stack([out, floor - height, forward], -1)  # [B, 2, 3] from the hip
    turn = torch.deg2rad(0.8 * heading)
    ahead = torch.stack([turn.sin(), torch.zeros_like(turn), turn.cos()], -1)
    upper, lower, normal = LEG.reach(ankle, ahead)
    stands = tables.stands[row][:, None, None, None]
    flexion, bent, abduction, azimuth, rotation, plantar = _normal(tables.bent[row], generator).unbind(-1)
    bent = bent + tables.follow[row] * (flexion - tables.bent[row, :, 0, 0])
    joint = about("z", abduction) @ about("y", azimuth) @ about("x", -flexion) @ about("y", rotation)
    thigh = torch.where(stands, bone_frame(upper, -normal), sided @ joint)
    shank = torch.where(stands, bone_frame(lower, -normal), thigh @ about("x", bent.clamp(1, 152)))
    flat = torch.rand(len(row), 2, generator=generator) < tables.is_flat[row]
    toes = torch.where(stands[..., 0, 0], heading, torch.rad2deg(torch.atan2(-shank[..., 2, 0], shank[..., 0, 0])))
    on_floor = stands | flat[..., None, None]
    return root, thigh, shank, torch.where(on_floor, about("y", toes), shank @ about("x", plantar))


def _arms(row: Tensor, root: Tensor, trunk: Tensor, neck: Tensor, thigh: Tensor, generator: Generator) -> list[Tensor]:
    """Clavicle, upper arm, forearm and hand against their parents, each [B,2,3,3]."""
    half = rotvec_to_rotmat(torch.stack([trunk / 2, neck], 1))  # [B, 2, 3, 3]
    loins = root @ half[:, 0]
    chest = loins @ half[:, 0]
    breast = _turned(root, between("root", "spine03")) + _turned(loins, between("spine03", "spine01"))  # [B, 3]
    nape = breast + _turned(chest, between("spine01", "neck01"))
    skull = chest @ half[:, 1]
    crown = nape + _turned(skull, between("neck01", "head"))
    pelvis, thorax, face = (_sided(r) for r in (root, chest, skull))  # [B, 2, 3, 3]
    breast, crown = (torch.stack([p, p * _MIRROR_PLACE], 1) for p in (breast, crown))  # [B, 2, 3]
    collar = breast + _turned(thorax, between("spine01", "clavicle"))
    shoulder = collar + _turned(thorax, between("clavicle", "upperarm01"))

    tables = everyday_tables()
    style = _draw_arms(row, generator)  # [B, 2]
    hip = _turned(pelvis, between("root", "upperleg01"))
    origins = torch.stack([shoulder, shoulder, torch.zeros_like(shoulder), hip, crown], 2)  # [B, 2, 5, 3]
    upright = torch.eye(3).expand_as(pelvis)
    frames = torch.stack([upright, thorax, pelvis, thigh, face], 2)  # [B, 2, 5, 3, 3]
    chosen = torch.arange(2 * len(row)) * len(ANCHORS) + tables.anchor[style].flatten()  # [B * 2]
    frame, origin = frames.flatten(0, 2)[chosen], origins.flatten(0, 2)[chosen]
    place = _normal(tables.place[style], generator).flatten(0, 1)
    target = (origin + _turned(frame, place)).unflatten(0, (-1, 2))  # [B, 2, 3]

    clavicle = _clavicle(_turned(thorax.transpose(-1, -2), target - shoulder), generator)
    collar_frame = thorax @ clavicle
    shoulder = collar + _turned(collar_frame, between("clavicle", "upperarm01"))
    elbow = tables.elbow[style] + 0.15 * torch.randn(len(row), 2, 3, generator=generator)
    upper, lower, normal = ARM.reach(target - shoulder, _turned(thorax, elbow))
    arm, forearm = bone_frame(upper, normal) @ ARM.rest_upper, bone_frame(lower, normal)
    pronation, flexion = _normal(tables.wrist[style], generator).unbind(-1)
    deviation = 8 * torch.randn(len(row), 2, generator=generator).clamp(-2, 2)
    hand = forearm @ about("y", -pronation) @ about("x", -deviation) @ about("z", -flexion)
    elbow_frame = forearm @ ARM.rest_lower
    return [
        clavicle,
        _relative(collar_frame, arm),
        _relative(arm, elbow_frame),
        _relative(elbow_frame, hand @ ARM.rest_lower),
    ]


def _draw_arms(row: Tensor, generator: Generator) -> Tensor:
    """What both arms do [B,2], rows of the tables."""
    tables = everyday_tables()
    arms, pairs = len(tables.anchor), tables.pairs.shape[1]
    drawn = torch.rand(len(row), generator=generator, dtype=torch.float64) * 0.999999 + tables.choice[row]
    cell = torch.searchsorted(tables.pairs.flatten(), drawn, right=True) % pairs
    return torch.stack([cell // arms, cell % arms], -1)


def _clavicle(reach: Tensor, generator: Generator) -> Tensor:
    """The shoulder follows an arm that is raised or reaches forward, [B,2,3,3]; `reach` [B,2,3] in its axes."""
    up, ahead = normalize(reach, dim=-1)[..., 1:].unbind(-1)
    shrug, roll = torch.randn(2, *up.shape, generator=generator).clamp(-2, 2)
    raised = 24 * (up + 0.5).clamp(min=0) / 1.5 + 3 * shrug
    return about("y", -12 * ahead - 4 * roll) @ about("z", raised)
