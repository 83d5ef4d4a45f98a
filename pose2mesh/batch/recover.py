"""One table of keypoints to one table of body parameters: a pure function, the same for every engine."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pose2mesh.detectors.sources import array_to_keypoints, weakness
from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.types import Keypoints2D, Person

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("id", "keypoints", "joint_set", "width", "height")
RESULTS = ("rotations", "betas", "joints", "translation", "focal", "uncertainty")
WEIGHTS = "anny-key2mesh"  # those that give body parameters


def recover(table: "pyarrow.Table", model: Pose2Mesh | None = None, batch_size: int = 64) -> "pyarrow.Table":
    """Body parameters of every row, in the order of the table; a row that cannot be used has its reason in `error`.

    In: `id` of any type, `keypoints` list of 3J numbers (x, y in pixels, confidence), `joint_set`, and `width` and
    `height` of the picture in pixels, null where unknown. Out: the same `id`; `rotations` [R*3*3], `betas` [S],
    `joints` [J*3] m and `translation` [3] m, row-major; `focal` in pixels; `uncertainty` [J] m, null where the weights
    estimate none; `error`, null where all went well. Never vertices. Rows are people, each with a camera of its own.

    Raises InputError for a table without the columns or a model without body parameters, MissingDependencyError
    without pyarrow.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingDependencyError("tables need pyarrow: pip install 'pose2mesh[batch]'") from error
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise InputError(f"the table has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    model = model or Pose2Mesh.from_pretrained(WEIGHTS)
    rows = zip(*(table.column(name).to_pylist() for name in COLUMNS[1:]), strict=True)
    read = [_read(model, *row) for row in rows]
    usable = [row for row in read if isinstance(row, Keypoints2D)]
    found = iter(model.recover(usable, batch_size, "parameters"))
    answers = [next(found)[0] if isinstance(row, Keypoints2D) else None for row in read]
    values = [_values(answer) if answer else dict.fromkeys(RESULTS) for answer in answers]
    columns: dict[str, Any] = {"id": table.column("id")}
    for name in RESULTS:
        kind = pa.float32() if name == "focal" else pa.list_(pa.float32())
        columns[name] = pa.array([row[name] for row in values], kind)
    columns["error"] = pa.array([row if isinstance(row, str) else None for row in read], pa.string())
    return pa.table(columns)


def _read(model: Pose2Mesh, keypoints: Any, joint_set: Any, width: Any, height: Any) -> Keypoints2D | str:
    """The person of a row, or why there is none."""
    try:
        flat = np.asarray(keypoints, np.float32)
        if keypoints is None or flat.ndim != 1 or len(flat) % 3 or not len(flat):
            return "keypoints are not a flat list of x, y, confidence for each joint"
        if not isinstance(joint_set, str):
            return f"joint_set is {joint_set!r}; name one, such as coco17"
        if (width is None) != (height is None) or (width is not None and min(width, height) <= 0):
            return f"width {width} and height {height} are no size of a picture; give both above 0, or neither"
        size = None if width is None else (int(width), int(height))
        person = array_to_keypoints(flat.reshape(-1, 3), joint_set, size)
        converted = model.converted(person)
        reason = weakness(converted.points[0], converted.confidence[0])
        return reason + f" of {converted.joint_set}" if reason else person
    except (InputError, TypeError, ValueError) as error:
        return str(error)


def _values(person: Person) -> dict[str, Any]:
    """The results of a person, by column."""
    assert person.parameters is not None and person.camera is not None  # rows are checked: joints are seen
    return {
        "rotations": person.parameters["rotations"].ravel(),
        "betas": person.parameters["betas"].ravel(),
        "joints": person.joints.ravel(),
        "translation": np.asarray(person.camera.translation, np.float32),
        "focal": person.camera.focal,
        "uncertainty": person.uncertainty,
    }
