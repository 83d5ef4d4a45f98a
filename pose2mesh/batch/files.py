"""One table of paths to pictures and videos to one table of body parameters, by the way of `predict` and `motion`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pose2mesh.batch.recover import BATCH_SIZE, RESULTS, check_columns, checked_model, import_pyarrow, names_of
from pose2mesh.errors import InputError
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.over_time import is_sequence
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.types import Motion

if TYPE_CHECKING:
    import pyarrow

FILE_COLUMNS = ("id", "path")


def recover_files(
    table: "pyarrow.Table", model: Pose2Mesh | None = None, batch_size: int = BATCH_SIZE
) -> "pyarrow.Table":
    """The people of pictures and keypoint files, the motions of videos and folders of numbered frames.

    In: `id` of any type, and `path`. Out, a row for each person, of a motion for each person and frame: `id`, which is
    ID/FRAME/PERSON; `source`, the id that it comes from; `frame`, `time` s, `track`; and the results and names of
    `recover`, of motions without `uncertainty`. A file without anybody, or that cannot be read, is one row with the
    reason in `error`. The model keeps its detector.

    Raises InputError as `recover`, MissingDependencyError without pyarrow.
    """
    check_columns(table.column_names, columns=FILE_COLUMNS)
    pa = import_pyarrow()
    model = checked_model(model)
    rows = []
    for identity, path in zip(*(table.column(name).to_pylist() for name in FILE_COLUMNS), strict=True):
        try:
            found = list(_people(identity, path, model, batch_size))
        except InputError as error:
            found = [{"id": str(identity), "error": " ".join(str(error).splitlines())}]
        rows += [{"source": identity, **row} for row in found]
    return pa.Table.from_pylist(rows, _schema(pa, table.schema.field("id").type, names_of(model)))


def _people(identity: Any, path: Any, model: Pose2Mesh, batch_size: int) -> Iterator[dict[str, Any]]:
    is_null = identity is None or identity != identity  # NaN is what pandas writes
    if is_null or not isinstance(path, str):
        raise InputError("id is null" if is_null else f"path is {path!r:.60}; give text")
    if is_sequence(Path(path)):
        motion = model.motion(path, batch_size=batch_size)
        motion = replace(motion, joints=_joints(motion, model))
        focal = motion.camera.focal if motion.camera else None
        for i, (frame, time, track) in enumerate(zip(motion.frame, motion.time, motion.track, strict=True)):
            values = {name: getattr(motion, name)[i].ravel() for name in RESULTS[:4]}
            where = {"frame": int(frame), "time": float(time), "track": int(track), "focal": focal}
            yield {"id": f"{identity}/{frame}/{track}", **where, **values}
        return
    for i, person in enumerate(model.predict(path, batch_size=batch_size, outputs="parameters")):
        parts = {**(person.parameters or {}), "joints": person.joints, "uncertainty": person.uncertainty}
        values = {name: None if part is None else part.ravel() for name, part in parts.items()}
        camera = {"translation": person.camera.translation, "focal": person.camera.focal} if person.camera else {}
        yield {"id": f"{identity}/0/{i}", "frame": 0, **values, **camera}


def _joints(motion: Motion, model: Pose2Mesh) -> np.ndarray:
    """Joints [N, J, 3] m of a motion, those that pictures are answered with: a column means one thing."""
    if model.fitter is None or motion.joint_names == tuple(model.network.output_joint_names):
        return motion.joints
    parameters = BodyParameters(torch.from_numpy(motion.rotations), torch.from_numpy(motion.betas))
    with torch.inference_mode():
        return model.fitter.joints(parameters).cpu().numpy()


def _schema(pa: Any, kind: "pyarrow.DataType", names: dict[str, str]) -> "pyarrow.Schema":
    where = {"id": pa.string(), "source": kind, "frame": pa.int64(), "time": pa.float64(), "track": pa.int64()}
    results = {name: pa.float32() if name == "focal" else pa.list_(pa.float32()) for name in RESULTS}
    return pa.schema(list({**where, **results, "error": pa.string()}.items()), metadata=names)
