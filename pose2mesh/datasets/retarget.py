"""From the world rotations of a recorded skeleton to the 19 bones of a motion pack.

A limb of the recording and of Anny point differently in their reference poses (T-pose and A-pose). With W the
recorded world rotation against the T-pose and A the smallest rotation from Anny's rest direction to that of
the T-pose, D = W A poses Anny's limb along the recorded one. Trunk, clavicles, head and feet keep Anny's own
rest orientation (A = identity). Everything here is in Anny's axes: x left, y backward, z up.
"""

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.datasets.motion_pack import BONES, PARENTS

# Left limbs of Anny's rest pose (anny 0.6.2, age 0.67, other phenotypes 0.5), from bone head to bone head:
# upperarm01 - lowerarm01 - wrist - finger3-1 and upperleg01 - lowerleg01 - foot. The right side mirrors x.
REST_DIRECTIONS = {
    "upperarm01": (0.6636, -0.0251, -0.7477),
    "lowerarm01": (0.5119, -0.6823, -0.5220),
    "wrist": (0.4191, -0.7531, -0.5071),
    "upperleg01": (0.0837, -0.0776, -0.9935),
    "lowerleg01": (0.0954, 0.0664, -0.9932),
}

_JUMP = 15.0  # degrees between two frames at 120 Hz: a tracking flip
_JUMP_MARGIN = 12  # frames at 120 Hz dropped on each side of a jump
_LEAD_IN = 6  # frames at 120 Hz dropped at the start: many recordings open with a T-pose
_STRIDE = 4  # 120 Hz to 30 Hz
_LIMIT_MARGIN = 3  # frames at 30 Hz dropped on each side of an impossible pose
_LIMITS = {  # degrees of the rotation relative to the parent bone, counted from Anny's rest pose
    **{"spine03": 85, "spine01": 60, "neck01": 70, "head": 85, "clavicle": 180},
    **{"upperarm01": 170, "lowerarm01": 158, "wrist": 115, "upperleg01": 150, "lowerleg01": 158, "foot": 85},
}


def retarget(world: np.ndarray, directions: dict[str, np.ndarray]) -> np.ndarray:
    """World rotations of Anny's bones from those of the recording.

    Shapes: world [N, 19, 3, 3], against the T-pose, in the order of BONES; `directions` maps each limb bone
    to its unit direction [3] in that T-pose; returns [N, 19, 3, 3].
    """
    aligned = np.array(world)  # [N, 19, 3, 3]
    for name, direction in directions.items():
        bone = BONES.index(name)
        aligned[:, bone] = world[:, bone] @ smallest_rotation(rest_direction(name), direction)
    return aligned


def rest_direction(name: str) -> np.ndarray:
    """Direction [3] of a limb bone, such as `wrist.R`, in Anny's rest pose."""
    stem, side = name.split(".")
    return np.array(REST_DIRECTIONS[stem]) * (1.0 if side == "L" else -1.0, 1.0, 1.0)


def smallest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] about the common normal that turns direction `start` [3] to `end` [3]."""
    normal = np.cross(start, end)  # [3]
    length = np.linalg.norm(normal)
    if length == 0.0:
        return np.eye(3)
    return Rotation.from_rotvec(normal / length * np.arctan2(length, start @ end)).as_matrix()


def resample_to_120(rotations: np.ndarray, fps: float) -> np.ndarray:
    """Rotations [N, J, 3, 3] at `fps` interpolated along the sphere to 120 Hz, [M, J, 3, 3]."""
    count, joints = rotations.shape[:2]
    if count < 2 or abs(fps / 120.0 - 1.0) < 1e-3:  # files round the frame time to 0.00833
        return rotations
    recorded = np.arange(count) / fps  # [N] seconds
    wanted = np.arange(int(recorded[-1] * 120.0 + 1e-6) + 1) / 120.0  # [M]
    wanted[-1] = min(wanted[-1], recorded[-1])
    tracks = [Slerp(recorded, Rotation.from_matrix(rotations[:, j]))(wanted).as_matrix() for j in range(joints)]
    return np.stack(tracks, axis=1)


def frames_without_jumps(world: np.ndarray) -> np.ndarray:
    """Frame numbers [M] at 30 Hz of a 120 Hz recording [N, J, 3, 3]: no lead-in, no tracking flips."""
    steps = _angle(world[_LEAD_IN:-1], world[_LEAD_IN + 1 :]).max(axis=1, initial=0.0)  # [N - 7] degrees
    keep = np.arange(len(world)) >= _LEAD_IN  # [N]
    for jump in np.flatnonzero(steps > _JUMP) + _LEAD_IN + 1:  # the frame after the jump
        keep[max(jump - _JUMP_MARGIN, 0) : jump + _JUMP_MARGIN + 1] = False
    frames = np.arange(_LEAD_IN, len(world), _STRIDE)  # [N / 4]
    return frames[keep[frames]]


def possible_poses(rotations: np.ndarray) -> np.ndarray:
    """Mask [N] of poses [N, 19, 3, 3] at 30 Hz within all joint limits, less neighbors of those beyond."""
    children = np.arange(1, len(BONES))
    limits = np.array([_LIMITS[name.split(".")[0]] for name in BONES[1:]])  # [18] degrees
    bent = _angle(rotations[:, np.array(PARENTS)[children]], rotations[:, children])  # [N, 18] degrees
    keep = np.ones(len(rotations), bool)
    for frame in np.flatnonzero((bent > limits).any(axis=1)):
        keep[max(frame - _LIMIT_MARGIN, 0) : frame + _LIMIT_MARGIN + 1] = False
    return keep


def _angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle [...] in degrees between rotations [..., 3, 3]."""
    cosine = (np.einsum("...ij,...ij->...", first, second) - 1.0) / 2.0
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
