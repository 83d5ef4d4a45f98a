"""Keypoint files as a table for `recover`."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pose2mesh.batch.recover import import_pyarrow
from pose2mesh.batch.source import PIECE_ROWS
from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import InputError, warn
from pose2mesh.paths import atomic_write, not_over


def write_keypoint_table(
    files: Sequence[Path], output: Path, joint_set: str | None = None, image_size: tuple[int, int] | None = None
) -> int:
    """One row for each person of each frame; returns their number. `id` is FILE/FRAME/PERSON.

    Row groups are pieces of `batch`; one of them and one file are in memory. Raises InputError as `read_keypoints`
    does, and where a file is named twice.
    """
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    lists = pa.list_(pa.float32())
    kinds = {"id": pa.string(), "keypoints": lists, "joint_set": pa.string(), "width": pa.int32(), "height": pa.int32()}
    schema = pa.schema(list({**kinds, "focal": pa.float64(), "center": pa.list_(pa.float64())}.items()))
    if len(set(files)) < len(files):
        raise InputError(f"{next(f for f in files if files.count(f) > 1)}: named twice; name every file once")
    not_over(output, *files)
    rows = (row for file in files for row in _rows(file, joint_set, image_size))
    count = 0
    with atomic_write(output) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := list(islice(rows, PIECE_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema))
            count += len(group)
    return count


def _rows(file: Path, joint_set: str | None, image_size: tuple[int, int] | None) -> Iterable[dict[str, Any]]:
    names: set[str] = set()
    are_apart = False
    for index, (name, found) in enumerate(read_keypoints(file, joint_set, image_size)):
        name = f"{name}_{index}" if name in names else name  # pictures of one name in two folders
        names.add(name)
        width, height = found.image_size or (None, None)
        camera = {"focal": found.intrinsics.focal, "center": found.intrinsics.center} if found.intrinsics else {}
        are_apart |= width is None and len(found.points) > 1
        for i, (points, sure) in enumerate(zip(found.points, found.confidence, strict=True)):
            flat = [float(value) for (x, y), c in zip(points, sure, strict=True) for value in (x, y, c)]
            yield {
                **{"id": f"{file.as_posix()}/{name}/{i}", "keypoints": flat, "joint_set": found.joint_set},
                **{"width": width, "height": height, **camera},
            }
    if are_apart:
        warn(
            f"{file}: without the size of its pictures the camera of each person is guessed alone, so people "
            "of one picture do not stand together; give --image-size"
        )
