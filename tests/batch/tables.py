"""Tables that the tests of batches are made with."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pose2mesh.batch.recover import COLUMNS


def people(count: int, seed: int = 0) -> "pa.Table":
    """Rows of COCO's joints somewhere in a picture of 640 x 480."""
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(100, 400, (count, 17, 2)), np.ones((count, 17, 1))], 2)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(points.astype(np.float32).ravel()), 51)
    columns = [pa.array([f"p{i}" for i in range(count)]), lists.cast(pa.list_(pa.float32())), ["coco17"] * count]
    return pa.table([*columns, [640] * count, [480] * count], names=list(COLUMNS))


def write(table: "pa.Table", path: Path, group: int = 1 << 20) -> Path:
    pq.write_table(table, path, row_group_size=group)
    return path
