"""People as pictures: over the photo they were found in, and turned, on the ground.

The default renderer is the software rasterizer: it draws the same bytes everywhere, its outlines lie where the camera
projects them, and without a GPU it is also the faster one (docs/decisions/0010-software-renderer.md). A person is drawn
in their own window of the picture, with at most `_MOST_SAMPLES`, so that a close-up costs no more than a figure.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.rendering.backends import Renderer, get_renderer
from pose2mesh.rendering.drawing import check_image
from pose2mesh.rendering.shading import BACKGROUND, TINTS
from pose2mesh.rendering.software import NEAR, Pinhole
from pose2mesh.types import Camera, Person

OVERLAYS = ("blend", "solid", "beside")
SAMPLES = 2.0  # per pixel and axis at most, for smooth outlines
_MOST_SAMPLES = 2.5e5  # in a person's window; larger ones are drawn smaller and enlarged: bodies have no fine detail
_BLEND = 0.75  # opacity of translucent bodies
_MARGIN = 0.08  # of the shorter side of a view, left free around the body
_DISTANCE = 30.0  # times the extent of the body: nearly an orthographic view
_GROUND = (0.72, 0.74, 0.77)  # sRGB of the ground's line
_FADED = 0.35  # opacity of what no seen joint is near
_BLUR = 0.08  # metres over which a limb fades


def render_overlay(
    image: np.ndarray,
    people: Sequence[Person],
    style: str = OVERLAYS[0],
    renderer: Renderer | None = None,
    samples: float = SAMPLES,
) -> np.ndarray:
    """Draw all people over the photo in one picture, the nearer over the farther.

    Each person gets a tint of `shading.TINTS` by their place in the list, and limbs that the photo does not show are
    faded. `style` is blend (translucent), solid, or beside: the photo, and to its right the solid overlay. Pixels
    outside every body keep their bytes. `samples` per pixel and axis, at most: 1 is faster, with rougher outlines.

    Shapes: image [H, W, 3] uint8; returns [H, W, 3] uint8, beside [H, 2 W, 3]. Raises InputError when the image is
    malformed, the style unknown, a person has no camera, or a camera belongs to a picture of another size.
    """
    check_image(image)
    if style not in OVERLAYS:
        raise InputError(f"unknown overlay {style!r}; known: {', '.join(OVERLAYS)}")
    cameras = [_camera_of(person, index, image.shape[1::-1]) for index, person in enumerate(people)]
    picture = image.copy()
    for index in sorted(range(len(people)), key=lambda i: -cameras[i].translation[2]):
        tint = tint_of(people[index], index)
        _paint(picture, people[index], cameras[index], tint, _BLEND if style == "blend" else 1.0, renderer, samples)
    return np.concatenate([image, picture], axis=1) if style == "beside" else picture


def tint_of(person: Person, index: int) -> tuple[float, float, float]:
    """The tint of a person in every picture: by the number over time, else by the place in the list."""
    return TINTS[(index if person.track is None else person.track - 1) % len(TINTS)]


def render_views(
    person: Person,
    angles: Sequence[float] = (45.0, 90.0),
    size: tuple[int, int] = (512, 512),
    tint: tuple[float, float, float] = TINTS[0],
    renderer: Renderer | None = None,
) -> np.ndarray:
    """The person turned by angles (degrees) about the vertical axis, side by side, at one scale, on one ground.

    At 0 it is seen as the photo's camera saw it; at 90 from where that camera's +x axis pointed, so that what is far
    from the camera is on the right. The bodies fill their pictures; the focal length is so long that sizes do not
    depend on the distance. They stand with their lowest point on a line, at one height whatever the pose. Limbs that
    the photo does not show are faded.

    Shapes: size (W, H) of one view in pixels; tint sRGB in [0, 1]; returns uint8 [H, n W, 3]. Raises InputError for a
    person without a mesh.
    """
    if not len(person.faces):
        raise InputError("this person has no mesh to be shown from another side")
    turns = [_turn(angle) for angle in angles]
    turned = [np.asarray(person.vertices, np.float64) @ turn for turn in turns]  # [V, 3] each
    low, high = (np.stack([end(vertices, axis=0) for vertices in turned]) for end in (np.min, np.max))  # [n, 3]
    distance = _DISTANCE * max(float((high - low).max()), NEAR)
    free = np.array(size) - 2 * _MARGIN * min(size)  # pixels for the body
    # The nearest part of the body is the largest in the picture, so it decides whether all of it fits.
    nearest = distance - (high - low)[:, 2].max() / 2
    focal = float(nearest * np.min(free / np.maximum((high - low)[:, :2], 1e-9)))
    picture = np.full((size[1], size[0] * len(angles), 3), _bytes(BACKGROUND), np.uint8)
    ground = round(size[1] - _MARGIN * min(size))  # pixels from above
    picture[ground : ground + max(1, size[1] // 200)] = _bytes(_GROUND)
    for index, vertices in enumerate(turned):
        middle = (low[index] + high[index]) / 2
        place = np.array([-middle[0], -high[index, 1], distance - middle[2]])
        camera = Camera(focal, (size[0] * (index + 0.5), ground), place)
        view = replace(person, vertices=vertices, joints=person.joints @ turns[index], camera=camera)
        _paint(picture, view, camera, tint, 1.0, renderer)
    return picture


def _turn(degrees: float) -> np.ndarray:
    """What turns row vectors [V, 3] about the vertical axis; at 90 degrees (x, y, z) becomes (z, y, -x)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])


def _bytes(color: tuple[float, float, float]) -> np.ndarray:
    return np.rint(255 * np.array(color)).astype(np.uint8)


def _camera_of(person: Person, index: int, size: tuple[int, ...]) -> Camera:
    if person.camera is None:
        raise InputError(f"people[{index}] has no camera, so its place in the picture is unknown; fit a camera first")
    known = person.camera.image_size
    if known is not None and tuple(known) != size:
        raise InputError(
            f"people[{index}] was seen in a picture of {known[0]}x{known[1]} pixels, but this one has "
            f"{size[0]}x{size[1]}; pass the picture that the keypoints were found in"
        )
    return person.camera


def _paint(
    picture: np.ndarray,
    person: Person,
    camera: Camera,
    tint: tuple[float, float, float],
    opacity: float,
    renderer: Renderer | None,
    most: float = SAMPLES,
) -> None:
    """Draw a person into a picture [H, W, 3]: samples in a window of it, then their mean over each pixel."""
    from PIL import Image

    corner, end = _window(person, camera, picture.shape[1::-1])  # [2] each
    size = end - corner  # [2] pixels
    if (size <= 0).any():
        return
    samples = min(most, math.sqrt(_MOST_SAMPLES / size.prod()))  # per pixel and axis
    width, height = np.ceil(samples * size).astype(int).tolist()
    shown = vertex_opacity(person)  # [V] or None
    color = tint if shown is None else np.column_stack([np.tile(tint, (len(shown), 1)), shown])
    center = (samples * (np.asarray(camera.center) - corner)).tolist()
    render = (renderer or get_renderer("software")).render
    body = person.vertices + camera.translation  # [V, 3]
    drawn, depth = render(body, person.faces, Pinhole(samples * camera.focal, tuple(center), (width, height)), color)
    if drawn.shape[2] == 3:
        drawn = np.dstack([drawn, np.where(depth > 0, np.uint8(255), np.uint8(0))])
    how = Image.Resampling.BOX if samples > 1 else Image.Resampling.BILINEAR
    layer = Image.fromarray(drawn).resize(tuple(size.tolist()), how, (0, 0, *(samples * size).tolist()))
    mask = layer.getchannel("A").point([round(opacity * value) for value in range(256)])
    window = picture[corner[1] : end[1], corner[0] : end[0]]  # [h, w, 3], a view
    blended = Image.fromarray(window)
    blended.paste(layer.convert("RGB"), (0, 0), mask)
    window[...] = blended


def _window(person: Person, camera: Camera, size: tuple[int, ...]) -> np.ndarray:
    """First and last pixel (exclusive) of the part of the picture that holds the body, [2, 2] as (x, y)."""
    x, y, z = np.add(person.vertices.T, camera.translation[:, None], order="C")  # [V] each: rows are reduced fast
    if not (z > NEAR).all():
        x, y, z = x[z > NEAR], y[z > NEAR], z[z > NEAR]
    if not len(z):
        return np.zeros((2, 2), int)
    slopes = x / z, y / z
    ends = np.array([[axis.min() for axis in slopes], [axis.max() for axis in slopes]])
    ends = camera.focal * ends + np.asarray(camera.center)
    return np.clip([np.floor(ends[0]), np.ceil(ends[1])], 0, size).astype(int)


def vertex_opacity(person: Person) -> np.ndarray | None:
    """Opacity [V] in [0.35, 1] by the nearest joints; None where all joints are seen or nobody told."""
    if person.seen is None or np.all(person.seen):
        return None
    joints, vertices = (np.asarray(points, np.float32) / _BLUR for points in (person.joints, person.vertices))
    logits = joints @ vertices.T - (joints**2).sum(axis=1)[:, None] / 2  # [J, V]: minus half the squared distance
    weights = np.exp(logits - logits.max(axis=0))
    share = np.asarray(person.seen, np.float32) @ weights / weights.sum(axis=0)  # [V] of seen joints nearby
    return _FADED + (1 - _FADED) * share
