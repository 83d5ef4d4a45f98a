"""What people are drawn on where there is no photo: as large as the picture they come from, within bounds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pose2mesh.types import Camera, Person

LIMITS = (64, 4096)  # px of a side: what is still seen, and what memory and encoders of films still take
_MARGIN = 0.1  # of the keypoints' extent, around them


class Canvas(NamedTuple):
    """A plain picture that shows pixels from `start` on, at `scale`."""

    image: np.ndarray  # [H, W, 3] uint8
    scale: float
    start: np.ndarray  # [2] x, y px

    def show(self, person: Person) -> Person:
        """The person as the picture shows him or her."""
        return resized(person, self.scale, (self.image.shape[1], self.image.shape[0]), self.start)


def plain_canvas(keypoints: np.ndarray, camera: Camera | None, color: Sequence[float] | np.ndarray) -> Canvas:
    """As large as the camera's picture, or reaching a little beyond keypoints [..., 3] px, which may lie anywhere."""
    start = np.zeros(2)
    if camera is not None and camera.image_size:
        size = np.array(camera.image_size, np.float64)  # [2]
    else:
        seen = keypoints[keypoints[..., 2] > 0, :2].astype(np.float64)  # [n, 2]
        seen = seen if len(seen) else np.array([camera.center if camera else (0.0, 0.0)]) * 2
        margin = _MARGIN * np.ptp(seen, axis=0).max()
        end = seen.max(0) + margin
        start = np.where(end > 0, 0.0, np.floor(seen.min(0) - margin))  # a side that would show nobody begins later
        size = np.ceil(end - start)
    low, high = LIMITS
    scale = float(min(max(1.0, low / max(size.min(), 1.0)), high / max(size.max(), 1.0)))
    width, height = np.rint(scale * size).clip(low, high).astype(int).tolist()
    return Canvas(np.full((height, width, 3), color, np.uint8), scale, start)


def resized(
    person: Person, scale: float, size: tuple[int, int], start: np.ndarray | tuple[float, float] = (0.0, 0.0)
) -> Person:
    """The person as the picture scaled to size (W, H) shows them, cut off left of and above `start` [2] px."""
    keypoints = (person.keypoints - np.array([*start, 0], np.float32)) * np.array([scale, scale, 1], np.float32)
    if person.camera is None:
        return replace(person, keypoints=keypoints)
    x, y = np.subtract(person.camera.center, start).tolist()
    camera = replace(person.camera, focal=scale * person.camera.focal, center=(scale * x, scale * y), image_size=size)
    return replace(person, keypoints=keypoints, camera=camera)
