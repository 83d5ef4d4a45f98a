"""Made-up SMPL and MANO files with the shapes, types and layout of the real ones, written where a test says."""

import pickle
import struct
import sys
import types
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import sparse

from pose2mesh.body_models.licensed_files import SMPL, Family


def arrays(family: Family, seed: int = 0) -> dict:
    """Random arrays in the types of the real files: float64, unsigned integers, a sparse regressor."""
    rng = np.random.default_rng(seed)
    v, k = family.vertices, family.joints
    weights = rng.random((v, k)) ** 8
    regressor = sparse.random(k, v, density=0.01, format="csc", rng=rng)
    parents = [2**32 - 1, *(int(rng.integers(0, joint)) for joint in range(1, k))]
    entries = {
        "v_template": rng.normal(size=(v, 3)),
        "f": rng.integers(0, v, (family.faces, 3)).astype(np.uint32),
        "shapedirs": 0.01 * rng.normal(size=(v, 3, 10)),
        "posedirs": 0.001 * rng.normal(size=(v, 3, 9 * (k - 1))),
        "J_regressor": regressor,
        "kintree_table": np.array([parents, range(k)], np.int64 if k == 16 else np.uint32),
        "weights": weights / weights.sum(1, keepdims=True),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "J": rng.normal(size=(k, 3)),
    }
    if family is not SMPL:
        entries |= {"hands_components": rng.normal(size=(45, 45)), "hands_mean": rng.normal(size=45)}
        entries |= {"hands_coeffs": rng.normal(size=(20, 45))}
    return entries


class Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2 writes it: bytes are plain strings."""

    def save_bytes(self, value: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_bytes}  # noqa: RUF012 (what the base class reads)


def write_pickle(path: Path, entries: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        Python2Pickler(stream, protocol=2).dump(entries)
    return path


def write_with_chumpy(path: Path, entries: dict) -> Path:
    """The same with chumpy objects, as in the downloads: an array under `x`, a selection of another array."""
    chumpy = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    ch = type("Ch", (), {"__module__": "chumpy.ch", "__qualname__": "Ch"})
    select = type("Select", (), {"__module__": "chumpy.reordering", "__qualname__": "Select"})
    chumpy["chumpy.ch"].Ch, chumpy["chumpy.reordering"].Select = ch, select
    plain, chosen = ch(), select()
    plain.__dict__ = {"x": entries["v_template"], "_dirty_vars": {"x"}, "_itr": None}
    shapedirs = entries["shapedirs"]
    more = np.concatenate([shapedirs, np.zeros((*shapedirs.shape[:2], 2))], axis=2)
    source = ch()
    source.__dict__ = {"x": more}
    index = np.arange(more.size).reshape(more.shape)[:, :, :10].ravel()
    chosen.__dict__ = {"a": source, "idxs": index, "preferred_shape": shapedirs.shape}
    with mock.patch.dict(sys.modules, chumpy):
        return write_pickle(path, {**entries, "v_template": plain, "shapedirs": chosen})
