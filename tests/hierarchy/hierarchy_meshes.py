"""Meshes that the tests of this folder share: closed, open, and of several components."""

import numpy as np

Mesh = tuple[np.ndarray, np.ndarray]  # vertices [V, 3], faces [F, 3]


def icosphere(subdivisions: int) -> Mesh:
    """A sphere of 10 · 4^k + 2 vertices, made by splitting the faces of an icosahedron."""
    golden = (1 + 5**0.5) / 2
    corners = [(s, t * golden, 0.0) for s in (-1.0, 1.0) for t in (-1.0, 1.0)]
    points = [tuple(np.roll(corner, k)) for k in range(3) for corner in corners]
    distance = np.linalg.norm(np.array(points)[:, None] - np.array(points)[None], axis=-1)
    near = np.isclose(distance, 2.0)
    faces = [
        (a, b, c) for a in range(12) for b in range(a) for c in range(b) if near[a, b] and near[b, c] and near[a, c]
    ]
    faces = [face if np.linalg.det(np.array(points)[list(face)]) > 0 else face[::-1] for face in faces]
    for _ in range(subdivisions):
        points, faces = _split(points, faces)
    vertices = np.array(points)
    # Rounded, so that no machine's last bit reaches the golden digests.
    return np.round(vertices / np.linalg.norm(vertices, axis=1, keepdims=True), 6), np.array(faces)


def _split(points: list, faces: list) -> tuple[list, list]:
    points, middles, split = list(points), {}, []

    def middle(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in middles:
            middles[key] = len(points)
            points.append(tuple((np.array(points[a]) + np.array(points[b])) / 2))
        return middles[key]

    for a, b, c in faces:
        ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
        split += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    points = [tuple(np.array(p) / np.linalg.norm(p)) for p in points]
    return points, split


def patch(columns: int = 14, rows: int = 10) -> Mesh:
    """An open, gently waved sheet."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    height = np.round(0.5 * np.sin(x / 3.0) * np.cos(y / 4.0), 6)
    vertices = np.stack([x, y, height], axis=-1).reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + columns], axis=1)
    upper = np.stack([corner + 1, corner + columns + 1, corner + columns], axis=1)
    return vertices, np.concatenate([lower, upper])


def several() -> Mesh:
    """A large sphere, two small ones inside it, and a sheet: a body with eyes and a tongue."""
    parts = [icosphere(3), icosphere(1), icosphere(1), patch(5, 4)]
    moves = [(1.0, (0, 0, 0)), (0.1, (0.3, 0, 0.5)), (0.1, (-0.3, 0, 0.5)), (0.05, (0, -0.4, 0.5))]
    vertices = [scale * v + np.array(move) for (v, _), (scale, move) in zip(parts, moves, strict=True)]
    offsets = np.cumsum([0, *(len(v) for v, _ in parts[:-1])])
    return np.concatenate(vertices), np.concatenate([f + o for (_, f), o in zip(parts, offsets, strict=True)])


MESHES = {"closed": icosphere(3), "open": patch(), "several": several()}
