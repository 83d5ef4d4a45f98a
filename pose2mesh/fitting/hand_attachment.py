"""Put recovered hands on a recovered body.

The hand's mesh is a part of the body's, so the body keeps its vertices, its faces and its one closed surface: the
vertices of the hand move to where the hand's own network puts them. Size and place come from the body (the length of
its hand's bones, its wrist), the orientation from the hand. So that no step is seen, three things change gradually: the
forearm is turned about its own axis, by nothing at the elbow and by the hand's twist at the wrist, as its two bones do;
what bending of the wrist is left is blended by the skinning weights of the hand, as in linear blend skinning; and from
the wrist to the middle of the palm the body's own surface, turned with the hand, becomes that of the hand.
"""

from dataclasses import dataclass

import numpy as np
import torch

from pose2mesh.body_models import AnnyBody, HandBody, body_vertices
from pose2mesh.geometry.procrustes import fit_similarity
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.skeletons import HAND21

_SIDES = {"left": "L", "right": "R"}
_PALM = 0.9  # share of the wrist's and the palm's bones above which a vertex belongs to the rigid palm


@dataclass(frozen=True)
class Arm:
    """Where a hand belongs on the mesh of a body with V vertices."""

    ids: np.ndarray  # [H] vertices of the body that the hand's mesh has too
    rows: np.ndarray  # [H] the same vertices in the hand's mesh
    palm: np.ndarray  # bool [H]
    new_share: np.ndarray  # [H] of the hand's own surface: 0 at the wrist, 1 from the middle of the palm on
    joints: np.ndarray  # [21, H] regressor of hand21
    hand_share: np.ndarray  # [V] of the skinning weights: 1 on the hand, 0 from the forearm on
    arm_share: np.ndarray  # [V] of forearm and hand together
    elbow: np.ndarray  # [V] regressor of the joint
    wrist: np.ndarray  # [V]


def find_arms(body: AnnyBody, hand: HandBody) -> dict[str, Arm]:
    """The arms of the body by side, where the right hand or its mirror image belong."""
    in_body = body_vertices()  # [V_hand]
    rows = np.flatnonzero(in_body >= 0)
    right = in_body[rows]
    regressor = hand.joint_regressor(HAND21.name)[:, rows]  # [21, H]
    ids = {"left": _mirrored(body, right), "right": right}
    return {side: _arm(body, side, ids[side], rows, regressor) for side in _SIDES}


def _mirrored(body: AnnyBody, ids: np.ndarray) -> np.ndarray:
    """The vertices [H] on the other side of the body, whose template is symmetric."""
    from scipy.spatial import KDTree  # slow to import

    template = body.v_template.numpy(force=True)  # [V, 3]
    return np.asarray(KDTree(template).query(template[ids] * [-1, 1, 1])[1])


def _arm(body: AnnyBody, side: str, ids: np.ndarray, rows: np.ndarray, joints: np.ndarray) -> Arm:
    end = _SIDES[side]
    skin = body.v_template.numpy(force=True)[ids]  # [H, 3]
    wrist, knuckle = (joints[HAND21.index(name)] @ skin for name in ("wrist", "middle1"))  # [3]
    along = (skin - wrist) @ (knuckle - wrist) / np.sum((knuckle - wrist) ** 2)  # [H]
    weights, regressor = body.weights.numpy(force=True), body.J_regressor.numpy(force=True)

    def share(*bones: str) -> np.ndarray:
        chosen = [k for k, name in enumerate(body.bone_names) if name.startswith(bones) and name.endswith(f".{end}")]
        return weights[:, chosen].sum(1)  # [V]

    palm_bones, hand_bones = ("wrist", "metacarpal"), ("wrist", "metacarpal", "finger")
    return Arm(
        ids=ids,
        rows=rows,
        palm=share(*palm_bones)[ids] > _PALM,
        new_share=_smooth_step(2 * along),
        joints=joints,
        hand_share=share(*hand_bones),
        arm_share=share("lowerarm", *hand_bones),
        elbow=regressor[body.bone_names.index(f"lowerarm01.{end}")],
        wrist=regressor[body.bone_names.index(f"wrist.{end}")],
    )


def attach_hand(vertices: np.ndarray, hand: np.ndarray, arm: Arm) -> np.ndarray:
    """The body with this hand.

    Shapes: vertices [V, 3] of the body and hand [V_hand, 3] of a hand of the arm's side, m, both in the orientation in
    which the camera sees them; returns [V, 3].
    """
    vertices, hand = vertices.astype(np.float64), hand.astype(np.float64)[arm.rows]  # [V, 3], [H, 3]
    elbow, wrist = arm.elbow @ vertices, arm.wrist @ vertices  # [3]
    own = vertices[arm.ids]  # [H, 3]
    fit = fit_similarity(torch.from_numpy(hand[arm.palm]), torch.from_numpy(own[arm.palm]))
    turn = fit.rotmat.numpy().T  # [3, 3] from the body's own hand to the new one
    scale = _bone_length(own, arm) / max(_bone_length(hand, arm), 1e-9)
    target = wrist + (vertices - wrist) @ turn.T  # [V, 3] the arm as if it were rigid from the wrist on
    placed = target[arm.ids][arm.palm].mean(0) + scale * (hand - hand[arm.palm].mean(0))  # [H, 3]
    target[arm.ids] += arm.new_share[:, None] * (placed - target[arm.ids])
    share = arm.hand_share[:, None]
    out = (1 - share) * _twist_forearm(vertices, elbow, wrist, turn, arm.arm_share) + share * target
    return out.astype(np.float32)


def _bone_length(hand: np.ndarray, arm: Arm) -> float:
    """Length m of all bones of a hand with vertices [H, 3]: its size, whatever its pose."""
    joints = arm.joints @ hand  # [21, 3]
    ends = np.array(HAND21.bone_indices)  # [20, 2]
    return float(np.linalg.norm(joints[ends[:, 0]] - joints[ends[:, 1]], axis=1).sum())


def _smooth_step(value: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on, smooth between."""
    value = np.clip(value, 0, 1)
    return value**2 * (3 - 2 * value)


def _twist_forearm(
    vertices: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, turn: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Vertices [V, 3] turned about the forearm's axis by a growing part of the twist of the rotation `turn` [3, 3]."""
    length = np.linalg.norm(wrist - elbow)
    axis = (wrist - elbow) / max(length, 1e-9)  # [3]
    along = (vertices - elbow) @ axis / max(length, 1e-9)  # [V]
    angle = share * _smooth_step(along) * twist_about(axis, turn)  # [V]
    turns = rotvec_to_rotmat(torch.from_numpy(angle[:, None] * axis)).numpy()  # [V, 3, 3]
    return wrist + np.einsum("vij,vj->vi", turns, vertices - wrist)


def twist_about(axis: np.ndarray, turn: np.ndarray) -> float:
    """Angle in (-pi, pi] of the rotation about the unit axis [3] that comes nearest to a rotation matrix [3, 3]."""
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return float(2 * np.arctan2(skew @ axis, 1 + np.trace(turn)))
