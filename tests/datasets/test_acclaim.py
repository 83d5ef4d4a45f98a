"""ASF and AMC files written here: the same motion as a BVH file of it, whatever axes the skeleton gives its bones."""

from pathlib import Path

import numpy as np
import pytest
from recorded_figure import SKELETON, smooth_angles, world_rotations, write_bvh
from scipy.spatial.transform import Rotation

from pose2mesh.datasets.motion_pack import BONES, MotionClip
from pose2mesh.datasets.recordings import read_clips
from pose2mesh.errors import FormatError, MissingFileError

pytest.importorskip("pybvh", reason="pybvh is not installed; pip install 'pose2mesh[bvh]'")

BONE_OF = {"Hips": "root", "Spine": "upperback", "Spine1": "thorax", "Neck": "lowerneck", "Head": "head"}
BONE_OF |= {f"{s}{joint}": f"{s[0].lower()}{bone}" for s in ("Left", "Right") for joint, bone in
            (("Shoulder", "clavicle"), ("Arm", "humerus"), ("ForeArm", "radius"), ("Hand", "wrist"),
             ("UpLeg", "femur"), ("Leg", "tibia"), ("Foot", "foot"))}  # fmt: skip
SPREAD = 20.0  # degrees that legs stand apart at zero angles, as CMU's do
LEGS = ("UpLeg", "Leg", "Foot")


def zero_pose(joint: str) -> Rotation:
    """Of the bone at zero angles of the ASF file, against the BVH file's zero pose with hanging legs."""
    sign = 1 if joint.startswith("Left") else -1
    return Rotation.from_euler("z", sign * SPREAD if joint.endswith(LEGS) else 0.0, degrees=True)


def write_acclaim(folder: Path, name: str, angles: np.ndarray, *, seed: int = 0) -> Path:
    """The motion of `write_bvh` as NN.asf and NN_NN.amc with random axes of the bones."""
    generator = np.random.default_rng(seed)
    world = world_rotations(angles)
    offsets = {joint: np.array(offset, float) for joint, _, offset in SKELETON}
    owner = {joint: parent for joint, parent, _ in SKELETON}
    bones, links, rows = [], {}, [[f"{n}"] for n in range(1, len(angles) + 1)]
    for joint, parent, _ in SKELETON:
        children = [c for c, p in owner.items() if p == joint]
        axes = generator.uniform(-90, 90, 3)
        frame = Rotation.from_euler("xyz", axes, degrees=True)
        if parent is None:
            frame = Rotation.identity()
        local = (world[parent] * zero_pose(parent).inv()).inv() if parent else Rotation.identity()
        turn = frame.inv() * (local * world[joint] * zero_pose(joint).inv()) * frame
        numbers = turn.as_euler("xyz", degrees=True)  # about fixed axes
        for row, number in zip(rows, numbers, strict=True):
            place = "0 0 0 " if parent is None else ""
            row.append(f"{BONE_OF[joint]} {place}{' '.join(f'{n:.9f}' for n in number)}")
        end = zero_pose(joint).apply(offsets[children[0]]) if len(children) == 1 else np.zeros(3)
        if parent is not None:
            bones.append(bone_text(BONE_OF[joint], end, axes, "dof rx ry rz"))
            links.setdefault(BONE_OF[parent], []).append(BONE_OF[joint])
        for child in children if len(children) > 1 else ():  # what branches off begins at the end of a stiff bone
            stiff = f"{BONE_OF[child]}stiff"
            bones.append(bone_text(stiff, offsets[child], np.zeros(3), ""))
    text = [
        ":version 1.10",
        ":units",
        "  mass 1.0",
        "  length 0.45",
        "  angle deg",
        ":root",
        "  order TX TY TZ RX RY RZ",
    ]
    text += ["  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata", *bones, ":hierarchy", "  begin"]
    for parent, below in links.items():
        branches = len(below) > 1
        text.append(f"    {parent} " + " ".join(f"{child}stiff" if branches else child for child in below))
        text += [f"    {child}stiff {child}" for child in below if branches]
    (folder / f"{name.split('_')[0]}.asf").write_text("\n".join([*text, "  end", ""]))
    frames = "\n".join("\n".join(row) for row in rows)
    path = folder / f"{name}.amc"
    path.write_text(f"#!OML:ASF\n:FULLY-SPECIFIED\n:DEGREES\n{frames}\n")
    return path


def bone_text(name: str, end: np.ndarray, axes: np.ndarray, dof: str) -> str:
    length = np.linalg.norm(end)
    direction = end / length if length else np.array([0.0, 0.0, 1.0])
    values = [f"  begin\n    id 1\n    name {name}", f"    direction {' '.join(f'{v:.9f}' for v in direction)}"]
    values += [f"    length {length:.9f}", f"    axis {' '.join(f'{v:.9f}' for v in axes)} XYZ"]
    return "\n".join(
        [*values, *([f"    {dof}", "    limits (-160 20)", "      (-70 70)", "      (-60 70)"] if dof else []), "  end"]
    )


def read_one(path: Path) -> MotionClip:
    (clip,) = read_clips(path)
    return clip


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_motion_as_in_bvh(tmp_path: Path, seed: int) -> None:
    """Random axes of the bones, legs 20 degrees apart at zero angles; neck and head hold CMU's zero pose otherwise."""
    angles = smooth_angles(seed=seed)
    expected = read_one(write_bvh(tmp_path / "a.bvh", angles))
    found = read_one(write_acclaim(tmp_path, "07_12", angles, seed=seed))
    assert found.name == "07_12"
    np.testing.assert_array_equal(found.frame_120, expected.frame_120 + 1)  # AMC counts frames from one
    for bone, name in enumerate(BONES):
        turn = Rotation.from_rotvec(expected.rotvec[:, bone]).inv() * Rotation.from_rotvec(found.rotvec[:, bone])
        nod = {"neck01": 16.0, "head": -16.0}.get(name, 0.0)
        np.testing.assert_allclose(np.degrees(turn.as_rotvec()), np.tile([nod, 0, 0], (len(turn), 1)), atol=0.01)


@pytest.mark.parametrize(
    ("skeleton_in", "header"), [("rad", ":RADIANS"), ("rad", ""), ("deg", ":RADIANS"), ("deg", ":radians")]
)
def test_radians(tmp_path: Path, skeleton_in: str, header: str) -> None:
    """Of the angles in the header's unit, or the skeleton's where there is none."""
    angles = smooth_angles()
    path = write_acclaim(tmp_path, "07_12", angles)
    expected = read_one(path)
    skeleton = tmp_path / "07.asf"

    def converted(line: str) -> str:
        words = line.split()
        keep = 4 if words and words[0] == "root" else 1
        if len(words) < 2 or (words[0] not in BONE_OF.values() and words[0] != "axis") or "XYZ" in words[:2]:
            return line
        return " ".join([w if i < keep or w == "XYZ" else f"{np.radians(float(w)):.12f}" for i, w in enumerate(words)])

    if skeleton_in == "rad":
        text = skeleton.read_text().replace("angle deg", "angle rad")
        before, bones, after = text.partition(":bonedata")[0], *text.partition(":bonedata")[1:]
        bones, hierarchy = (bones + after).split(":hierarchy")
        skeleton.write_text(before + "\n".join(map(converted, bones.splitlines())) + "\n:hierarchy" + hierarchy)
    frames = path.read_text().replace(":DEGREES", header)
    path.write_text("\n".join(map(converted, frames.splitlines())))
    np.testing.assert_allclose(read_one(path).rotvec, expected.rotvec, atol=1e-5)


def test_a_skeleton_is_needed_beside_the_motion(tmp_path: Path) -> None:
    path = write_acclaim(tmp_path, "07_12", smooth_angles(20))
    (tmp_path / "07.asf").rename(tmp_path / "08.asf")
    assert len(read_one(path).rotvec) == 4  # the only one is taken
    (tmp_path / "09.asf").write_text("")
    with pytest.raises(MissingFileError, match=r"put 07\.asf into the same folder"):
        read_one(path)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("07_12.amc", lambda text: text[:-60]),
        ("07_12.amc", lambda text: ""),
        ("07_12.amc", lambda text: text.replace("lfemur", "wing")),
        ("07_12.amc", lambda text: text.replace("lfemur ", "lfemur nan", 1)),
        ("07.asf", lambda text: text.replace("direction", "somewhere")),
        ("07.asf", lambda text: text[: text.index(":hierarchy")]),
        ("07.asf", lambda text: text.replace("XYZ", "ABC")),
        ("07.asf", lambda text: ""),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, file: str, damage) -> None:
    path = write_acclaim(tmp_path, "07_12", smooth_angles(20))
    (tmp_path / file).write_text(damage((tmp_path / file).read_text()))
    with pytest.raises(FormatError, match=r"07_12\.amc"):
        read_one(path)
