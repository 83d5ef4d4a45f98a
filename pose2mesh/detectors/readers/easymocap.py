"""EasyMocap's annotations: one file per frame, `annots[]` with BODY_25's joints as rows and hands beside them.

Source: EasyMocap's doc/02_output.md (annots) and its reader's keys.
"""

from pathlib import Path
from typing import Any

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.json_values import all_have, objects, part_of, rows_of_joints, size_of

_PARTS = (("keypoints", "keypoints2d"), ("handl2d",), ("handr2d",))


def is_easymocap(content: Any) -> bool:
    return (isinstance(content, dict) and "annots" in content) or all_have(content, "personID", "keypoints2d")


def read_easymocap(content: dict | list, path: Path) -> list[Picture]:
    """The single picture of a file, with its size where the file tells it."""
    people = content["annots"] if isinstance(content, dict) else content
    found = [
        FoundPerson(*(part_of(person, keys, rows_of_joints, f"{path}: person {i}") for keys in _PARTS))
        for i, person in enumerate(objects(people, str(path), "'annots'"))
    ]
    size = size_of(content) if isinstance(content, dict) else None
    return [Picture(path.stem, found, str(path), size, hands_apart=True, nobody="openpose25")]
