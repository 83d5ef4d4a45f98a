from itertools import pairwise

import numpy as np
import pytest
from hierarchy_meshes import MESHES, icosphere

from pose2mesh.errors import InputError
from pose2mesh.hierarchy import build_hierarchy, fit_upsampling
from pose2mesh.hierarchy.hierarchy import Hierarchy

KINDS = {
    "qem": {"pooling": "qem", "sizes": (64, 20)},
    "hem": {"pooling": "hem", "levels": 3},
    "hem legacy": {"pooling": "hem", "levels": 3, "order": "legacy"},
}


@pytest.fixture(scope="module", params=[(mesh, kind) for mesh in MESHES for kind in KINDS], ids=" ".join)
def hierarchy(request: pytest.FixtureRequest) -> Hierarchy:
    mesh, kind = request.param
    return build_hierarchy(*MESHES[mesh], joint_set="coco19", **KINDS[kind])


def test_laplacians_are_symmetric_with_a_chebyshev_spectrum(hierarchy):
    for level in range(hierarchy.num_levels):
        scaled = hierarchy.scaled_laplacian(level, "chebyshev").toarray()
        np.testing.assert_allclose(scaled, scaled.T, atol=1e-15)
        values = np.linalg.eigvalsh(scaled)
        assert values[0] >= -1 - 1e-9 and values[-1] == pytest.approx(1, abs=1e-9)
        released = hierarchy.scaled_laplacian(level, "release").toarray()
        np.testing.assert_allclose(released, (scaled - 3 * np.eye(len(scaled))) / 4, atol=1e-14)


def test_pool_undoes_upsample(hierarchy):
    for up, down in zip(hierarchy.upsample, hierarchy.pool, strict=True):
        np.testing.assert_allclose((down @ up).toarray(), np.eye(up.shape[1]), atol=1e-14)
        np.testing.assert_allclose(np.asarray(up.sum(axis=1)).ravel(), 1.0, atol=1e-12)
        np.testing.assert_allclose(np.asarray(down.sum(axis=1)).ravel(), 1.0, atol=1e-12)


def test_shapes_chain_from_the_mesh_to_the_coarsest_level(hierarchy):
    sizes = hierarchy.sizes
    assert [m.shape for m in hierarchy.upsample] == list(pairwise(sizes))
    assert [m.shape[::-1] for m in hierarchy.pool] == list(pairwise(sizes))
    assert [len(mask) for mask in hierarchy.is_real] == list(sizes)
    assert hierarchy.real_sizes[0] == hierarchy.num_vertices == len(hierarchy.inverse)
    assert hierarchy.joint_set == "coco19" and hierarchy.joint_laplacian.shape == (19, 19)


def test_the_output_holds_every_vertex_once_and_no_fake(hierarchy):
    rows = hierarchy.inverse
    assert hierarchy.is_real[0][rows].all() and len(set(rows.tolist())) == hierarchy.num_vertices
    np.testing.assert_array_equal(hierarchy.permutation[rows], np.arange(hierarchy.num_vertices))
    assert (hierarchy.permutation[~hierarchy.is_real[0]] >= hierarchy.num_vertices).all()


def test_fake_nodes_are_isolated_and_never_averaged_with_real_ones(hierarchy):
    for laplacian, real in zip(hierarchy.laplacians, hierarchy.is_real, strict=True):
        np.testing.assert_array_equal(laplacian[~real].toarray(), np.eye(len(real))[~real])
    for down, (fine, coarse) in zip(hierarchy.pool, pairwise(hierarchy.is_real), strict=True):
        assert down[coarse][:, ~fine].nnz == 0


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("order", ["stable", "legacy"])
def test_every_node_has_exactly_one_parent(mesh, order):
    hierarchy = build_hierarchy(*MESHES[mesh], "hem", levels=3, order=order)
    for up, down in zip(hierarchy.upsample, hierarchy.pool, strict=True):
        np.testing.assert_array_equal(np.diff(up.indptr), 1)
        assert (up.data == 1).all()
        np.testing.assert_array_equal(np.bincount(up.indices), 2)  # a binary tree
        assert ((down > 0).toarray() <= (up > 0).T.toarray()).all()


def test_qem_levels_are_vertices_of_the_mesh():
    vertices, faces = MESHES["several"]
    hierarchy = build_hierarchy(vertices, faces, sizes=(64, 20))
    for ids, level_faces, size in zip(hierarchy.vertex_ids, hierarchy.level_faces, hierarchy.sizes, strict=True):
        assert len(ids) == size == level_faces.max() + 1
    for fine, coarse, down in zip(hierarchy.vertex_ids, hierarchy.vertex_ids[1:], hierarchy.pool, strict=False):
        np.testing.assert_array_equal(down @ vertices[fine], vertices[coarse])


def test_defaults():
    vertices, faces = icosphere(3)
    assert build_hierarchy(vertices, faces).sizes == (642, 80, 20, 5)
    assert build_hierarchy(vertices, faces, "hem").real_sizes[-1] <= 32


def test_a_moved_and_scaled_mesh_has_the_same_hierarchy():
    vertices, faces = MESHES["open"]
    here = build_hierarchy(vertices, faces, sizes=(64,))
    there = build_hierarchy(8.0 * vertices + [256.0, -512.0, 1024.0], faces, sizes=(64,))
    np.testing.assert_array_equal(here.vertex_ids[1], there.vertex_ids[1])
    np.testing.assert_allclose(here.upsample[0].toarray(), there.upsample[0].toarray(), atol=1e-9)


def test_with_upsampling_replaces_one_matrix_and_checks_it():
    vertices, faces = icosphere(2)
    hierarchy = build_hierarchy(vertices, faces, sizes=(60, 20))
    samples = vertices * np.random.default_rng(0).uniform(0.5, 2, (30, 1, 3))
    fitted = fit_upsampling(samples, faces, hierarchy.vertex_ids[1])
    changed = hierarchy.with_upsampling(0, fitted)
    np.testing.assert_array_equal(changed.upsample[0].toarray(), fitted.toarray())
    assert hierarchy.upsample[0].nnz != fitted.nnz and changed.upsample[1] is hierarchy.upsample[1]
    with pytest.raises(InputError, match=r"must be \(60, 20\)"):
        hierarchy.with_upsampling(1, fitted)
    with pytest.raises(InputError, match="moves the coarse nodes by up to"):
        hierarchy.with_upsampling(0, 1.1 * fitted)


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "hem", "sizes": (10,)},
        {"pooling": "qem", "levels": 2},
        {"pooling": "qem", "order": "legacy"},
        {"pooling": "max"},
    ],
)
def test_options_of_the_other_pooling_are_refused(options):
    with pytest.raises(InputError, match="takes sizes only"):
        build_hierarchy(*icosphere(1), **options)
