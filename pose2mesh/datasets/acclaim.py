"""Recordings in Acclaim's ASF (skeleton) and AMC (motion) files, the formats in which CMU offers its database.

A bone's rotation against its parent is C M C^-1: M the angles of the frame, C the bone's own axes (Lander 1998,
"Working with Motion Capture File Formats", Game Developer). Angles are applied about fixed axes in the order written.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh.datasets.recorded_skeleton import Skeleton
from pose2mesh.datasets.recording import Recording, check_numbers
from pose2mesh.datasets.retarget import smallest_rotation
from pose2mesh.errors import FormatError, MissingFileError

_UNITS = {":DEGREES": "deg", ":RADIANS": "rad"}  # headers of AMC
CMU_FPS = 120.0  # the files do not say; CMU's are 120 Hz
# CMU's zero pose holds the neck upright; Anny's, like that of the BVH releases, leans forward with the head level on
# it. Measured on takes of three performers that exist as AMC and as BVH: 15.6 to 16.7 degrees.
_NECK_DEGREES = {"lowerneck": -16.0, "head": 16.0}
_NAMES = {  # CMU's bones under the names of its BVH releases; a bone turns about the joint where it begins
    **{"root": "Hips", "lowerback": "LowerBack", "upperback": "Spine", "thorax": "Spine1", "lowerneck": "Neck"},
    **{"upperneck": "Neck1", "head": "Head"},
    **{f"{s[0].lower()}{bone}": s + joint for s in ("Left", "Right") for bone, joint in (
        ("femur", "UpLeg"), ("tibia", "Leg"), ("foot", "Foot"), ("toes", "ToeBase"), ("clavicle", "Shoulder"),
        ("humerus", "Arm"), ("radius", "ForeArm"), ("wrist", "Hand"), ("hand", "FingerBase"),
    )},
}  # fmt: skip


@dataclass(frozen=True)
class _Bone:
    axes: Rotation  # C
    freedoms: str  # such as "xyz", the axes of the angles in a frame
    places: tuple[int, ...]  # where those angles are among the bone's numbers
    end: np.ndarray  # [3] from where it begins to where it ends, at zero angles


def read_amc(path: Path) -> list[Recording]:
    """The recording of an .amc file; its skeleton is the .asf file beside it: `07.asf` of `07_12.amc`, or the only one.

    Raises MissingFileError without a skeleton; FormatError for malformed files.
    """
    skeleton_file = _skeleton_of(path)
    try:
        bones, parents, unit = _parse_skeleton(skeleton_file.read_text(encoding="latin-1"))
    except (ValueError, KeyError, IndexError) as error:
        raise FormatError(f"{skeleton_file.name} is not a readable ASF file ({error!r}); download it again") from error
    try:
        frames, unit = _parse_frames(path.read_text(encoding="latin-1"), bones, unit)
    except (ValueError, KeyError, IndexError) as error:
        message = f"does not fit {skeleton_file.name} or is not a readable AMC file ({error!r}); download both again"
        raise FormatError(message) from error
    local = np.stack([_rotations(bones[name], frames[name], unit) for name in bones], 1)  # [N, S, 3, 3]
    ends = np.array([bone.end for bone in bones.values()])  # [S, 3]
    offsets = np.array([ends[p] if p >= 0 else np.zeros(3) for p in parents])  # a bone begins where its parent ends
    skeleton, local = _hanging_legs(tuple(bones), tuple(parents), offsets, local)
    check_numbers(local, skeleton, CMU_FPS)
    rest = Rotation.from_rotvec([(np.radians(_NECK_DEGREES.get(name, 0.0)), 0, 0) for name in bones]).as_matrix()
    return [Recording(path.stem, skeleton, local, CMU_FPS, rest, first_frame=1)]


def _skeleton_of(path: Path) -> Path:
    found = sorted(p for p in path.parent.iterdir() if p.suffix.lower() == ".asf")
    named = [p for p in found if p.stem.lower() == path.stem.split("_")[0].lower()]
    if not named and len(found) != 1:
        raise MissingFileError(f"{path}: no skeleton beside it; put {path.stem.split('_')[0]}.asf into the same folder")
    return (named or found)[0]


def _parse_skeleton(text: str) -> tuple[dict[str, _Bone], list[int], str]:
    """Bones by name, the root first and parents before children; the row of each one's parent; deg or rad."""
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    section, unit = "", "deg"
    fields: dict[str, list[str]] = {}
    bones: dict[str, _Bone] = {}
    root: dict[str, list[str]] = {}
    children: list[list[str]] = []
    for words in filter(None, lines):
        if words[0].startswith(":"):
            section = words[0]
        elif section == ":units" and words[0] == "angle":
            unit = words[1][:3]
        elif section == ":root":
            root[words[0].lower()] = words[1:]
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            children.append(words)
        elif section == ":bonedata":
            if words[0] == "end":
                bones[fields["name"][0]] = _bone(fields, unit)
                fields = {}
            elif words[0] != "begin":
                fields[words[0]] = words[1:]
    order = [word.lower() for word in root.get("order", ["tx", "ty", "tz", "rx", "ry", "rz"])]
    orientation = [*root.get("orientation", ["0"] * 3), *root.get("axis", ["xyz"])]
    fields = {"axis": orientation, "dof": order, "direction": ["0"] * 3, "length": ["0"]}
    bones = {"root": _bone(fields, unit), **bones}
    parents = {child: parent for parent, *below in children for child in below}
    ordered = ["root"]
    for name in ordered:
        ordered += [child for child, parent in parents.items() if parent == name]
    rows = {name: row for row, name in enumerate(ordered)}
    return {name: bones[name] for name in ordered}, [rows.get(parents.get(n, ""), -1) for n in ordered], unit


def _bone(fields: dict[str, list[str]], unit: str) -> _Bone:
    *angles, order = fields["axis"]
    axes = Rotation.from_euler(order.lower(), [float(a) for a in angles], degrees=unit == "deg")
    freedoms = [(place, dof[1].lower()) for place, dof in enumerate(fields.get("dof", [])) if dof[0].lower() == "r"]
    end = float(fields["length"][0]) * np.array([float(d) for d in fields["direction"][:3]])
    return _Bone(axes, "".join(axis for _, axis in freedoms), tuple(place for place, _ in freedoms), end)


def _parse_frames(text: str, bones: dict[str, _Bone], unit: str) -> tuple[dict[str, np.ndarray], str]:
    """Numbers [N, D] of each bone, D = 0 of those without any, and the angles' unit: their own, else the skeleton's."""
    rows: dict[str, list[list[float]]] = {name: [] for name in bones}
    count = 0
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            unit = _UNITS.get(words[0].upper(), unit)
        elif len(words) == 1 and words[0].isdigit():
            count += 1
        else:
            rows[words[0]].append([float(word) for word in words[1:]])
    if not count:
        raise ValueError("no frames")
    short = [name for name, bone in bones.items() if bone.freedoms and len(rows[name]) != count]
    if short:
        raise ValueError(f"{count} frames, but not of {', '.join(short)}")
    return {name: np.array(row) if row else np.zeros((count, 0)) for name, row in rows.items()}, unit


def _rotations(bone: _Bone, numbers: np.ndarray, unit: str) -> np.ndarray:
    """Rotations [N, 3, 3] against the parent from the bone's numbers [N, D]."""
    if not bone.freedoms:
        return np.broadcast_to(np.eye(3), (len(numbers), 3, 3)).copy()
    angles = numbers[:, bone.places]  # [N, F]
    turned = Rotation.from_euler(bone.freedoms, angles, degrees=unit == "deg")
    return (bone.axes * turned * bone.axes.inv()).as_matrix()


def _hanging_legs(
    names: tuple[str, ...], parents: tuple[int, ...], offsets: np.ndarray, local: np.ndarray
) -> tuple[Skeleton, np.ndarray]:
    """The same motion counted from a pose whose legs hang down: at CMU's zero angles they stand 20 degrees apart.

    Feet keep their angle to the shank, so that they are level where people stand.
    """
    offsets, local, turn = offsets.copy(), local.copy(), {}
    rows = {name: row for row, name in enumerate(names)}
    for side in "lr":
        leg = [rows[f"{side}{bone}"] for bone in ("femur", "tibia", "foot") if f"{side}{bone}" in rows]
        if len(leg) == 3:
            along = offsets[leg[1]] + offsets[leg[2]]  # [3] from hip to ankle
            turn[leg[0]] = smallest_rotation(along / np.linalg.norm(along), np.array([0.0, -1.0, 0.0]))
    for row, parent in enumerate(parents):  # what hangs on a turned bone turns with it
        above = turn.get(parent)
        if above is not None:
            offsets[row], local[:, row] = above @ offsets[row], above @ local[:, row] @ above.T
            turn[row] = above
        elif row in turn:
            local[:, row] = local[:, row] @ turn[row].T
    return Skeleton(tuple(_NAMES.get(name, name) for name in names), parents, offsets), local
