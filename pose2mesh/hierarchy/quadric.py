"""Decimation by quadric error (Garland and Heckbert 1997) onto nested subsets of a mesh's own vertices.

Two additions. Collapses keep one end of the edge, so a coarse vertex *is* a fine one and moves with every
body pose. And each vertex carries, besides the planes around it, the points that were merged into it: pure
quadrics empty a flat back and crowd an ear, a network needs nodes everywhere.
"""

import heapq

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.collapse import CollapsibleMesh, Point

Quadric = tuple[float, ...]  # xx xy xz yy yz zz, x y z, constant of a quadratic form on points

UNIFORMITY = 0.01  # weight of the merged points against the planes; measured in docs/graphs.md
_BOUNDARY = 10.0  # weight of the planes that stand on boundary edges, so that an open mesh keeps its outline


def decimate(
    vertices: np.ndarray, faces: np.ndarray, sizes: tuple[int, ...], uniformity: float = UNIFORMITY
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Decimate to each of `sizes` vertices in turn; every level's vertices are a subset of the level before.

    Always the cheapest allowed collapse, equal costs by vertex numbers, so the result is the same everywhere.

    Shapes: vertices [V, 3]; faces [F, 3]; returns per size the kept vertex numbers [N] ascending and faces [F', 3] into
    them. Raises InputError where sizes do not fall or a size cannot be reached without breaking the surface.
    """
    if any(b >= a for a, b in zip((len(vertices), *sizes), sizes, strict=False)) or min(sizes, default=4) < 4:
        raise InputError(f"sizes must fall from below {len(vertices)} vertices to at least 4, got {list(sizes)}")
    mesh = CollapsibleMesh(vertices, faces)
    queue = _CollapseQueue(mesh, vertex_quadrics(vertices, faces, uniformity))
    levels = []
    for size in sizes:
        while len(mesh) > size:
            if not queue.collapse_cheapest():
                raise InputError(f"cannot decimate to {size} vertices: at {len(mesh)} no edge may be collapsed")
        levels.append(mesh.snapshot())
    return levels


def vertex_quadrics(vertices: np.ndarray, faces: np.ndarray, uniformity: float) -> list[Quadric]:
    """Each vertex's error form: squared distances to the planes of its faces, weighted by a third of their
    areas, plus `uniformity` times the squared distance to the vertex itself with the same weight.

    Shapes: vertices [V, 3] about the origin; faces [F, 3]; returns V forms of 10 coefficients.
    """
    corner = [vertices[faces[:, k]] for k in range(3)]  # 3 × [F, 3]
    normal = _cross(corner[1] - corner[0], corner[2] - corner[0])  # [F, 3] twice the area long
    length = _length(normal)  # [F]
    unit = np.divide(normal, length[:, None], out=np.zeros_like(normal), where=length[:, None] > 0)
    third = length / 6.0  # [F] a third of the area
    total = np.zeros((len(vertices), 10))
    for k in range(3):
        _scatter(total, faces[:, k], _plane_forms(unit, corner[0], third))
        _scatter(total, faces[:, k], _point_forms(corner[k], uniformity * third))
    _add_boundary(total, vertices, faces, unit)
    return [tuple(row) for row in total.tolist()]


def _add_boundary(total: np.ndarray, vertices: np.ndarray, faces: np.ndarray, unit: np.ndarray) -> None:
    """Planes through the boundary edges, upright on their faces."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])  # [3F, 2]
    code = np.sort(directed, axis=1) @ np.array([len(vertices), 1])  # [3F] one number per undirected edge
    _, edge, uses = np.unique(code, return_inverse=True, return_counts=True)
    alone = uses[edge] == 1  # [3F] in one face only
    a, b = directed[alone].T  # [boundary edges]
    along = vertices[b] - vertices[a]
    upright = _cross(along, np.tile(unit, (3, 1))[alone])  # as long as the edge
    length = _length(upright)
    upright = np.divide(upright, length[:, None], out=np.zeros_like(upright), where=length[:, None] > 0)
    forms = _plane_forms(upright, vertices[a], _BOUNDARY * length**2)
    _scatter(total, a, forms)
    _scatter(total, b, forms)


def _plane_forms(normal: np.ndarray, on_plane: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Squared distance to planes [F, 3] as forms [F, 10]."""
    x, y, z = normal.T
    d = -(x * on_plane[:, 0] + y * on_plane[:, 1] + z * on_plane[:, 2])  # [F]
    forms = [x * x, x * y, x * z, y * y, y * z, z * z, x * d, y * d, z * d, d * d]
    return np.stack(forms, axis=1) * weight[:, None]


def _point_forms(point: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Squared distance to points [F, 3] as forms [F, 10]."""
    x, y, z = point.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    forms = [one, zero, zero, one, zero, one, -x, -y, -z, x * x + y * y + z * z]
    return np.stack(forms, axis=1) * weight[:, None]


def _scatter(total: np.ndarray, rows: np.ndarray, forms: np.ndarray) -> None:
    """Add forms to rows one after the other; a fixed order of summation gives the same bits everywhere."""
    for column in range(forms.shape[1]):
        total[:, column] += np.bincount(rows, forms[:, column], len(total))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    ax, ay, az = a.T
    bx, by, bz = b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def _length(vectors: np.ndarray) -> np.ndarray:
    x, y, z = vectors.T
    return np.sqrt(x * x + y * y + z * z)


class _CollapseQueue:
    """The possible collapses of a mesh, cheapest first."""

    def __init__(self, mesh: CollapsibleMesh, quadrics: list[Quadric]) -> None:
        self._mesh = mesh
        self._quadrics = quadrics
        self._changes = [0] * len(quadrics)  # how often a vertex's form has changed; older entries are void
        self._refused: set[tuple[int, int]] = set()
        self._heap: list[tuple[float, int, int, int]] = []
        for a, b in mesh.edges():
            self._push(a, b)
            self._push(b, a)

    def collapse_cheapest(self) -> bool:
        """Carry out the cheapest collapse that is allowed; False when there is none."""
        while self._heap:
            _, gone, kept, changes = heapq.heappop(self._heap)
            if kept not in self._mesh.neighbors.get(gone, ()) or changes != self._stamp(gone, kept):
                continue
            if self._mesh.may_collapse(gone, kept):
                self._collapse(gone, kept)
                return True
            self._refused.add((gone, kept))
        return False

    def _collapse(self, gone: int, kept: int) -> None:
        self._mesh.collapse(gone, kept)
        self._quadrics[kept] = tuple(map(float.__add__, self._quadrics[kept], self._quadrics[gone]))
        self._changes[kept] += 1
        for vertex in self._mesh.neighbors[kept]:
            self._push(vertex, kept)
            self._push(kept, vertex)
            for other in self._mesh.neighbors[vertex]:  # the faces here have changed: what was refused may go now
                for pair in ((vertex, other), (other, vertex)):
                    if pair in self._refused:
                        self._refused.discard(pair)
                        self._push(*pair)

    def _push(self, gone: int, kept: int) -> None:
        cost = _value(self._quadrics[gone], self._mesh.points[kept])
        cost += _value(self._quadrics[kept], self._mesh.points[kept])
        heapq.heappush(self._heap, (cost, gone, kept, self._stamp(gone, kept)))

    def _stamp(self, gone: int, kept: int) -> int:
        return self._changes[gone] + self._changes[kept]


def _value(q: Quadric, point: Point) -> float:
    """Value of the form at a point."""
    x, y, z = point
    return (
        x * (q[0] * x + 2.0 * (q[1] * y + q[2] * z + q[6]))
        + y * (q[3] * y + 2.0 * (q[4] * z + q[7]))
        + z * (q[5] * z + 2.0 * q[8])
        + q[9]
    )
