"""Rows of parameters as people with meshes."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pose2mesh.batch.recover import RESULTS, import_pyarrow
from pose2mesh.batch.source import open_parquet, table_files
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import FormatError, InputError
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import MOTION_BONES
from pose2mesh.types import Person


def people_of(table: Path, ids: Sequence[str]) -> Iterator[tuple[str, Person]]:
    """The people of these ids, in their order: the mesh of Anny's parameters and the row's joints, relative to the
    pelvis.

    Raises InputError for an id that is not there, a row with an error, and parameters of another body.
    """
    rows = _rows_of(table, ids)
    decoder = AnnyDecoder(load_anny_body())
    for name in ids:
        yield name, _person(rows[name], decoder, name)


def _rows_of(table: Path, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    pa = import_pyarrow()
    found: dict[str, dict[str, Any]] = {}
    wanted = set(ids)
    for file in table_files(table):
        source = open_parquet(file)
        if missing := {"id", "error", *RESULTS} - set(source.schema_arrow.names):
            raise InputError(f"{file}: has no column {', '.join(sorted(missing))}; name what `pose2mesh batch` wrote")
        names = _joint_names(source.schema_arrow, file)
        for batch in source.iter_batches(use_threads=False):
            words = batch.column("id").cast(pa.string()).to_pylist()
            for row in batch.filter(pa.array([word in wanted for word in words], pa.bool_())).to_pylist():
                found[str(row["id"])] = row | {"joint_names": names}
    if absent := [name for name in ids if name not in found]:
        raise InputError(f"{table}: no row has the id {absent[0]!r}; ids are written as in the column id")
    return found


def _joint_names(schema: Any, file: Path) -> tuple[str, ...]:
    """Those that the table tells of its joints; none where it tells nothing, as when somebody else wrote it again."""
    try:
        names = json.loads((schema.metadata or {}).get(b"joint_names", b"[]"))
    except ValueError as error:
        raise FormatError(f"{file}: its joint_names are no JSON; write the table again") from error
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _person(row: dict[str, Any], decoder: AnnyDecoder, name: str) -> Person:
    if row["error"] is not None:
        raise InputError(f"row {name}: has no body: {row['error']}")
    rotations, betas = (np.asarray(row[part], np.float32) for part in ("rotations", "betas"))
    if len(rotations) != 9 * len(MOTION_BONES) or len(betas) != decoder.num_shape:
        raise InputError(f"row {name}: {len(rotations)} rotations and {len(betas)} betas are not those of anny-body")
    rotations = rotations.reshape(len(MOTION_BONES), 3, 3)
    with torch.inference_mode():
        body = decoder(BodyParameters(torch.from_numpy(rotations)[None], torch.from_numpy(betas)[None]))
    joints, names = np.asarray(row["joints"], np.float32).reshape(-1), row["joint_names"]
    is_told = len(names) > 0 and len(joints) == 3 * len(names)
    return Person(
        body.vertices[0].numpy(),
        decoder.faces,
        joints.reshape(-1, 3) if is_told else body.joints[0].numpy(),
        names if is_told else decoder.joint_set.joints,
        np.zeros((len(decoder.joint_set), 3), np.float32),
        parameters={"rotations": rotations, "betas": betas},
    )
