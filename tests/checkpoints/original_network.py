"""The arithmetic of the Pose2Mesh release from pixels to vertices, restated with NumPy in float64.

Written from a description of what the release computes, oddities included; shares nothing with the package but the
row order of the finest level, whose digests other tests compare with the release's own output.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

SKELETONS = {  # joints; bones and partners by index
    "human36m17": (17, [
        (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9), (9, 10),
        (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16),
        (1, 4), (2, 5), (3, 6), (14, 11), (15, 12), (16, 13),
    ]),
    "coco19": (19, [
        (1, 2), (0, 1), (0, 2), (2, 4), (1, 3), (6, 8), (8, 10), (5, 7), (7, 9), (12, 14), (14, 16), (11, 13), (13, 15),
        (17, 11), (17, 12), (17, 18), (18, 5), (18, 6), (18, 0),
        (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16),
    ]),
    "smpl24": (24, [
        (0, 1), (1, 4), (4, 7), (7, 10), (0, 2), (2, 5), (5, 8), (8, 11), (0, 3), (3, 6), (6, 9), (9, 14), (14, 17),
        (17, 19), (19, 21), (21, 23), (9, 13), (13, 16), (16, 18), (18, 20), (20, 22), (9, 12), (12, 15),
        (1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23),
    ]),
    "hand21": (21, [
        *((0, k) for k in range(1, 21, 4)), *((k, k + 1) for k in range(1, 20) if k % 4),
        *((k, k + 4) for k in range(1, 17)),
    ]),
}  # fmt: skip


def release_input(pixels: np.ndarray) -> np.ndarray:
    """[B, J, 2]: cropped to 288 x 384 around the person, divided by that, standardized per axis."""
    out = []
    for points in pixels:
        low, high = points.min(0), points.max(0)
        center, (width, height) = (low + high) / 2, np.maximum(high - low - 1, 1)
        width = max(width, height * 288 / 384)
        crop = (points - center) * (288 / width) + np.array([144.0, 192.0])
        crop = crop / np.array([288.0, 384.0])
        out.append((crop - crop.mean(0)) / crop.std(0))
    return np.stack(out)


def posenet(state: dict, pose: np.ndarray) -> np.ndarray:
    """[B, J, 2] to [B, J, 3] mm; batch_norm1 of the whole network is in the file and not used."""
    x = linear(state, "w1", pose.reshape(len(pose), -1))
    for stage in ("linear_stages.0", "linear_stages.1"):
        y = linear(state, f"{stage}.w1", norm_relu(state, f"{stage}.batch_norm1", x))
        x = x + linear(state, f"{stage}.w2", norm_relu(state, f"{stage}.batch_norm2", y))
    return linear(state, "w2", x).reshape(len(pose), -1, 3)


def linear(state: dict, name: str, x: np.ndarray) -> np.ndarray:
    return x @ state[f"{name}.weight"].T.astype(float) + state[f"{name}.bias"]


def norm_relu(state: dict, name: str, x: np.ndarray) -> np.ndarray:
    weight, bias, mean, variance = (
        state[f"{name}.{part}"].astype(float) for part in ("weight", "bias", "running_mean", "running_var")
    )
    return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * weight + bias, 0)


def graphs(faces: np.ndarray, permutation: np.ndarray, levels: int) -> list[sparse.csr_matrix]:
    """Scaled Laplacians, fine to coarse: coarse levels keep self loops, L / (2 lmax) - I, fakes isolated."""
    position = np.empty(len(permutation), int)
    position[permutation] = np.arange(len(permutation))
    rows, columns = position[faces[:, [0, 1, 2]].ravel()], position[faces[:, [1, 2, 0]].ravel()]
    adjacency = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=2 * (len(permutation),)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    scaled = []
    for _ in range(levels):
        laplacian = normalized(adjacency)
        size = laplacian.shape[0]
        is_small = size < 500
        largest = np.linalg.eigvalsh(laplacian.toarray())[-1] if is_small else eigsh(laplacian, k=1)[0][0]
        scaled.append((laplacian / (2 * largest) - sparse.identity(size)).tocsr())
        pair = sparse.kron(sparse.identity(size // 2), np.ones((1, 2)))
        adjacency = (pair @ adjacency @ pair.T).tocsr()
    return scaled


def normalized(adjacency: sparse.spmatrix) -> sparse.spmatrix:
    degree = np.asarray(adjacency.sum(0)).ravel() + np.spacing(0.0)
    scale = sparse.diags(1 / np.sqrt(degree))
    return sparse.identity(len(degree)) - scale @ adjacency @ scale


def skeleton_graph(joint_set: str) -> sparse.spmatrix:
    """With self loops; never rescaled."""
    count, edges = SKELETONS[joint_set]
    adjacency = np.eye(count)
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = 1
    return normalized(sparse.csr_matrix(adjacency))


def meshnet(state: dict, joints: np.ndarray, graph_list: list, plan: tuple, inverse: np.ndarray) -> np.ndarray:
    """[B, J, 5] to [B, V, 3]; `graph_list`: the skeleton, then the levels coarse to fine."""
    x, layer = joints, 0
    for block, widths in enumerate(plan):
        graph, entering = graph_list[min(block, len(graph_list) - 1)], x
        is_last = block == len(plan) - 1
        for _ in pairwise(widths):
            x = chebyshev(state, f"cl.{layer}", x, graph)
            if not (is_last and x.shape[-1] == widths[-1]):
                x = norm_relu(state, f"bn.{layer}", x)
            layer += 1
        if block == 0:
            x = linear(state, "fc", x.reshape(len(x), -1)).reshape(len(x), graph_list[1].shape[0], -1)
        elif not is_last:
            x = x + resized(entering, x.shape[-1])
            x = x.repeat(2, axis=1) if block < len(plan) - 2 else x
    return x[:, inverse]


def chebyshev(state: dict, name: str, x: np.ndarray, graph: sparse.spmatrix) -> np.ndarray:
    """Order 3; a weight's column is (input channel) * 3 + degree."""
    terms = [x, np.stack([graph @ one for one in x])]
    terms.append(2 * np.stack([graph @ one for one in terms[1]]) - x)
    return linear(state, name, np.stack(terms, -1).reshape(*x.shape[:2], -1))


def resized(x: np.ndarray, width: int) -> np.ndarray:
    """Linear interpolation along the channels, sample points at the centers of equal cells, edges repeated."""
    at = np.clip((np.arange(width) + 0.5) * x.shape[-1] / width - 0.5, 0, x.shape[-1] - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, x.shape[-1] - 1)
    return x[..., low] * (1 - (at - low)) + x[..., high] * (at - low)


def pose2mesh(state: dict, pixels: np.ndarray, graph_list: list, plan: tuple, inverse: np.ndarray):
    """Vertices [B, V, 3] m and joints [B, J, 3] mm from pixels [B, J, 2]."""
    stages = [
        {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        for prefix in ("pose_lifter.", "pose2mesh.")
    ]
    pose = release_input(pixels)
    joints = posenet(stages[0], pose)
    return meshnet(stages[1], np.concatenate([pose, joints / 1000], -1), graph_list, plan, inverse), joints
