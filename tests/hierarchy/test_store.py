import json
import time
import zipfile
from dataclasses import fields

import numpy as np
import pytest
from hierarchy_meshes import MESHES, icosphere
from scipy import sparse

from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.hierarchy import build_hierarchy, load_hierarchy, save_hierarchy, update_manifest
from pose2mesh.hierarchy.arrays import content_digest, hierarchy_to_arrays

# Digests of the whole content, the same for every NumPy and processor.
GOLDEN = {"qem": "ee5b7e6542a2edec", "hem": "d2f04411377ed5ea"}
KINDS = {"qem": {"sizes": (64, 20)}, "hem": {"pooling": "hem", "levels": 3}}


@pytest.fixture(scope="module", params=KINDS)
def hierarchy(request: pytest.FixtureRequest):
    return build_hierarchy(*MESHES["several"], joint_set="coco17", **KINDS[request.param])


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of graphs with one listed hierarchy, `ball`, found by name."""
    monkeypatch.setenv("POSE2MESH_GRAPHS", str(tmp_path))
    path = save_hierarchy(tmp_path / "ball.npz", build_hierarchy(*icosphere(2), sizes=(40,)))
    update_manifest(path, "pose2mesh build-graphs --mesh ball.ply -o ball.npz")
    return path


def test_what_is_loaded_is_what_was_saved(hierarchy, tmp_path):
    loaded = load_hierarchy(save_hierarchy(tmp_path / "h.npz", hierarchy))
    for field in fields(hierarchy):
        saved, read = getattr(hierarchy, field.name), getattr(loaded, field.name)
        pairs = zip(saved, read, strict=True) if isinstance(saved, tuple) else [(saved, read)]
        for a, b in pairs:
            if sparse.issparse(a):
                tolerance = 0 if "laplacian" in field.name else 1e-7
                np.testing.assert_allclose(b.toarray(), a.toarray(), atol=tolerance, rtol=0)
            else:
                np.testing.assert_array_equal(a, b)


def test_content_never_changes(hierarchy):
    assert content_digest(*hierarchy_to_arrays(hierarchy))[:16] == GOLDEN[hierarchy.pooling]


def test_content_survives_saving_and_bytes_do_not_depend_on_the_clock(hierarchy, tmp_path, monkeypatch):
    first = save_hierarchy(tmp_path / "a.npz", hierarchy)
    later = time.time() + 1e8
    monkeypatch.setattr(time, "time", lambda: later)
    loaded = load_hierarchy(first)
    assert save_hierarchy(tmp_path / "b.npz", loaded).read_bytes() == first.read_bytes()


def test_every_change_of_content_changes_the_digest(hierarchy):
    header, arrays = hierarchy_to_arrays(hierarchy)
    before = content_digest(header, arrays)
    for name, array in arrays.items():
        changed = array.copy()
        changed.ravel()[-1] = ~changed.ravel()[-1] if array.dtype == bool else changed.ravel()[-1] + 1
        assert content_digest(header, arrays | {name: changed}) != before
    assert content_digest(header | {"num_vertices": 1}, arrays) != before


def test_a_listed_hierarchy_is_found_by_name(shipped):
    assert load_hierarchy("ball").sizes == (162, 40)
    entry = json.loads((shipped.parent / "manifest.json").read_text())["graphs"]["ball"]
    assert entry["sizes"] == [162, 40] and entry["pooling"] == "qem"
    assert entry["made_by"].startswith("pose2mesh build-graphs")


def test_the_manifest_keeps_the_other_entries(shipped):
    other = save_hierarchy(shipped.with_name("other.npz"), build_hierarchy(*icosphere(1), "hem"))
    update_manifest(other, "by hand")
    graphs = json.loads((shipped.parent / "manifest.json").read_text())["graphs"]
    assert list(graphs) == ["ball", "other"]


@pytest.mark.parametrize("name", ["ball", "path"])
def test_another_file_under_a_listed_name_is_refused(shipped, name):
    save_hierarchy(shipped, build_hierarchy(*icosphere(2), sizes=(41,)))
    source = "ball" if name == "ball" else shipped
    with pytest.raises(FormatError, match=r"the manifest lists .*rebuild it with `pose2mesh build-graphs`"):
        load_hierarchy(source)
    assert load_hierarchy(source, verify=False).sizes == (162, 41)


def test_a_shipped_name_must_be_listed_but_a_path_need_not(shipped):
    (shipped.parent / "manifest.json").unlink()
    with pytest.raises(FormatError, match="is not listed"):
        load_hierarchy("ball")
    assert load_hierarchy(shipped).sizes == (162, 40)


def test_changed_content_is_noticed_without_a_manifest(shipped, tmp_path):
    path = tmp_path / "changed.npz"
    with np.load(shipped) as file:
        arrays = dict(file)
    arrays["faces"] = arrays["faces"][:, ::-1]
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match="does not have the digest it carries"):
        load_hierarchy(path)


def test_foreign_truncated_and_missing_files(shipped, tmp_path):
    (tmp_path / "text.npz").write_text("no zip")
    (tmp_path / "short.npz").write_bytes(shipped.read_bytes()[:-200])
    np.savez(tmp_path / "foreign.npz", vertices=np.zeros(3))
    np.savez(tmp_path / "newer.npz", header=np.frombuffer(b'{"format": "pose2mesh-hierarchy-9"}', np.uint8))
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    for name in ("text", "short", "foreign", "newer", "empty"):
        with pytest.raises(FormatError, match=rf"{name}\.npz is damaged or no hierarchy.*restore"):
            load_hierarchy(tmp_path / f"{name}.npz")
    with pytest.raises(MissingFileError, match="pose2mesh build-graphs -o"):
        load_hierarchy(tmp_path / "absent.npz")
    with pytest.raises(MissingFileError, match=r"absent\.npz not found"):
        load_hierarchy("absent")


def test_a_pickle_inside_is_not_opened(shipped, tmp_path):
    np.savez(tmp_path / "pickle.npz", header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(FormatError, match="header holds object"):
        load_hierarchy(tmp_path / "pickle.npz")


def test_a_damaged_manifest_is_named(shipped):
    (shipped.parent / "manifest.json").write_text("[1]")
    with pytest.raises(FormatError, match=r"manifest\.json is not a manifest"):
        load_hierarchy("ball")
