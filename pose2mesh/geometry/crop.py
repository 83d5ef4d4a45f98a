"""Boxes around keypoints and square crops of pictures, with the way back to full-picture pixels."""

from collections.abc import Iterator

import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def keypoint_box(points: np.ndarray, confidence: np.ndarray) -> Box:
    """Tight box of the visible joints: points [J, 2], confidence [J]; at least one joint must be visible."""
    seen = points[confidence > 0]
    return (*seen.min(0).tolist(), *seen.max(0).tolist())


def square_box(box: Box, factor: float) -> Box:
    """The square of the same center whose side is the longer side of `box` times `factor`, at least 2 px."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top, 2 / factor) * factor / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half, y - half, x + half, y + half


def crop_image(image: np.ndarray, box: Box) -> tuple[np.ndarray, tuple[int, int]]:
    """Cut `box` out of image [H, W, C]; black where the box leaves the picture.

    Returns the crop and its (x, y) offset: crop pixels plus offset are picture pixels.
    """
    left, top = (int(np.floor(v)) for v in box[:2])
    right, bottom = (int(np.ceil(v)) for v in box[2:])
    height, width = image.shape[:2]
    crop = np.zeros((bottom - top, right - left, *image.shape[2:]), image.dtype)
    x0, x1 = max(left, 0), min(right, width)
    y0, y1 = max(top, 0), min(bottom, height)
    if x0 < x1 and y0 < y1:
        crop[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return crop, (left, top)


def search_windows(width: int, height: int, smallest: int) -> Iterator[Box]:
    """The whole picture, then squares of its shorter side and of half of it, overlapping by half.

    Squares with sides below `smallest` pixels are left out.
    """
    yield 0, 0, width, height
    for side in (min(width, height), min(width, height) // 2):
        if side < smallest:
            return
        for top in _starts(height, side):
            for left in _starts(width, side):
                if (width, height) != (side, side):
                    yield left, top, left + side, top + side


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin that cover a length and overlap by half."""
    count = 1 + -(-2 * (length - side) // side)
    return [round(start) for start in np.linspace(0, length - side, count)]
