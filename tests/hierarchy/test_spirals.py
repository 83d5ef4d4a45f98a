"""Spirals over meshes whose neighborhoods are known."""

import numpy as np
import pytest

from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.hierarchy.spirals import spiral_sequences


def triangle_lattice(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat sheet in which every inner node has six neighbors: positions [N, 2], faces [F, 3]."""
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    faces = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    row, column = np.divmod(index.ravel(), side)
    # Shear by half a step back, so that the diagonal a-d is as long as the sides.
    return np.stack([column - row / 2, row * np.sqrt(3) / 2], 1), faces


@pytest.fixture(scope="module")
def sheet() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions, faces = triangle_lattice(9)
    return positions, faces, spiral_sequences(faces, len(positions), 19)


def test_rings_lie_one_around_the_other(sheet) -> None:
    """Node, 6 at distance 1, then the 12 at distances √3 and 2: what a compass says, not the faces."""
    positions, _, spirals = sheet
    center = 4 * 9 + 4
    distance = np.linalg.norm(positions[spirals[center]] - positions[center], axis=1)
    assert spirals[center][0] == center and len(set(spirals[center])) == 19
    np.testing.assert_allclose(distance[1:7], 1)
    np.testing.assert_allclose(np.sort(distance[7:]), [np.sqrt(3)] * 6 + [2] * 6)


def test_each_ring_turns_counter_clockwise(sheet) -> None:
    positions, _, spirals = sheet
    for row in (3, 4, 5):
        center = row * 9 + 4
        step = positions[spirals[center][1:]] - positions[center]
        angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
        np.testing.assert_allclose(np.diff(angle[:6]), np.pi / 3)
        np.testing.assert_allclose(np.diff(angle[6:]), np.pi / 6)
        assert 0 < angle[6] - angle[5] < np.pi / 2  # the second ring goes on where the first one ends


def test_the_first_neighbor_leads_to_node_0(sheet) -> None:
    positions, _, spirals = sheet
    hops = np.maximum(*np.divmod(np.arange(81), 9))  # along rows, columns and one diagonal
    for node in range(1, 81):
        assert hops[spirals[node][1]] == hops[node] - 1
    assert len(positions) == 81


def test_components_that_are_too_small_are_filled_up() -> None:
    tetrahedra = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    spirals = spiral_sequences(np.concatenate([tetrahedra, tetrahedra + 4]), 8, 6)
    assert (spirals[:, 4:] == 8).all()
    for node in range(8):
        assert set(spirals[node][:4]) == set(range(4) if node < 4 else range(4, 8))
    assert (spirals[:4, 0] == range(4)).all()


def test_a_border_has_its_neighbors_once(sheet) -> None:
    _, faces, spirals = sheet
    edges = {tuple(sorted(edge)) for face in faces for edge in (face[:2], face[1:], face[::2])}
    for node in range(81):
        neighbors = {a + b - node for a, b in edges if node in (a, b)}
        assert set(spirals[node][1 : 1 + len(neighbors)]) == neighbors


def test_the_shipped_levels_give_the_same_spirals_every_time() -> None:
    hierarchy = load_hierarchy("anny_body_qem")
    faces, nodes = hierarchy.level_faces[-1], hierarchy.sizes[-1]
    spirals = spiral_sequences(faces, nodes, 9)
    assert spirals.shape == (nodes, 9) and np.array_equal(spirals[:, 0], np.arange(nodes))
    assert spirals.max() <= nodes and np.array_equal(spirals, spiral_sequences(faces.copy(), nodes, 9))
    full = [row for row in spirals if nodes not in row]
    assert len(full) > 0.8 * nodes and all(len(set(row)) == 9 for row in full)
