"""Made-up SMPL and MANO files with proper surfaces and the two joint regressors, for training on annotations."""

from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull
from synthetic_models import arrays, write_pickle

from pose2mesh.body_models.licensed_files import MANO, SMPL, Family

RING = 16  # vertices around the opening of MANO's wrist, which 778 vertices with 1538 faces imply
SEEDS = {SMPL: 0, MANO: 2}  # with these the graphs have the published numbers of rows, 12288 and 1088 (official.py)


def surface(family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Points [V, 3] on a sphere and the faces [F, 3] of their hull: SMPL's is closed, MANO's open at the wrist."""
    rng = np.random.default_rng(SEEDS[family])
    if family is SMPL:
        points = rng.normal(size=(family.vertices, 3))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return points, ConvexHull(points).simplices.astype(np.uint32)
    points, angle = [], 0.25
    while len(points) < family.vertices - RING:
        point = rng.normal(size=3)
        point /= np.linalg.norm(point)
        if np.arccos(point[2]) > 1.15 * angle:
            points.append(point)
    turn = 2 * np.pi * np.arange(RING) / RING
    ring = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.full(RING, np.cos(angle))], 1)
    points = np.concatenate([points, ring])
    faces = ConvexHull(np.concatenate([points, [[0.0, 0.0, 1.0]]])).simplices
    return points, faces[(faces < family.vertices).all(1)].astype(np.uint32)


def body_arrays(family: Family, seed: int = 0) -> dict:
    """Arrays of a model that is about as large as a person (or a hand), with plausible bones and weights."""
    entries = arrays(family, seed)
    rng = np.random.default_rng(seed)
    count, bones = family.vertices, family.joints
    size = 0.3 if family is SMPL else 0.03
    points, entries["f"] = surface(family)
    entries["v_template"] = size * points * [1.0, 2.0, 0.5]
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
