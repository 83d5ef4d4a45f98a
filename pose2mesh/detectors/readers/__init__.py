"""Read 2D keypoints in the formats that detectors write."""

from pathlib import Path

from pose2mesh.detectors.readers.formats import FILE_READERS, JSON_FORMATS
from pose2mesh.detectors.readers.frame import Frame, Picture, number_array, to_frame, to_keypoints, warn_of_doubts
from pose2mesh.detectors.readers.hands import with_handedness
from pose2mesh.detectors.readers.json_values import load_json
from pose2mesh.errors import FormatError, InputError

__all__ = [
    "KEYPOINT_SUFFIXES",
    "Frame",
    "number_array",
    "read_keypoints",
    "to_keypoints",
    "warn_of_doubts",
    "with_handedness",
]

KEYPOINT_SUFFIXES = (".json", *FILE_READERS)


def read_keypoints(
    path: str | Path, joint_set: str | None = None, image_size: tuple[int, int] | None = None
) -> list[Frame]:
    """Read every frame of a keypoint file; the format is told by its keys, the joints by their names or their number.

    JSON of COCO, AlphaPose/Halpe, OpenPose/ControlNet, MMPose, Ultralytics, OpenPifPaf, EasyMocap and MediaPipe;
    NPY/NPZ of [J, 2|3], [P, J, 2|3] or [T, P, J, 3]; Ultralytics' label files. `joint_set` overrules the guess from the
    number, which is coco17 for 17 joints (human36m17 has as many); hand21 and body_hands59 take the hands out of whole
    bodies. `image_size` (width, height) is that of the picture, for files of fractions that do not tell it. A frame
    without people has P = 0. Raises InputError or FormatError naming file, person and joint.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'a folder without keypoint files' if path.is_dir() else 'no such file'}")
    frames = [to_frame(picture, joint_set, image_size) for picture in _pictures(path, joint_set)]
    warn_of_doubts([frame.keypoints for frame in frames], str(path))
    return frames


def _pictures(path: Path, joint_set: str | None) -> list[Picture]:
    suffix = path.suffix.lower()
    if suffix in FILE_READERS:
        return FILE_READERS[suffix](path, joint_set)
    if suffix != ".json":
        raise InputError(f"{path}: not a keypoint file; expected {', '.join(KEYPOINT_SUFFIXES)}")
    content = load_json(path)
    for known in JSON_FORMATS:
        if known.matches(content):
            return known.read(content, path)
    names = ", ".join(known.name for known in JSON_FORMATS)
    raise FormatError(f"{path}: no keypoint format recognized; expected the keys of {names}")
