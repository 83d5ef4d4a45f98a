"""People as files: meshes for other programs (OBJ, PLY, GLB), arrays (NPZ) and records (JSON)."""

from pose2mesh.exporters.archive import load_people, save_people
from pose2mesh.exporters.person import SUFFIXES, save_person

__all__ = ["SUFFIXES", "load_people", "save_people", "save_person"]
