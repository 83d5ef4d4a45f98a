"""What every protocol compares, under the original's convention and under today's where the two differ."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from pose2mesh.datasets.sample import Sample
from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import joint_set

# 14 of Human3.6M's 17, those that LSP has as well (Kanazawa et al. 2018)
_LSP14 = tuple(joint for joint in joint_set("human36m17").joints if joint not in ("pelvis", "torso", "nose"))
_FRONTAL = 4  # number of Human3.6M's camera in front of the stage
_CAMERA = re.compile(r"_ca_0*(\d+)")


@dataclass(frozen=True)
class Rules:
    """One protocol under one convention."""

    dataset: str  # a reader's name
    body: str  # whose vertices a network has to predict, and whose regressors are used
    joint_set: str  # joints come off the mesh in this set; its root is the root of the joints
    evaluated: tuple[str, ...]  # those that count
    truth: Literal["mesh", "measured"] = "mesh"  # true joints: off the true mesh, or the dataset's own
    # Root of the mesh: the pelvis of the body model's own joints, or the root of the evaluated joints.
    mesh_root: Literal["skeleton", "joints"] = "skeleton"
    frontal_only: bool = False
    fingertips: tuple[tuple[str, int], ...] = ()  # vertices that stand for them, where not the package's
    accelerates: bool = False  # the people are sequences, so acceleration can be compared
    accelerates_by: Literal["video", "frame"] = "video"  # mean over videos of their means, or over frames in a row
    server_mm: bool = False  # predictions for the server are millimetres, not metres
    people: int | None = None  # of the whole test set, where it is published

    def wants(self, sample: Sample) -> bool:
        """Whether the protocol counts this person. Raises FormatError where its camera cannot be told."""
        if not self.frontal_only:
            return True
        found = _CAMERA.search(sample.image)
        if not found:
            raise FormatError(f"human36m: file_name {sample.image!r} names no camera (..._ca_04...); restore the name")
        return int(found.group(1)) == _FRONTAL


_HUMAN36M = Rules("human36m", "smpl-neutral", "human36m17", _LSP14, truth="measured")
_PW3D = Rules("pw3d", "smpl-neutral", "human36m17", _LSP14, accelerates=True, people=35515)
_SURREAL = Rules("surreal", "smpl-neutral", "smpl24", joint_set("smpl24").joints)
# The release's regressor takes the tip of the middle finger from the left hand's vertex, FreiHAND's own code others.
_FREIHAND = Rules(
    "freihand", "mano-right", "hand21", joint_set("hand21").joints, truth="measured",
    fingertips=(("middle4", 445),), server_mm=True, people=3960,
)  # fmt: skip
_FREIHAND_TIPS = (("thumb4", 744), ("index4", 320), ("middle4", 443), ("ring4", 555), ("pinky4", 672))

RULES: dict[str, dict[str, Rules]] = {
    "human36m": {"original": _HUMAN36M, "current": replace(_HUMAN36M, frontal_only=True)},
    "3dpw": {"original": _PW3D, "current": replace(_PW3D, mesh_root="joints", accelerates_by="frame")},
    "surreal": {"original": _SURREAL, "current": _SURREAL},
    "freihand": {"original": _FREIHAND, "current": replace(_FREIHAND, fingertips=_FREIHAND_TIPS, server_mm=False)},
}


def rules_of(protocol: str, convention: str) -> Rules:
    """The rules of a protocol. Raises InputError."""
    if protocol not in RULES or convention not in RULES[protocol]:
        raise InputError(
            f"no protocol {protocol!r} with convention {convention!r}; there are {', '.join(RULES)} (original, current)"
        )
    return RULES[protocol][convention]
