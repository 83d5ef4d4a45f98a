"""Edge collapses that keep a triangle mesh a manifold: which are allowed, and carrying them out.

A collapse moves one end of an edge onto the other, so the vertices that remain keep their places. Plain
Python floats throughout: every operation is rounded once, so that no processor decides differently.
"""

import numpy as np

from pose2mesh.hierarchy.adjacency import adjacency_matrix

Point = tuple[float, float, float]

_SMALLEST_COMPONENT = 4  # vertices; a closed surface cannot have fewer, an open one (an eye) would lose its shape
_LARGEST_TURN = 0.2  # cosine of the largest turn of a face in one collapse (78°)


class CollapsibleMesh:
    """A mesh under decimation; vertices and faces keep their numbers while others disappear."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """Shapes: vertices [V, 3] float64; faces [F, 3]; both checked (`check_mesh`)."""
        from scipy.sparse.csgraph import connected_components  # slow to import

        self.points: list[Point] = [tuple(point) for point in vertices.tolist()]
        self.faces: dict[int, tuple[int, int, int]] = {i: tuple(face) for i, face in enumerate(faces.tolist())}
        self.faces_of: dict[int, set[int]] = {vertex: set() for vertex in range(len(vertices))}
        self.neighbors: dict[int, set[int]] = {vertex: set() for vertex in range(len(vertices))}
        for i, face in self.faces.items():
            for corner in face:
                self.faces_of[corner].add(i)
                self.neighbors[corner].update(face)
        for vertex, around in self.neighbors.items():
            around.discard(vertex)
        labels = connected_components(adjacency_matrix(faces, len(vertices)), directed=False)[1]  # [V]
        self._component: list[int] = labels.tolist()
        self._component_size: list[int] = np.bincount(labels).tolist()

    def __len__(self) -> int:
        """Number of vertices that are left."""
        return len(self.neighbors)

    def edges(self) -> list[tuple[int, int]]:
        """Every edge once, smaller vertex first."""
        return [(a, b) for a, around in self.neighbors.items() for b in around if a < b]

    def may_collapse(self, gone: int, kept: int) -> bool:
        """Whether `gone` can move onto its neighbor `kept` without tearing or folding the surface."""
        return (
            self._component_size[self._component[gone]] > _SMALLEST_COMPONENT
            and self._keeps_topology(gone, kept)
            and self._keeps_orientation(gone, kept)
        )

    def collapse(self, gone: int, kept: int) -> None:
        """Move `gone` onto `kept`; the faces between them disappear."""
        for i in self.faces_of.pop(gone):
            face = self.faces[i]
            if kept in face:
                del self.faces[i]
                for corner in face:
                    if corner != gone:
                        self.faces_of[corner].discard(i)
            else:
                a, b, c = (kept if corner == gone else corner for corner in face)
                self.faces[i] = (a, b, c)
                self.faces_of[kept].add(i)
        for vertex in self.neighbors.pop(gone):
            self.neighbors[vertex].discard(gone)
            if vertex != kept:
                self.neighbors[vertex].add(kept)
                self.neighbors[kept].add(vertex)
        self._component_size[self._component[gone]] -= 1

    def snapshot(self) -> tuple[np.ndarray, np.ndarray]:
        """What is left: vertex numbers [N] ascending, and faces [F', 3] int32 that index into them."""
        vertex_ids = np.array(sorted(self.neighbors), np.int32)  # [N]
        faces = np.array([self.faces[i] for i in sorted(self.faces)], np.int32)  # [F', 3] original numbers
        return vertex_ids, np.searchsorted(vertex_ids, faces).astype(np.int32)

    def _keeps_topology(self, gone: int, kept: int) -> bool:
        """The link condition (Dey et al. 1999): the ends share no neighbors but those across their common faces."""
        shared = self.faces_of[gone] & self.faces_of[kept]
        across = {corner for i in shared for corner in self.faces[i]} - {gone, kept}
        if len(shared) > 2 or self.neighbors[gone] & self.neighbors[kept] != across:
            return False
        if self._is_on_boundary(gone) and len(shared) != 1:
            return False  # a boundary vertex slides along the boundary, it neither leaves nor crosses it
        present = {frozenset(self.faces[i]) for i in self.faces_of[kept] - shared}
        moved = (self.faces[i] for i in self.faces_of[gone] - shared)
        return not any(frozenset(face) - {gone} | {kept} in present for face in moved)

    def _is_on_boundary(self, vertex: int) -> bool:
        """Around an inner vertex there are as many faces as neighbors; an open or pinched fan has fewer or more."""
        return len(self.faces_of[vertex]) != len(self.neighbors[vertex])

    def _keeps_orientation(self, gone: int, kept: int) -> bool:
        points = self.points
        for i in self.faces_of[gone] - self.faces_of[kept]:
            a, b, c = self.faces[i]
            before = _area_vector(points[a], points[b], points[c])
            after = _area_vector(*(points[kept if corner == gone else corner] for corner in (a, b, c)))
            agreement = _dot(before, after)
            if agreement <= 0.0 or agreement**2 < _LARGEST_TURN**2 * _dot(before, before) * _dot(after, after):
                return False
        return True


def _dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _area_vector(a: Point, b: Point, c: Point) -> Point:
    """Normal of a triangle with the length of twice its area."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
