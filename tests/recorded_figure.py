"""A figure with the joints of CMU's MotionBuilder-friendly release and slow swings of them, to be written as files."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

SIDE = [("Shoulder", "Spine1", (2, 9, 0)), ("Arm", "Shoulder", (8, 0, 0)), ("ForeArm", "Arm", (28, 0, 0))]
SIDE += [("Hand", "ForeArm", (24, 0, 0)), ("UpLeg", "Hips", (9, -5, 0)), ("Leg", "UpLeg", (0, -40, 0))]
SIDE += [("Foot", "Leg", (0, -41, 0))]
CENTER = [("Hips", None, (0, 0, 0)), ("Spine", "Hips", (0, 20, 0)), ("Spine1", "Spine", (0, 15, 0))]
CENTER += [("Neck", "Spine1", (0, 20, 0)), ("Head", "Neck", (0, 9, 1))]
SKELETON = list(CENTER)  # name, parent, offset, parents first; names as in CMU's MotionBuilder-friendly release
for _prefix, _sign in (("Left", 1), ("Right", -1)):
    for _name, _parent, (_x, _y, _z) in SIDE:
        _owner = _parent if _parent in ("Hips", "Spine1") else _prefix + _parent
        SKELETON.append((_prefix + _name, _owner, (_sign * _x, _y, _z)))
NAMES = [name for name, _, _ in SKELETON]


def write_bvh(path: Path, angles: np.ndarray, *, skeleton=SKELETON, rename=None, fps=120.0, order="ZXY") -> Path:
    """Angles [N, S, 3] in degrees in the order of the skeleton, as intrinsic rotations in `order`."""
    rename = rename or {}
    visited: list[int] = []

    def block(joint: int, indent: str) -> str:
        visited.append(joint)
        name, parent, offset = skeleton[joint]
        channels = " ".join(f"{axis}rotation" for axis in order)
        positions = "" if parent else "Xposition Yposition Zposition "
        children = [i for i, (_, owner, _) in enumerate(skeleton) if owner == name]
        inside = "".join(block(i, indent + " ") for i in children) or f"{indent}End Site\n{{\nOFFSET 0 1 0\n}}\n"
        head = f"{indent}{'JOINT' if parent else 'ROOT'} {rename.get(name, name)}\n{{\n"
        head += f"OFFSET {offset[0]:.9f} {offset[1]:.9f} {offset[2]:.9f}\n"
        return f"{head}CHANNELS {3 if parent else 6} {positions}{channels}\n{inside}}}\n"

    text = "HIERARCHY\n" + block(0, "")
    rows = angles[:, visited].reshape(len(angles), -1)  # the file lists channels as it lists joints
    lines = ["0 90 0 " + " ".join(f"{value:.9f}" for value in row) for row in rows]
    path.write_text(f"{text}MOTION\nFrames: {len(rows)}\nFrame Time: {1 / fps:.9f}\n" + "\n".join(lines) + "\n")
    return path


def smooth_angles(count: int = 60, seed: int = 0) -> np.ndarray:
    """Slow swings [N, S, 3] of up to 30 degrees per joint about each axis."""
    generator = np.random.default_rng(seed)
    amplitude, phase = generator.uniform(-15, 15, (2, len(SKELETON), 3))
    return amplitude * (1 + np.sin(np.arange(count)[:, None, None] / 40 + phase))


def world_rotations(angles: np.ndarray, order: str = "ZXY") -> dict[str, Rotation]:
    world: dict[str, Rotation] = {}
    for joint, (name, parent, _) in enumerate(SKELETON):
        local = Rotation.from_euler(order, angles[:, joint], degrees=True)
        world[name] = world[parent] * local if parent else local
    return world
