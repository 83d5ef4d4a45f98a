"""Read 2D keypoints in the formats that detectors write."""

from pathlib import Path

from pose2mesh.detectors.readers.arrays import read_arrays
from pose2mesh.detectors.readers.coco import (
    is_coco_annotations,
    is_coco_results,
    read_coco_annotations,
    read_coco_results,
)
from pose2mesh.detectors.readers.frame import Frame, number_array, to_keypoints
from pose2mesh.detectors.readers.hands import with_handedness
from pose2mesh.detectors.readers.json_file import load_json
from pose2mesh.detectors.readers.mmpose import is_mmpose, read_mmpose
from pose2mesh.detectors.readers.openpose import is_openpose, read_openpose
from pose2mesh.errors import FormatError, InputError

__all__ = ["KEYPOINT_SUFFIXES", "Frame", "number_array", "read_keypoints", "to_keypoints", "with_handedness"]

KEYPOINT_SUFFIXES = (".json", ".npy", ".npz")

_JSON_DIALECTS = (
    (is_openpose, read_openpose),
    (is_mmpose, read_mmpose),
    (is_coco_annotations, read_coco_annotations),
    (is_coco_results, read_coco_results),
)


def read_keypoints(path: str | Path, joint_set: str | None = None) -> list[Frame]:
    """Read every frame of a keypoint file; the dialect is told by its keys, the joint set by the joint count.

    JSON of COCO (results or annotations), AlphaPose/Halpe, OpenPose and MMPose; NPY/NPZ of [J, 2|3], [P, J, 2|3] or
    [T, P, J, 3]. `joint_set` overrules the guess, which is coco17 for 17 joints (human36m17 has as many); hand21 and
    body_hands59 take the hands out of OpenPose and whole-body files. A frame without people has P = 0. Raises
    InputError or FormatError naming file, person and joint.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() in (".npy", ".npz"):
        return read_arrays(path, joint_set)
    if path.suffix.lower() != ".json":
        raise InputError(f"{path}: not a keypoint file; expected {', '.join(KEYPOINT_SUFFIXES)}")
    content = load_json(path)
    for matches, read in _JSON_DIALECTS:
        if matches(content):
            return read(content, path, joint_set)
    raise FormatError(
        f"{path}: no keypoint format recognized; expected COCO ('image_id', 'keypoints' or 'annotations'), "
        "AlphaPose ('image_id'), OpenPose ('people') or MMPose ('instances', 'keypoint_scores')"
    )
