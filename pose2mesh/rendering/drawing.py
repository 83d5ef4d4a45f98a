"""Flat drawing on pictures: keypoint skeletons."""

import colorsys
from collections.abc import Sequence

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_sets
from pose2mesh.types import Person

_OF_PICTURE, _OF_PERSON = 0.004, 0.01  # half the width of a bone, of the longer side: the thinner one is drawn
_JOINT_COLOR = (255.0, 255.0, 255.0)  # white dots end every bone


def check_image(image: np.ndarray) -> None:
    """Raise InputError unless the image is uint8 [H, W, 3] with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        seen = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image is {seen}; expected a uint8 RGB array [H, W, 3]")
    if image.size == 0:
        raise InputError(f"image is empty: {list(image.shape)}")


def bones_of(person: Person) -> tuple[tuple[int, int], ...]:
    """Bones between a person's keypoints; none where these have no names."""
    return next((s.bone_indices for s in joint_sets() if s.joints == person.keypoint_names), ())


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
    extent = np.ptp(points[seen], axis=0).max() if seen.any() else 0  # pixels
    radius = max(1.0, min(_OF_PICTURE * max(image.shape[:2]), _OF_PERSON * extent))  # pixels: half the width of a bone
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
