"""The rows of a table as keypoints in arrays: many at once where they are plain, one by one where they are not."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pose2mesh.detectors.intrinsics import as_intrinsics
from pose2mesh.detectors.readers.frame import LOW_CONFIDENCE, MOSTLY, to_keypoints
from pose2mesh.detectors.readers.meaning import FRACTIONS_END, LARGEST_COORDINATE
from pose2mesh.detectors.told import check_focal
from pose2mesh.errors import InputError, warn
from pose2mesh.types import Intrinsics, Keypoints2D

if TYPE_CHECKING:
    import pyarrow

_NOT_FLAT = "keypoints are not a flat list of x, y, confidence for each joint"
Size = tuple[int, int]  # (width, height) pixels
CAMERA = ("focal", "center")  # columns that need not be there


class Rows(NamedTuple):
    """The readable rows of a table, those of one joint set together, and why the others are not."""

    groups: list[tuple[np.ndarray, Keypoints2D]]  # rows [P] and their people
    sizes: list[Size | None]  # of the pictures, for every row
    told: list[Intrinsics | None]  # of the cameras, for every row
    reasons: list[str | None]  # for every row


def read_rows(table: "pyarrow.Table") -> Rows:
    """Keypoints in pixels of all rows; each is read as `Pose2Mesh.predict` reads it alone, with warnings for all."""
    names = table.column("joint_set").to_pylist()
    sides = zip(table.column("width").to_pylist(), table.column("height").to_pylist(), strict=True)
    sizes, reasons = [], []
    for name, (width, height) in zip(names, sides, strict=True):
        size, reason = _size(width, height)
        if not isinstance(name, str):
            reason = f"joint_set is {name!r:.60}; name one, such as coco17"
        sizes.append(size)
        reasons.append(reason)
    for row, identity in enumerate(table.column("id").is_null(nan_is_null=True).to_pylist()):
        reasons[row] = "id is null" if identity else reasons[row]
    plain: dict[tuple[str, int], list[int]] = defaultdict(list)
    found: dict[str, list[tuple[list[int], Keypoints2D]]] = defaultdict(list)
    values, is_plain = _people(table.column("keypoints"))
    told = _cameras(table, values, sizes, reasons)
    for row, person in enumerate(values):
        if reasons[row] is None and not len(person):
            reasons[row] = _NOT_FLAT
        elif reasons[row] is None and is_plain[row]:
            plain[names[row], len(person)].append(row)
        elif reasons[row] is None:
            _read([row], lambda r=row: to_keypoints(values[r][None], "keypoints", names[r], sizes[r]), found, reasons)
    for (name, _), rows in plain.items():
        people = np.stack([values[row] for row in rows])  # [P, J, 3]
        _read(rows, lambda p=people, n=name: to_keypoints(p, "keypoints", n), found, reasons)
    groups = [_merged(parts) for parts in found.values()]
    _warn_of_doubts(groups, sizes)
    return Rows(groups, sizes, told, reasons)


def _warn_of_doubts(groups: list[tuple[np.ndarray, Keypoints2D]], sizes: list[Size | None]) -> None:
    """As `readers.warn_of_doubts`, once for all rows."""
    total, outside, doubtful = 0, 0, 0
    for rows, people in groups:
        largest = np.array([sizes[row] or (np.inf, np.inf) for row in rows])[:, None]  # [P, 1, 2]
        seen = people.confidence > 0  # [P, J]
        beyond = np.any(people.points > largest, axis=-1) & seen
        total += len(rows)
        outside += int((beyond.sum(1) > MOSTLY * seen.sum(1)).sum())
        doubtful += int((seen.any(1) & (people.confidence.max(1) < LOW_CONFIDENCE)).sum())
    if outside:
        warn(
            f"{outside} of {total} rows: most joints lie outside of the picture; give width and height of the one that "
            "they are from"
        )
    if doubtful:
        warn(
            f"{doubtful} of {total} rows: no joint has a higher confidence than {LOW_CONFIDENCE}, so all are taken as "
            "doubtful and the body gets worse; if they are right, scale the confidences to 1"
        )


def _read(rows: list[int], read: Any, found: dict, reasons: list[str | None]) -> None:
    """Add what `read` returns for the rows, or the reason that it gives."""
    try:
        people = read()
    except InputError as error:
        for row in rows:
            reasons[row] = str(error)
        return
    found[people.joint_set].append((rows, people))


def _merged(parts: list[tuple[list[int], Keypoints2D]]) -> tuple[np.ndarray, Keypoints2D]:
    """Of one joint set, in the order of the rows."""
    rows = np.concatenate([part for part, _ in parts])
    order = np.argsort(rows)
    points = np.concatenate([people.points for _, people in parts])[order]
    confidence = np.concatenate([people.confidence for _, people in parts])[order]
    return rows[order], Keypoints2D(points, confidence, parts[0][1].joint_set)


def _size(width: Any, height: Any) -> tuple[Size | None, str | None]:
    """The picture's size, None where nobody knows it (null, or NaN as pandas writes it), and what is wrong with it."""
    sides = [None if side is None or side != side else side for side in (width, height)]
    if sides == [None, None]:
        return None, None
    if all(
        isinstance(side, int | float) and side is not True and 1 <= side <= LARGEST_COORDINATE and side == int(side)
        for side in sides
    ):
        return (int(sides[0]), int(sides[1])), None  # pyright: ignore[reportArgumentType]
    return (
        None,
        f"width {width!r:.20} and height {height!r:.20} are no size of a picture; give whole pixels of both, or none",
    )


def _cameras(
    table: "pyarrow.Table", people: list[np.ndarray], sizes: list[Size | None], reasons: list[str | None]
) -> list[Intrinsics | None]:
    """What the rows say of their cameras, None where nothing (null, or NaN as pandas writes it); reasons are added."""
    columns = [
        table.column(name).to_pylist() if name in table.column_names else [None] * len(people) for name in CAMERA
    ]
    told: list[Intrinsics | None] = [None] * len(people)
    for row, (focal, center) in enumerate(zip(*columns, strict=True)):
        if reasons[row]:
            continue
        if focal is None or focal != focal:
            reasons[row] = None if center is None else "center is known and focal is not; give both, or neither"
            continue
        seen = people[row][people[row][:, 2] > 0, :2]  # [n, 2]
        try:
            told[row] = camera = as_intrinsics(Intrinsics(focal, center))
            check_focal(camera.focal, max(sizes[row] or (seen.max(initial=0),)), "focal")
        except InputError as error:
            reasons[row] = str(error)
    return told


def _people(column: "pyarrow.ChunkedArray") -> tuple[list[np.ndarray], np.ndarray]:
    """Values [J, 3] of each row, J = 0 where they are no such list, and which rows are plain, bool [N].

    Plain are confidences in [0, 1] and finite pixels with one beyond where fractions end: nothing else in a table can
    change what such a row means.
    """
    import pyarrow as pa

    none = np.zeros((0, 3))
    if not _is_numbers(getattr(column.type, "storage_type", column.type)):  # a tensor type is stored as lists
        return [none] * len(column), np.zeros(len(column), bool)
    lists = column.cast(pa.list_(pa.float64())).combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    offsets, flat = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    ends = zip(offsets[:-1], offsets[1:], lists.is_valid().to_pylist(), strict=True)
    people = [flat[a:b].reshape(-1, 3) if valid and (b - a) % 3 == 0 else none for a, b, valid in ends]
    is_plain = np.array([len(person) > 0 and _is_plain(person) for person in people], bool)
    return people, is_plain


def _is_numbers(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def _is_plain(person: np.ndarray) -> bool:
    sure = person[:, 2]
    low, high = person.min(), person.max()  # NaN where there is one
    largest = max(high, -low)
    if not (largest <= LARGEST_COORDINATE and sure.min() >= 0 and sure.max() <= 1):
        return False
    return bool((person[sure > 0, :2] > FRACTIONS_END).any())
