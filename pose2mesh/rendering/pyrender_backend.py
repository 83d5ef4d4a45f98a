"""Drawing with pyrender through EGL (a GPU, or Mesa's llvmpipe) or OSMesa, without a display.

PyOpenGL reads `PYOPENGL_PLATFORM` once, when it is first imported, and a missing system library shows itself only when
a context is made. So each platform is tried in a process of its own, which also survives a crashing driver.

Under EGL pyrender takes four samples a pixel but returns the depth of one that lies up to 0.4 pixels off the center, so
depth and outline are shifted by that much. OSMesa samples the center, as the software rasterizer does.
"""

import ctypes
import functools
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import MachineError, MissingDependencyError
from pose2mesh.rendering.shading import GROUND, LIGHTS, SKY, light_directions, linear_from_srgb
from pose2mesh.rendering.software import NEAR, Color, Pinhole

PLATFORMS = ("egl", "osmesa")  # in the order they are tried
_FAR = 1000.0  # metres
_VARIABLE = "PYOPENGL_PLATFORM"
_OSMESA_CONSTANTS = {  # of Mesa's osmesa.h
    "OSMESA_DEPTH_BITS": 0x30,
    "OSMESA_PROFILE": 0x33,
    "OSMESA_CORE_PROFILE": 0x34,
    "OSMESA_CONTEXT_MAJOR_VERSION": 0x36,
    "OSMESA_CONTEXT_MINOR_VERSION": 0x37,
}
_PROBE = "from pose2mesh.rendering import pyrender_backend as backend; backend.draw_probe()"


def render(vertices: np.ndarray, faces: np.ndarray, view: Pinhole, color: Color) -> tuple[np.ndarray, np.ndarray]:
    """Draw a mesh; arguments and results as in `pose2mesh.rendering.software.render`.

    Colors of vertices [V, C] become their mean, without opacity.

    Raises MissingDependencyError when no platform works here, MachineError when the driver refuses the
    picture (its size limit, its memory).
    """
    use_platform(working_platform())
    pyrender = _import_pyrender()
    color = tuple(color[:, :3].mean(axis=0).tolist()) if isinstance(color, np.ndarray) else color
    scene = _scene(pyrender, vertices, faces, view, color)
    try:
        with _offscreen(pyrender, view.size) as renderer:
            rgb, depth = renderer.render(scene)
    except Exception as error:  # the drivers' errors share no class
        raise MachineError(f"pyrender cannot draw {view.size[0]}x{view.size[1]} pixels: {error}") from error
    covered = depth > 0  # OSMesa gives no alpha channel, so the depth tells the body from the background
    return np.where(covered[..., None], rgb[..., :3], np.uint8(0)), np.where(covered, depth, np.float32(0))


@functools.cache
def working_platform() -> str:
    """The first GL platform that can draw on this machine; the answer is kept.

    `PYOPENGL_PLATFORM`, where it is set, is the only one tried. Raises MissingDependencyError with the remedy.
    """
    chosen = os.environ.get(_VARIABLE)
    failures = []
    for platform in (chosen,) if chosen else PLATFORMS:
        failure = _probe(platform)
        if failure is None:
            return platform
        failures.append(f"{platform}: {failure}")
    raise MissingDependencyError(
        f"pyrender cannot draw here ({'; '.join(failures)}). Install it with: pip install pose2mesh[render] "
        "and apt-get install libegl1 libgl1-mesa-dri libosmesa6, or use backend='software'"
    )


def use_platform(platform: str) -> None:
    """Choose the GL platform of this process.

    Raises MissingDependencyError when another one is loaded already: it cannot be changed within a process.
    """
    loaded = os.environ.get(_VARIABLE)
    if "OpenGL" in sys.modules and loaded != platform:
        raise MissingDependencyError(
            f"OpenGL is loaded with {_VARIABLE}={loaded}, pyrender needs {platform}: set "
            f"{_VARIABLE}={platform} before the start, or use backend='software'"
        )
    os.environ[_VARIABLE] = platform


def draw_probe() -> None:
    """Draw one triangle and check that it is seen. Run in a process of its own by `working_platform`."""
    pyrender = _import_pyrender()
    triangle = np.array([[-1, -1, 3], [1, -1, 3], [0, 1, 3]], np.float64)  # [V, 3]
    view = Pinhole(32, (16, 16), (32, 32))
    with _offscreen(pyrender, view.size) as renderer:
        _, depth = renderer.render(_scene(pyrender, triangle, np.array([[0, 1, 2]]), view, (1, 1, 1)))
    if not (depth > 0).any():
        raise SystemExit("the driver draws nothing")


def _probe(platform: str) -> str | None:
    """Try a platform in a process of its own; the last line of its error, or None when it draws."""
    python_path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, _VARIABLE: platform, "PYTHONPATH": python_path}
    command = [sys.executable, "-c", _PROBE]
    try:
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if result.returncode == 0:
        return None
    lines = result.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"


def _import_pyrender():
    """pyrender 0.1.45, made to work with the PyOpenGL 3.1.0 that it pins.

    Its `bounds` and `scale` use a name that NumPy 2 removed, so nothing here may ask for them.
    """
    _load_triton_first()
    import pyrender

    if os.environ[_VARIABLE] == "osmesa":
        _complete_osmesa()
    return pyrender


def _load_triton_first() -> None:
    """Load Triton's library before Mesa's.

    Each brings an LLVM of its own. When Mesa's is there first, an `import triton` later in the process, by
    `torch.compile` for one, dies in a segmentation fault; the other order works. The library alone loads in
    0.02 s, Triton's Python modules would take ten times that.
    """
    spec = importlib.util.find_spec("triton")
    for folder in (spec and spec.submodule_search_locations) or ():
        for library in Path(folder, "_C").glob("libtriton*.so"):
            ctypes.CDLL(str(library))


def _complete_osmesa() -> None:
    """Give PyOpenGL 3.1.0 the attribute call that pyrender imports from it (added in PyOpenGL 3.1.7)."""
    osmesa: Any = importlib.import_module("OpenGL.osmesa")
    platform: Any = importlib.import_module("OpenGL.platform").PLATFORM
    if hasattr(osmesa, "OSMesaCreateContextAttribs"):
        return
    for name, value in _OSMESA_CONSTANTS.items():
        setattr(osmesa, name, value)
    function = platform.OSMesa.OSMesaCreateContextAttribs
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p], osmesa.OSMesaContext
    osmesa.OSMesaCreateContextAttribs = function
    # PyOpenGL keeps data per context in a dictionary, but the pointer class that it declares has no hash.
    platform.GetCurrentContext.restype = ctypes.c_void_p


@contextmanager
def _offscreen(pyrender, size: tuple[int, int]) -> Iterator:
    """An off-screen renderer of a size (W, H) that is deleted in any case: contexts are scarce."""
    renderer = pyrender.OffscreenRenderer(*size)
    try:
        yield renderer
    finally:
        renderer.delete()


def _scene(pyrender, vertices, faces, view, color):
    """Mesh, camera and the lights of `shading`, turned from our camera frame (y down, z forward) to GL's."""
    flip = np.array([1, -1, -1])  # half a turn about x
    ambient = (SKY + GROUND) / 2
    # GL averages the samples of a pixel on the outline with the background: its color leaves no dark fringe.
    scene = pyrender.Scene(bg_color=(*color, 0.0), ambient_light=(ambient, ambient, ambient))
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=(*linear_from_srgb(np.array(color)).tolist(), 1.0),
        metallicFactor=0.0,
        roughnessFactor=0.8,
        doubleSided=True,
    )
    import trimesh

    mesh = trimesh.Trimesh(vertices * flip, faces, process=False)
    scene.add(pyrender.Mesh.from_trimesh(mesh, material=material, smooth=True))
    camera = pyrender.IntrinsicsCamera(view.focal, view.focal, *view.center, znear=NEAR, zfar=_FAR)
    scene.add(camera)
    for direction, (_, strength) in zip(light_directions() * flip, LIGHTS, strict=True):
        # The diffuse term of pyrender divides by pi, ours does not.
        scene.add(pyrender.DirectionalLight(intensity=np.pi * strength), pose=_light_pose(direction))
    return scene


def _light_pose(direction: np.ndarray) -> np.ndarray:
    """Pose [4, 4] whose z axis points to the light: a GL light shines along its -z."""
    side = np.cross((0, 1, 0), direction)
    side /= np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([side, np.cross(direction, side), direction], axis=1)
    return pose
