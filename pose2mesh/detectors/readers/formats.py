"""The formats of keypoint files. A new one is a module with `matches` and `read`, and one line here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pose2mesh.detectors.readers import alphapose, arrays, coco, easymocap, mmpose, openpose, points, yolo_labels
from pose2mesh.detectors.readers.frame import Picture


class JsonFormat(NamedTuple):
    """A layout of JSON."""

    name: str
    matches: Callable[[Any], bool]
    read: Callable[[Any, Path], list[Picture]]


# The first that matches reads a file.
JSON_FORMATS = [
    JsonFormat("OpenPose, ControlNet", openpose.is_openpose, openpose.read_openpose),
    JsonFormat("EasyMocap", easymocap.is_easymocap, easymocap.read_easymocap),
    JsonFormat("MediaPipe", points.is_landmarks, points.read_landmarks),
    JsonFormat("COCO", coco.is_annotations, coco.read_annotations),
    JsonFormat("COCO results, AlphaPose", coco.is_results, coco.read_results),
    JsonFormat("MMPose", mmpose.is_mmpose, mmpose.read_mmpose),
    JsonFormat("Ultralytics", points.is_keypoint_objects, points.read_keypoint_objects),
    JsonFormat("OpenPifPaf", coco.is_openpifpaf, coco.read_openpifpaf),
    JsonFormat("AlphaPose by picture", alphapose.is_alphapose, alphapose.read_alphapose),
]
# Other files are told by their suffix; a reader is given the joint set that the caller named.
FILE_READERS: dict[str, Callable[[Path, str | None], list[Picture]]] = {
    ".npy": lambda path, _: arrays.read_arrays(path),
    ".npz": lambda path, _: arrays.read_arrays(path),
    ".txt": yolo_labels.read_labels,
}
