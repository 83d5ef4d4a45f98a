"""AlphaPose's results by picture: for PoseFlow (`forvis`), and `--format cmu` and `open`.

Source: AlphaPose's docs/output.md and docs/run.md. Its default, a list with `image_id`, is COCO's.
"""

from pathlib import Path
from typing import Any

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.json_values import flat_joints, objects, stem_of

_BODIES = {"bodies": "joints", "people": "pose_keypoints_2d"}  # cmu, open


def is_alphapose(content: Any) -> bool:
    """{"bodies": [...]}, or a dict whose every value is the people of one picture, not all of them none."""
    if not isinstance(content, dict) or not any(content.values()):
        return False
    return "bodies" in content or all(map(_is_picture, content.values()))


def read_alphapose(content: dict, path: Path) -> list[Picture]:
    """A picture for each name in the file, in the file's order."""
    if "bodies" in content:
        return [_picture(path.stem, content, str(path))]
    return [_picture(stem_of(name), found, f"{path}: image {name!r:.80}") for name, found in content.items()]


def _is_picture(found: Any) -> bool:
    if isinstance(found, dict):
        return "bodies" in found or "people" in found
    return isinstance(found, list) and all(isinstance(person, dict) and "keypoints" in person for person in found)


def _picture(name: str, found: dict | list, where: str) -> Picture:
    people, joints = found, "keypoints"
    if isinstance(found, dict):
        key = next(key for key in _BODIES if key in found)
        people, joints = found[key], _BODIES[key]
    people = [
        FoundPerson(flat_joints(person.get(joints), f"{where}: person {i}"))
        for i, person in enumerate(objects(people, where, "the people"))
    ]
    return Picture(name, people, where)
