"""Choose what draws: pyrender where GL works, else the software rasterizer, which needs nothing but numpy."""

import functools
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.rendering import pyrender_backend, software
from pose2mesh.rendering.software import Color, Pinhole

BACKENDS = ("auto", "pyrender", "software")


class Render(Protocol):
    """Draw one mesh; see `pose2mesh.rendering.software.render` for shapes and units."""

    def __call__(
        self, vertices: np.ndarray, faces: np.ndarray, view: Pinhole, color: Color
    ) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Renderer:
    """A way to draw a mesh, and its name: `software`, `pyrender/egl` or `pyrender/osmesa`."""

    name: str
    render: Render


@functools.cache
def get_renderer(backend: str = "auto") -> Renderer:
    """The renderer of a name: `software`, `pyrender` (EGL, then OSMesa), or `auto` (pyrender, then software).

    The first call that may use pyrender tries GL in another process (about a second); the answer is kept.
    Raises InputError for another name, MissingDependencyError when `pyrender` is asked for and cannot draw.
    """
    if backend not in BACKENDS:
        raise InputError(f"unknown renderer {backend!r}; known: {', '.join(BACKENDS)}")
    if backend == "software":
        return Renderer("software", software.render)
    try:
        platform = pyrender_backend.working_platform()
        pyrender_backend.use_platform(platform)
    except MissingDependencyError:
        if backend == "pyrender":
            raise
        return get_renderer("software")
    return Renderer(f"pyrender/{platform}", pyrender_backend.render)
