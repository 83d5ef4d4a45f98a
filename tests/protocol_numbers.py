"""The datasets' evaluations restated in numpy, one person at a time, from what the release and FreiHAND's server do."""

import numpy as np

EVALUATED = [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16]  # of Human3.6M's 17


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(((a - b) ** 2).sum(-1))


def aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a [N, 3] after rotation, scale and shift onto b, by the singular vectors of their covariance."""
    mean_a, mean_b = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((a - mean_a).T @ (b - mean_b))
    sign = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    scale = np.trace(sign @ np.diag(s)) / ((a - mean_a) ** 2).sum()
    return scale * (a - mean_a) @ (vt.T @ sign @ u.T).T + mean_b


def body_errors(
    mesh: np.ndarray, truth: np.ndarray, h36m: np.ndarray, smpl: np.ndarray, measured: np.ndarray | None = None
) -> dict[str, float]:
    """Metres: meshes [6890, 3], regressors [17, 6890] and [24, 6890], the dataset's own joints [17, 3]."""
    joints, true_joints = h36m @ mesh, h36m @ truth
    true_root = true_joints[0]
    if measured is not None:
        true_joints = measured
    joints, mesh_by_joints = joints - joints[0], mesh - joints[0]
    true_joints = true_joints - true_joints[0]
    joints, true_joints = joints[EVALUATED], true_joints[EVALUATED]
    bones, true_bones = smpl @ mesh, smpl @ truth
    return {
        "mpjpe": distances(joints, true_joints).mean(),
        "pa_mpjpe": distances(aligned(joints, true_joints), true_joints).mean(),
        "mpvpe": distances(mesh - bones[0], truth - true_bones[0]).mean(),
        "mpvpe_by_joints": distances(mesh_by_joints, truth - true_root).mean(),
        "pa_mpvpe": distances(aligned(mesh, truth), truth).mean(),
        "smpl_mpjpe": distances(bones - bones[0], true_bones - true_bones[0]).mean(),
        "smpl_pa_mpjpe": distances(aligned(bones, true_bones), true_bones).mean(),
    }


def mean_mm(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: 1000 * float(np.mean([row[name] for row in rows])) for name in rows[0]}
