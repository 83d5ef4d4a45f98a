"""Flat drawing on pictures: keypoint skeletons and contact sheets."""

import colorsys
from collections.abc import Sequence

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.rendering.shading import BACKGROUND

_JOINT_COLOR = (255.0, 255.0, 255.0)  # white dots end every bone
_GAP = 8  # pixels between the pictures of a contact sheet


def check_image(image: np.ndarray) -> None:
    """Raise InputError unless the image is uint8 [H, W, 3] with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        seen = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image is {seen}; expected a uint8 RGB array [H, W, 3]")
    if image.size == 0:
        raise InputError(f"image is empty: {list(image.shape)}")


def draw_keypoints(
    image: np.ndarray, keypoints: np.ndarray, bones: Sequence[tuple[int, int]], threshold: float = 0.0
) -> np.ndarray:
    """Draw a 2D skeleton on a copy of the image: bones in hues around the color circle, joints as white dots.

    Joints whose confidence is not above `threshold`, and bones that end in one, are left out.

    Shapes: image [H, W, 3] uint8; keypoints [J, 3] x, y in pixels and confidence; bones index pairs, for
    example `JointSet.bone_indices`; returns [H, W, 3] uint8. Raises InputError for other shapes or indices.
    """
    check_image(image)
    keypoints = np.asarray(keypoints, np.float64)  # [J, 3]
    if keypoints.ndim != 2 or keypoints.shape[1] != 3:
        raise InputError(f"keypoints are {list(keypoints.shape)}; expected [J, 3]: x, y, confidence")
    if any(not 0 <= joint < len(keypoints) for bone in bones for joint in bone):
        raise InputError(f"a bone names a joint beyond the {len(keypoints)} keypoints; use their own joint set")
    out = image.copy()
    points = keypoints[:, :2]  # [J, 2]
    seen = np.isfinite(points).all(axis=1) & (keypoints[:, 2] > threshold)  # [J]
    radius = max(1.0, 0.004 * max(image.shape[:2]))  # pixels: half the width of a bone
    for index, (a, b) in enumerate(bones):
        if seen[a] and seen[b]:
            hue = colorsys.hsv_to_rgb(index / len(bones), 0.75, 1.0)
            _stroke(out, points[a], points[b], radius, 255 * np.array(hue))
    for point in points[seen]:
        _stroke(out, point, point, 1.5 * radius, np.array(_JOINT_COLOR))
    return out


def _stroke(image: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float, color: np.ndarray) -> None:
    """Draw a line with round ends and smooth edges into image [H, W, 3]; points [2] and radius in pixels."""
    size = (image.shape[1], image.shape[0])
    low = np.clip(np.floor(np.minimum(start, end) - radius - 1), 0, size).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + radius + 1), 0, size).astype(int)
    window = image[low[1] : high[1], low[0] : high[0]]  # [h, w, 3], a view
    x, y = np.arange(low[0], high[0]) + 0.5 - start[0], np.arange(low[1], high[1])[:, None] + 0.5 - start[1]
    direction = end - start  # [2]
    along = (x * direction[0] + y * direction[1]) / max(direction @ direction, 1e-12)  # [h, w]
    along = np.clip(along, 0, 1)
    distance = np.hypot(x - along * direction[0], y - along * direction[1])  # [h, w] to the line
    opacity = np.clip(radius + 0.5 - distance, 0, 1)[..., None]  # [h, w, 1]
    window[...] = np.rint((1 - opacity) * window + opacity * color)


def contact_sheet(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay pictures out row by row, each centered in a cell of the largest size, with a gap around them.

    Shapes: images [H_i, W_i, 3] uint8 each; returns [H, W, 3] uint8. Raises InputError without an image or
    a column.
    """
    if not images or columns < 1:
        raise InputError(f"a contact sheet needs an image and a column; got {len(images)} and {columns}")
    for image in images:
        check_image(image)
    height, width = np.max([image.shape[:2] for image in images], axis=0) + _GAP  # of a cell with one gap
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    shape = (rows * height + _GAP, columns * width + _GAP, 3)
    sheet = np.full(shape, np.rint(255 * np.array(BACKGROUND)), np.uint8)
    for index, image in enumerate(images):
        h, w = image.shape[:2]
        y = index // columns * height + _GAP + (height - _GAP - h) // 2
        x = index % columns * width + _GAP + (width - _GAP - w) // 2
        sheet[y : y + h, x : x + w] = image
    return sheet
