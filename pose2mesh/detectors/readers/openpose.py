"""OpenPose's JSON: one file per frame, `people[]` with a body and, if asked for, two hands of 21 joints.

ControlNet and DWPose write the same with the size of their canvas, `null` for hands not seen, and lists of frames.
Sources: OpenPose's doc/02_output.md (versions 1.0 to 1.3), the JSON of sd-webui-controlnet and comfyui_controlnet_aux.
"""

from pathlib import Path
from typing import Any

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.json_values import all_have, flat_joints, part_of, size_of
from pose2mesh.errors import FormatError

_BODY = ("pose_keypoints_2d", "pose_keypoints")  # the second up to version 1.0
_HANDS = tuple((f"hand_{side}_keypoints_2d", f"hand_{side}_keypoints") for side in ("left", "right"))


def is_openpose(content: Any) -> bool:
    if all_have(content, "people", "animals"):
        return True
    return isinstance(content, dict) and ("people" in content or "animals" in content)


def read_openpose(content: dict | list, path: Path) -> list[Picture]:
    """The pictures of a file; a single one drops the `_keypoints` that OpenPose appends to its name."""
    if isinstance(content, dict):
        return [_picture(content, path.stem.removesuffix("_keypoints") or path.stem, str(path))]
    if len(content) == 1:
        return [_picture(content[0], path.stem, str(path))]
    return [_picture(frame, f"{path.stem}_{i:06d}", f"{path}: frame {i}") for i, frame in enumerate(content)]


def _picture(content: dict, name: str, where: str) -> Picture:
    if content.get("animals"):
        raise FormatError(f"{where}: holds animals; only people are recovered, so take them out")
    people = content.get("people", [])
    if not isinstance(people, list):
        raise FormatError(f"{where}: 'people' is not a list")
    canvas = size_of(content, "canvas_width", "canvas_height")
    return Picture(
        name=name,
        people=[_person(person, f"{where}: person {i}") for i, person in enumerate(people)],
        where=where,
        size=canvas,
        unit="pixels or fractions of a canvas" if canvas else "pixels, fractions or -1..1",
        hands_apart=True,
        nobody="openpose25",
    )


def _person(person: Any, where: str) -> FoundPerson:
    if not isinstance(person, dict):
        raise FormatError(f"{where}: not an object with {_BODY[0]}")
    return FoundPerson(*(part_of(person, keys, flat_joints, where) for keys in (_BODY, *_HANDS)))
