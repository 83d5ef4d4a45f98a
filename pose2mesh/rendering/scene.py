"""People as pictures: over the photo they were found in, and from the side.

The default renderer is the software rasterizer: it draws the same bytes everywhere, its outlines lie where
the camera projects them, and without a GPU it is also the faster one
(docs/decisions/0010-software-renderer.md).
"""

from dataclasses import dataclass

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.rendering.backends import Renderer, get_renderer
from pose2mesh.rendering.drawing import check_image
from pose2mesh.rendering.shading import BACKGROUND, TINTS
from pose2mesh.rendering.software import NEAR
from pose2mesh.types import Camera, Person

SAMPLES = 2  # samples per pixel and axis, for smooth outlines
_MAX_SAMPLED = 16e6  # windows with more pixels than this get one sample: a large picture shows no steps
_SIDE_MARGIN = 0.08  # of the shorter side of the picture, left free around the body
_SIDE_DISTANCE = 30.0  # times the extent of the body: nearly an orthographic view


@dataclass(frozen=True)
class _Layer:
    """What was drawn into a window of the picture."""

    color: np.ndarray  # [h, w, 3] float32 0..255, mean of the covered samples
    coverage: np.ndarray  # [h, w] float32, share of the covered samples
    corner: tuple[int, int]  # x, y of the window in the picture, pixels


def render_overlay(
    image: np.ndarray, people: list[Person], alpha: float = 1.0, renderer: Renderer | None = None
) -> np.ndarray:
    """Draw all people over the photo in one picture, the nearer in front of the farther.

    Each person gets a tint of `shading.TINTS` by their place in the list. Pixels outside every body keep
    their bytes; `alpha` in [0, 1] is the opacity of the bodies.

    Shapes: image [H, W, 3] uint8; returns [H, W, 3] uint8. Raises InputError when the image is malformed, a
    person has no camera, or a camera belongs to a picture of another size.
    """
    check_image(image)
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; expected a number from 0 to 1")
    height, width = image.shape[:2]
    cameras = [_camera_of(person, index, (width, height)) for index, person in enumerate(people)]
    layer = _draw(people, cameras, (width, height), renderer)
    return _blend(image, layer, alpha)


def render_side_view(
    person: Person, size: tuple[int, int] = (512, 512), renderer: Renderer | None = None
) -> np.ndarray:
    """The person from the side: the camera walks a quarter around the vertical axis, to
    where its +x axis pointed.

    What is far from the photo's camera is on the right. The body is centered and fills the picture; the focal
    length is so long that sizes do not depend on the distance.

    Shapes: size (W, H) in pixels; returns [H, W, 3] uint8.
    """
    vertices = np.asarray(person.vertices, np.float64)  # [V, 3]
    turned = np.stack([vertices[:, 2], vertices[:, 1], -vertices[:, 0]], axis=1)  # [V, 3]
    low, high = turned.min(axis=0), turned.max(axis=0)
    distance = _SIDE_DISTANCE * max(float((high - low).max()), NEAR)
    free = np.array(size) - 2 * _SIDE_MARGIN * min(size)  # pixels for the body
    # The nearest part of the body is the largest in the picture, so it decides whether all of it fits.
    nearest = distance - (high[2] - low[2]) / 2
    focal = float(nearest * np.min(free / np.maximum((high - low)[:2], 1e-9)))
    translation = np.array([0, 0, distance]) - (low + high) / 2
    camera = Camera(focal, (size[0] / 2, size[1] / 2), translation)
    canvas = np.full((size[1], size[0], 3), np.rint(255 * np.array(BACKGROUND)), np.uint8)
    side = Person(turned, person.faces, person.joints, person.joint_names, person.keypoints, camera)
    return _blend(canvas, _draw([side], [camera], size, renderer), alpha=1.0)


def _camera_of(person: Person, index: int, size: tuple[int, int]) -> Camera:
    if person.camera is None:
        raise InputError(f"people[{index}] has no camera, so its place in the picture is unknown; fit a camera first")
    known = person.camera.image_size
    if known is not None and tuple(known) != size:
        raise InputError(
            f"people[{index}] was seen in a picture of {known[0]}x{known[1]} pixels, but this one has "
            f"{size[0]}x{size[1]}; pass the picture that the keypoints were found in"
        )
    return person.camera


def _draw(people: list[Person], cameras: list[Camera], size: tuple[int, int], renderer: Renderer | None) -> _Layer:
    """Draw each person in their own window, keep the nearest sample, average the samples of each pixel."""
    renderer = renderer or get_renderer("software")
    windows = [_window(person, camera, size) for person, camera in zip(people, cameras, strict=True)]
    windows = np.array(windows, int).reshape(-1, 2, 2)  # [P, 2, 2]
    drawn = np.flatnonzero((windows[:, 1] > windows[:, 0]).all(axis=1))  # who is in the picture at all
    corner = windows[drawn, 0].min(axis=0, initial=max(size))  # [2]
    width, height = np.maximum(windows[drawn, 1].max(axis=0, initial=0) - corner, 0).tolist()
    samples = SAMPLES if width * height <= _MAX_SAMPLED else 1
    color = np.zeros((height * samples, width * samples, 3), np.uint8)
    depth = np.full((height * samples, width * samples), np.inf, np.float32)
    for index in drawn.tolist():
        camera = cameras[index]
        body = people[index].vertices + camera.translation  # [V, 3]
        (left, top), (right, bottom) = (samples * (windows[index] - corner)).tolist()
        center = samples * (np.asarray(camera.center) - windows[index, 0])  # [2]
        rgb, z = renderer.render(
            body,
            people[index].faces,
            samples * camera.focal,
            tuple(center.tolist()),
            (right - left, bottom - top),
            TINTS[index % len(TINTS)],
        )
        color_here, depth_here = color[top:bottom, left:right], depth[top:bottom, left:right]
        in_front = (z > 0) & (z < depth_here)
        color_here[in_front], depth_here[in_front] = rgb[in_front], z[in_front]
    return _average(color, np.isfinite(depth), samples, tuple(corner.tolist()))


def _window(person: Person, camera: Camera, size: tuple[int, int]) -> np.ndarray:
    """First and last pixel (exclusive) of the part of the picture that holds the body, [2, 2] as (x, y)."""
    body = person.vertices + camera.translation  # [V, 3]
    points = camera.project(person.vertices[body[:, 2] > NEAR])  # [V', 2]
    if not len(points):
        return np.zeros((2, 2), int)
    ends = np.stack([np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))])
    return np.clip(ends, 0, size).astype(int)


def _average(color: np.ndarray, covered: np.ndarray, samples: int, corner: tuple[int, int]) -> _Layer:
    """Samples color [h s, w s, 3] and covered [h s, w s] to pixels."""
    height, width = covered.shape[0] // samples, covered.shape[1] // samples
    grid = (height, samples, width, samples)
    count = covered.reshape(grid).sum(axis=(1, 3))  # [h, w]
    total = color.reshape(*grid, 3).sum(axis=(1, 3), dtype=np.uint16)  # [h, w, 3]; the rest is black
    mean = total / np.maximum(count, 1).astype(np.float32)[..., None]
    return _Layer(mean, (count / samples**2).astype(np.float32), corner)


def _blend(image: np.ndarray, layer: _Layer, alpha: float) -> np.ndarray:
    """A copy of image [H, W, 3] uint8 with the layer on it; pixels without coverage keep their bytes."""
    out = image.copy()
    height, width = layer.coverage.shape
    window = out[layer.corner[1] :, layer.corner[0] :][:height, :width]  # [h, w, 3], a view
    hit = layer.coverage > 0
    opacity = alpha * layer.coverage[hit][:, None]  # [S, 1]
    window[hit] = np.rint((1 - opacity) * window[hit] + opacity * layer.color[hit]).astype(np.uint8)
    return out
