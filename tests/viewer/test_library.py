import zipfile
from importlib import resources

import pytest

from pose2mesh.errors import MissingDependencyError
from pose2mesh.viewer.page import three_js


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A trimesh whose viewer the test writes; the answer that is kept is forgotten before and after."""
    (tmp_path / "resources" / "templates").mkdir(parents=True)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    three_js.cache_clear()
    yield tmp_path / "resources" / "templates" / "viewer.zip"
    three_js.cache_clear()


def test_it_is_three_and_its_loader():
    script = three_js()
    assert "Three.js Authors" in script[:200]
    assert script.endswith("THREE.GLTFLoader=GLTFLoader;})();")
    assert 500_000 < len(script) < 2_000_000


def test_a_trimesh_without_it_is_told(files):
    with pytest.raises(MissingDependencyError, match="pip install"):
        three_js()


def test_a_viewer_built_otherwise_is_told(files):
    with zipfile.ZipFile(files, "w") as archive:
        archive.writestr("viewer.html.template", "<script>let THREE = {};</script>")
    with pytest.raises(MissingDependencyError, match="built otherwise"):
        three_js()
