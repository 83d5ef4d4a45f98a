"""Made-up SMPL and MANO files whose meshes are closed, with the two joint regressors, for training on annotations."""

from pathlib import Path

import numpy as np
from synthetic_models import arrays, write_pickle

from pose2mesh.body_models.licensed_files import MANO, SMPL, Family


def grid_faces(vertices: int, faces: int) -> np.ndarray:
    """A strip of triangles over consecutive vertices, closed to a ring: every vertex has about six neighbors."""
    width = 26
    start = np.arange(vertices)
    first = np.stack([start, (start + 1) % vertices, (start + width) % vertices], 1)
    second = np.stack([(start + 1) % vertices, (start + width + 1) % vertices, (start + width) % vertices], 1)
    return np.concatenate([first, second])[:faces].astype(np.uint32)


def body_arrays(family: Family, seed: int = 0) -> dict:
    """Arrays of a model that is about as large as a person (or a hand), with plausible bones and weights."""
    entries = arrays(family, seed)
    rng = np.random.default_rng(seed)
    count, bones = family.vertices, family.joints
    size = 0.3 if family is SMPL else 0.03
    entries["v_template"] = size * rng.standard_normal((count, 3)) * [1.0, 2.0, 0.5]
    entries["f"] = grid_faces(count, family.faces)
    entries["kintree_table"] = np.array([[2**32 - 1, *range(bones - 1)], range(bones)], np.int64)
    regressor = np.zeros((bones, count))
    for bone in range(bones):
        regressor[bone, rng.integers(0, count, 5)] += 0.2
    entries["J_regressor"] = regressor
    weights = np.zeros((count, bones))
    weights[np.arange(count), rng.integers(0, bones, count)] = 1.0
    entries["weights"] = weights
    entries["shapedirs"] = 0.03 * size * rng.standard_normal((count, 3, 10))
    entries["posedirs"] = 0.001 * size * rng.standard_normal((count, 3, 9 * (bones - 1)))
    if family is MANO:
        entries["hands_mean"] = 0.1 * rng.standard_normal(45)
    return entries


def write_bodies(folder: Path, *, hand: bool = True) -> Path:
    """SMPL of all genders, MANO's right hand, and both regressors, where POSE2MESH_MODELS may point."""
    for seed, gender in enumerate(("NEUTRAL", "MALE", "FEMALE")):
        write_pickle(folder / "smpl" / f"SMPL_{gender}.pkl", body_arrays(SMPL, seed))
    if hand:
        write_pickle(folder / "mano" / "MANO_RIGHT.pkl", body_arrays(MANO, 3))
    rng = np.random.default_rng(4)
    for name in ("J_regressor_h36m_correct.npy", "J_regressor_coco.npy"):
        regressor = np.zeros((17, SMPL.vertices))
        for row in regressor:
            row[rng.integers(0, SMPL.vertices, 6)] += 1 / 6
        np.save(folder / "smpl" / name, regressor)
    return folder
