import os
import subprocess
import sys

import numpy as np
import pytest

from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.rendering import pyrender_backend, software
from pose2mesh.rendering.backends import get_renderer


@pytest.fixture
def without_gl(monkeypatch):
    """A machine where no GL platform works; kept answers are forgotten before and after."""
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    monkeypatch.setattr(pyrender_backend, "_probe", lambda platform: f"no library for {platform}")
    for cached in (get_renderer, pyrender_backend.working_platform):
        cached.cache_clear()
    yield
    for cached in (get_renderer, pyrender_backend.working_platform):
        cached.cache_clear()


def test_auto_falls_back_to_software_silently(without_gl, capfd, recwarn):
    renderer = get_renderer("auto")
    assert renderer.name == "software"
    assert renderer.render is software.render
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_pyrender_without_gl_names_each_platform_and_the_remedy(without_gl):
    with pytest.raises(MissingDependencyError, match=r"egl: no library.*osmesa: no library.*apt-get install"):
        get_renderer("pyrender")


def test_osmesa_is_tried_after_egl(without_gl, monkeypatch):
    monkeypatch.setattr(pyrender_backend, "_probe", lambda platform: "absent" if platform == "egl" else None)
    assert pyrender_backend.working_platform() == "osmesa"


def test_the_platform_of_the_environment_is_the_only_one_tried(without_gl, monkeypatch):
    tried = []
    monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
    monkeypatch.setattr(pyrender_backend, "_probe", lambda platform: tried.append(platform) or "absent")
    assert get_renderer("auto").name == "software"
    assert tried == ["osmesa"]


def test_a_broken_platform_is_reported_by_the_probe():
    failure = pyrender_backend._probe("nonsense")  # the last line of an error, and not its traceback
    assert failure is not None
    assert "Error" in failure
    assert "\n" not in failure


def test_another_loaded_platform_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenGL", object())
    monkeypatch.setenv("PYOPENGL_PLATFORM", "glx")
    with pytest.raises(MissingDependencyError, match="PYOPENGL_PLATFORM=egl before the start"):
        pyrender_backend.use_platform("egl")


def test_unknown_backend_names_the_known_ones():
    with pytest.raises(InputError, match="auto, pyrender, software"):
        get_renderer("vulkan")


def test_rendering_imports_neither_gl_nor_mesh_libraries():
    code = (
        "import sys, pose2mesh.rendering; pose2mesh.rendering.get_renderer('software');"
        "print([m for m in ('OpenGL', 'pyrender', 'trimesh', 'PIL', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


_DRAW_A_SQUARE = """
import sys
import numpy as np
from pose2mesh.errors import MissingDependencyError
from pose2mesh.rendering.backends import get_renderer
from pose2mesh.rendering.software import Pinhole
try:
    renderer = get_renderer("pyrender")
except MissingDependencyError as error:
    raise SystemExit(f"no GL: {error}")
corners = np.array([[0.2, -0.5, 2.0], [0.6, -0.5, 2.0], [0.6, -0.1, 2.0], [0.2, -0.1, 2.0]])
faces = np.array([[0, 1, 2], [0, 2, 3]])
rgb, depth = renderer.render(corners, faces, Pinhole(400.0, (100.0, 120.0), (240, 160)), (0.9, 0.7, 0.6))
np.savez(sys.argv[1], rgb=rgb, depth=depth, name=renderer.name)
"""


@pytest.mark.parametrize("platform", pyrender_backend.PLATFORMS)
def test_each_gl_platform_puts_the_body_where_the_camera_projects_it(platform, tmp_path):
    path = tmp_path / "drawn.npz"
    command = [sys.executable, "-c", _DRAW_A_SQUARE, str(path)]
    environment = {**os.environ, "PYOPENGL_PLATFORM": platform}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.stderr.startswith("no GL"):
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    drawn = np.load(path)
    assert drawn["name"] == f"pyrender/{platform}"
    rows, columns = np.nonzero(drawn["depth"])
    # 0.2 m at 2 m and 400 pixels of focal length: 40 pixels right of the center; and so on.
    assert (columns.min(), columns.max() + 1) == pytest.approx((140, 220), abs=1)
    assert (rows.min(), rows.max() + 1) == pytest.approx((20, 100), abs=1)
    np.testing.assert_allclose(drawn["depth"][rows, columns], 2, atol=1e-3)
    assert drawn["rgb"].dtype == np.uint8
    assert not drawn["rgb"][drawn["depth"] == 0].any()
    assert drawn["rgb"][drawn["depth"] > 0].min() > 50


@pytest.mark.parametrize("platform", pyrender_backend.PLATFORMS)
def test_triton_can_be_imported_after_something_was_drawn(platform):
    pytest.importorskip("triton")
    if failure := pyrender_backend._probe(platform):
        pytest.skip(f"no GL: {failure}")
    environment = {**os.environ, "PYOPENGL_PLATFORM": platform}
    command = [sys.executable, "-c", f"{pyrender_backend._PROBE}; import triton"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
