"""One table of keypoints to one table of body parameters: a pure function, the same for every engine."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pose2mesh.batch.rows import CAMERA, Rows, Size, read_rows
from pose2mesh.detectors.left_out import weakness
from pose2mesh.errors import FormatError, InputError, optional_import
from pose2mesh.fitting.answering import fitted_answers
from pose2mesh.fitting.camera import fit_perspective
from pose2mesh.geometry.placement import guess_intrinsics
from pose2mesh.geometry.projection import default_focal
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.types import Intrinsics

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("id", "keypoints", "joint_set", "width", "height")
RESULTS = ("rotations", "betas", "joints", "translation", "focal", "uncertainty")
WEIGHTS = "anny-body"
BATCH_SIZE = 64  # measured: docs/scale.md


def recover(table: "pyarrow.Table", model: Pose2Mesh | None = None, batch_size: int = BATCH_SIZE) -> "pyarrow.Table":
    """Body parameters of every row, in the order of the table; a row that cannot be used has its reason in `error`.

    In: `id` of any type, `keypoints` list of 3J numbers (x, y in pixels, confidence), `joint_set`, and `width` and
    `height` of the picture in pixels, null where unknown; if the camera is known, `focal` in pixels, with its principal
    point `center` [2] (null: the middle of the picture). Out: the same `id`; `rotations` [R*3*3], `betas` [S],
    `joints` [J*3] m and `translation` [3] m, row-major; `focal` in pixels; `uncertainty` [J] m, null where the weights
    estimate none; `error`, null where all went well. Never vertices. Rows are people, each with a camera of its own.
    The schema's metadata names joints and bones (`names_of`).

    Raises InputError for a table without the columns or a model without body parameters, MissingDependencyError
    without pyarrow.
    """
    check_columns(table.column_names, optional=CAMERA)
    model = checked_model(model)
    rows = read_rows(table)
    parts = [(of, _people(model, of, people, rows, batch_size)) for of, people in rows.groups]
    good = np.array([reason is None for reason in rows.reasons], bool)
    kept = np.concatenate([of[good[of]] for of, _ in parts] or [np.zeros(0, int)])
    order = np.argsort(kept)
    columns: dict[str, Any] = {"id": table.column("id")}
    for name in RESULTS:
        values = [part[name] for _, part in parts if part]
        known = None if not values or values[0] is None else np.concatenate(values)[order]
        columns[name] = _column(known, good, name == "focal")
    return _table(columns, rows.reasons).replace_schema_metadata(names_of(model))


def checked_model(model: Pose2Mesh | None) -> Pose2Mesh:
    """The model, by default of `WEIGHTS`. Raises InputError where its answers would all be errors or empty."""
    model = model or Pose2Mesh.from_pretrained(WEIGHTS)
    abilities = abilities_of(model.network)
    if model.kind == "hand":
        raise InputError(f"these weights recover hands, and tables are of bodies; take others, such as {WEIGHTS}")
    if not (abilities.has_decoder or abilities.body):
        raise InputError("these weights give no body parameters; take others, such as anny-key2mesh")
    return model


def names_of(model: Pose2Mesh) -> dict[str, str]:
    """`joint_names` [J] and `bone_names` [R] of a table's lists, JSON in the metadata of its schema."""
    network = model.network
    if abilities_of(network).has_decoder:
        bones = network.decoder.bone_names
    else:
        bones = model.fitter.body.captured if model.fitter else ()
    return {"joint_names": json.dumps(network.output_joint_names), "bone_names": json.dumps(bones)}


def import_pyarrow() -> Any:
    """Raises MissingDependencyError without it."""
    with optional_import("tables need pyarrow: pip install 'pose2mesh[batch]'"):
        import pyarrow
    return pyarrow


def check_columns(
    names: Sequence[str],
    where: str = "the table",
    columns: tuple[str, ...] = COLUMNS,
    optional: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """`columns` and which of `optional` are there; raises InputError where one is missing, or there twice."""
    import_pyarrow()
    if missing := [name for name in columns if name not in names]:
        raise InputError(f"{where} has no column {', '.join(missing)}; it needs {', '.join(columns)}")
    there = columns + tuple(name for name in optional if name in names)
    if doubled := [name for name in there if list(names).count(name) > 1]:
        raise InputError(f"{where} has several columns {', '.join(doubled)}; give each one name")
    return there


def _people(model: Pose2Mesh, of: np.ndarray, people: Any, rows: Rows, batch_size: int) -> dict[str, Any]:
    """RESULTS of the people of one joint set, rows `of` [P], by column; those without an answer get their reason."""
    converted = model.converted(people)
    for row, points, confidence in zip(of, converted.points, converted.confidence, strict=True):
        if reason := weakness(points, confidence):
            rows.reasons[row] = f"{reason} of {converted.joint_set}"
    keep = np.array([rows.reasons[row] is None for row in of], bool)
    if not keep.any():
        return {}
    names = tuple(model.network.output_joint_names)
    keypoints = np.concatenate([converted.points, converted.confidence[..., None]], -1)[keep].astype(np.float32)
    # as `recover` of the pipeline: the cameras see the joints that the network was given
    points, sure = convert(
        converted.points[keep], converted.confidence[keep], converted.joint_set, JointSet("output", names, ())
    )
    focal, center = _cameras(points, sure, [rows.sizes[row] for row in of[keep]], [rows.told[row] for row in of[keep]])
    rays = np.where(sure[..., None] > 0, (points - center[:, None]) / focal[:, None, None], 0.0)
    rays = np.concatenate([rays, sure[..., None]], -1).astype(np.float32)  # [P, J_out, 3]
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("rotations", "betas", "joints", "uncertainty")}
    settings = {"batch_size": batch_size, "device": model.device, "with_mesh": False}
    cameras = np.column_stack([focal, center])  # [P, 3]
    for _, output in fitted_answers(model.network, model.fitter, keypoints, cameras, rays, **settings):
        parts = (*(output.parameters or (None, None)), output.joints, output.deviation)
        for name, part in zip(found, parts, strict=True):
            if part is not None:
                found[name].append(part.float().cpu().numpy())
    values: dict[str, Any] = {name: np.concatenate(parts) if parts else None for name, parts in found.items()}
    if not np.isfinite(values["joints"]).all():
        raise FormatError("the network returned numbers that are not finite: its weights are damaged; load others")
    values["translation"] = fit_perspective(values["joints"], points, sure, focal, center)
    return values | {"focal": focal}


def _cameras(
    points: np.ndarray, sure: np.ndarray, sizes: list[Size | None], told: list[Intrinsics | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Focal lengths [P] and principal points [P, 2] as `fitting.camera.assume_intrinsics`, of each row alone."""
    guess, middle = guess_intrinsics(torch.from_numpy(points), torch.from_numpy(sure > 0))
    focal, center = guess.double().numpy(), middle.double().numpy()
    for i, (size, known) in enumerate(zip(sizes, told, strict=True)):
        if size is not None:
            focal[i], center[i] = default_focal(size), (size[0] / 2, size[1] / 2)
        if known is not None:
            focal[i], center[i] = known.focal, known.center or center[i]
    return focal, center


def _column(values: np.ndarray | None, good: np.ndarray, is_scalar: bool) -> Any:
    """A column of numbers, or of lists of them, with nulls where a row is not good; `values` are those of the good."""
    pa = import_pyarrow()
    kind = pa.float32() if is_scalar else pa.list_(pa.float32())
    if values is None:
        return pa.nulls(len(good), kind)
    flat = values.astype(np.float32).reshape(len(values), -1)
    if is_scalar:
        column = np.zeros(len(good), np.float32)
        column[good] = flat[:, 0]
        return pa.array(column, kind, mask=~good)
    offsets = np.concatenate([[0], np.cumsum(good * flat.shape[1])]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(flat.ravel()), mask=pa.array(~good))


def _table(columns: dict[str, Any], reasons: list[str | None]) -> Any:
    pa = import_pyarrow()
    words = [reason and " ".join(reason.splitlines()) for reason in reasons]
    return pa.table({**columns, "error": pa.array(words, pa.string())})
