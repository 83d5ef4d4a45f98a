"""Take out of recordings what bends a performer's knees all the time: an error of the fitted skeleton, no posture.

Joint centers of optical recordings are fitted per performer, and where they sit too far back a straight leg reads as
bent by 10 or 20 degrees. What even the straightest frames keep is such an offset: see
docs/decisions/0061-constant-knee-bend.md.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh.datasets.motion_pack import BONES

STRAIGHT = -8.0  # degrees about x between Anny's thigh and shank where the leg is straight: the rest pose bends it
_STRAIGHTEST = 2.0  # percent of the frames
_NATURAL = 3.0  # degrees of flexion that a performer's straightest leg still has
_LARGEST, _LARGEST_OF_FEW, _FEW = 25.0, 12.0, 1500  # degrees; the second where there are fewer frames than the third
_FADES = (50.0, 110.0)  # degrees of flexion from which on less, and none, is taken out


def straighten_knees(
    rotvec: np.ndarray, performers: Sequence[str]
) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """Poses without the constant bend of each performer's legs, half of it taken at the hip, half at the ankle.

    Shapes: rotvec [N, 19, 3] world rotations in Anny's axes, `performers` N names; returns the like of rotvec, and
    the degrees taken out of each performer's left and right leg.
    """
    straight, names = rotvec.astype(np.float64), np.asarray(performers)
    offset = {str(name): [0.0, 0.0] for name in dict.fromkeys(names.tolist())}
    for index, side in enumerate("LR"):
        upper, lower = BONES.index(f"upperleg01.{side}"), BONES.index(f"lowerleg01.{side}")
        thigh, shank = Rotation.from_rotvec(straight[:, upper]), Rotation.from_rotvec(straight[:, lower])
        flexion = np.degrees((thigh.inv() * shank).as_rotvec()[:, 0]) - STRAIGHT  # [N]
        excess = np.zeros(len(names))
        for name in offset:
            frames = names == name
            largest = _LARGEST if frames.sum() >= _FEW else _LARGEST_OF_FEW
            offset[name][index] = float(np.clip(np.percentile(flexion[frames], _STRAIGHTEST) - _NATURAL, 0.0, largest))
            excess[frames] = offset[name][index]
        kept = np.clip((flexion - _FADES[0]) / (_FADES[1] - _FADES[0]), 0.0, 1.0)
        half = Rotation.from_rotvec(np.radians(excess * (1 - kept) / 2)[:, None] * [1.0, 0.0, 0.0])
        straight[:, upper], straight[:, lower] = (thigh * half).as_rotvec(), (shank * half.inv()).as_rotvec()
    return straight.astype(rotvec.dtype), {name: (left, right) for name, (left, right) in offset.items()}
