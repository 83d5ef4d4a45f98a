"""Recordings in BVH files."""

import warnings
from pathlib import Path

import numpy as np

from pose2mesh.datasets.recorded_skeleton import Skeleton
from pose2mesh.datasets.recording import Recording, check_numbers
from pose2mesh.errors import FormatError, MissingFileError, optional_import


def read_bvh(path: Path) -> list[Recording]:
    """The one recording of a file.

    Raises MissingFileError; FormatError for a malformed file; MissingDependencyError without pybvh.
    """
    with optional_import("reading BVH needs pybvh: pip install 'pose2mesh[bvh]'"):
        import pybvh
    if not path.is_file():
        raise MissingFileError(f"{path} not found; give a .bvh file or a folder of them")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of an empty table; the error below says it better
            bvh = pybvh.read_bvh_file(path, world_up="+y")  # not used: our vertical is the body's
    except (ValueError, IndexError, OSError) as error:
        remedy = "download it again, or export it with three rotations per joint and positions at the root only"
        raise FormatError(f"{path}: not a readable BVH file ({error}); {remedy}") from error
    joints = [node for node in bvh.nodes if not node.is_end_site()]
    row = {id(node): index for index, node in enumerate(joints)}
    parents = tuple(-1 if node.parent is None else row[id(node.parent)] for node in joints)
    skeleton = Skeleton(tuple(node.name for node in joints), parents, np.array([node.offset for node in joints]))
    local = bvh.to_rotmat()[1]  # [N, S, 3, 3]
    check_numbers(local, skeleton, float(bvh.fps))
    return [Recording(path.stem, skeleton, local, float(bvh.fps))]
