"""People as files: meshes for other programs (OBJ, PLY, GLB), arrays (NPZ) and records (JSON); motions as rigs."""

from pose2mesh.exporters.archive import load_people, save_people
from pose2mesh.exporters.motion import MOTION_SUFFIXES, load_motion_file, save_motion
from pose2mesh.exporters.person import SUFFIXES, save_person

__all__ = [
    "MOTION_SUFFIXES",
    "SUFFIXES",
    "load_motion_file",
    "load_people",
    "save_motion",
    "save_people",
    "save_person",
]
