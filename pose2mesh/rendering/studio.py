"""A small room of our own: pictures of bodies whose true mesh is known, for detectors that expect photos.

The camera looks horizontally into a room with a wall behind the body and a tiled floor under its lowest point. The
body throws a soft shadow on the floor. All of it is closed form in numpy: the same bytes on every run, no GL.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from pose2mesh.rendering import software
from pose2mesh.rendering.backends import Render, Renderer
from pose2mesh.rendering.scene import render_overlay
from pose2mesh.rendering.shading import linear_from_srgb
from pose2mesh.rendering.software import Color, Pinhole
from pose2mesh.types import Camera, Person

SKIN_TONE = (0.75, 0.56, 0.45)  # sRGB; darker than the tints of overlays, so that the two are told apart
WALL_GAP = 1.5  # metres from the farthest point of the body to the wall
LOWEST_CAMERA = 0.3  # metres above the floor; a lower camera would see the floor edge-on
_WALL_TOP, _WALL_BOTTOM = (0.56, 0.62, 0.68), (0.80, 0.81, 0.80)  # sRGB in [0, 1]
_TILES = ((0.50, 0.47, 0.44), (0.58, 0.55, 0.51))
_TILE = 0.4  # metres
_SAMPLES = 2  # samples per pixel and axis
_CELL = 0.02  # metres of a cell of the shadow
_REACH = 1.0  # metres around the body that the shadow may cover
_SHADOWS = ((0.08, 0.05, 0.55), (0.6, 0.25, 0.35))  # (fading height m, blur m, strength): contact, whole body


def render_studio(vertices: np.ndarray, faces: np.ndarray, view: Pinhole, color: Color = SKIN_TONE) -> np.ndarray:
    """Picture uint8 [H, W, 3] of a body in the studio, with smooth outlines; arguments as in `software.render`."""
    camera = Camera(view.focal, view.center, np.zeros(3), view.size)
    nobody = np.zeros((0, 3), np.float32)  # joints and keypoints are not drawn
    body = Person(vertices, faces, nobody, (), nobody, camera)
    background = studio_background(vertices, view)
    return render_overlay(background, [body], "solid", Renderer("studio", _painter(color)))


def _painter(own: Color) -> Render:
    """`software.render` in the body's own color, whatever tint the overlay asks for."""
    return lambda vertices, faces, view, color: software.render(vertices, faces, view, own)


def studio_background(vertices: np.ndarray, view: Pinhole) -> np.ndarray:
    """The room alone, with the shadow of the body; arguments and result as in `render_studio`."""
    focal, center, (width, height) = view
    ground = max(float(vertices[:, 1].max()), LOWEST_CAMERA)  # y of the floor
    wall = float(vertices[:, 2].max()) + WALL_GAP  # z of the wall
    offset = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    x = ((np.arange(width)[:, None] + offset).ravel() - center[0]) / focal  # [W s] rays, z = 1
    y = ((np.arange(height)[:, None] + offset).ravel() - center[1]) / focal  # [H s]
    light = np.empty((len(y), len(x), 3), np.float32)  # [H s, W s, 3] linear
    above = y * wall < ground  # [H s] rays that meet the wall first
    up = np.clip((ground - y[above] * wall) / max(ground + wall / 2, 1.0), 0, 1)[:, None, None]  # [h, 1, 1]
    light[above] = (1 - up) * linear_from_srgb(np.array(_WALL_BOTTOM)) + up * linear_from_srgb(np.array(_WALL_TOP))
    depth = ground / y[~above]  # [h] z of the floor
    light[~above] = _floor(np.outer(depth, x), np.repeat(depth[:, None], len(x), 1), vertices, ground)
    mean = light.reshape(height, _SAMPLES, width, _SAMPLES, 3).mean(axis=(1, 3))  # [H, W, 3]
    return np.rint(255 * np.clip(mean, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def _floor(x: np.ndarray, z: np.ndarray, vertices: np.ndarray, ground: float) -> np.ndarray:
    """Light [h, w, 3] of the floor's points x, z [h, w] m: tiles under the shadow of vertices [V, 3]."""
    is_dark = (np.floor(x / _TILE) + np.floor(z / _TILE)) % 2 == 0  # [h, w]
    dark, bright = (linear_from_srgb(np.array(tile)) for tile in _TILES)
    tiles = np.where(is_dark[..., None], dark, bright)  # [h, w, 3]
    corner = vertices[:, [0, 2]].min(axis=0) - _REACH  # [2] of the shadow's map
    shape = np.ceil((vertices[:, [0, 2]].max(axis=0) + _REACH - corner) / _CELL).astype(int)
    shadow = _shadow_map(vertices, ground, corner, shape)  # [X, Z]
    at = np.stack([(x - corner[0]) / _CELL - 0.5, (z - corner[1]) / _CELL - 0.5])  # [2, h, w]
    return tiles * (1 - map_coordinates(shadow, at, order=1))[..., None]


def _shadow_map(vertices: np.ndarray, ground: float, corner: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Share of the light that is missing in each cell of the floor, [X, Z]: what is low throws the darker shadow."""
    cell = ((vertices[:, [0, 2]] - corner) / _CELL).astype(int)  # [V, 2]
    light = np.ones(shape)  # [X, Z]
    for fade, blur, strength in _SHADOWS:
        above = np.exp(-(ground - vertices[:, 1]) / fade)  # [V]
        cover = np.zeros(shape)
        np.maximum.at(cover, tuple(cell.T), np.minimum(above, 1))
        cover = gaussian_filter(cover, blur / _CELL, mode="constant")
        light *= 1 - strength * np.minimum(cover / max(cover.max(), 1e-12), 1)
    return 1 - light
