"""Square, turned regions of a picture: cut out upright for a network, its points brought back."""

from typing import NamedTuple

import numpy as np

_ENOUGH = 4  # samples on each axis of what becomes one pixel


def spacing(side: float, size: int) -> int:
    """How far apart the pixels of `side` may be that are looked at, where `size` pixels are wanted."""
    return max(1, int(side / size) // _ENOUGH)


def spread(image: np.ndarray, apart: int) -> np.ndarray:
    """The middle one of every `apart` pixels of image [H, W, 3] on each axis: averages of all of them take long."""
    return image[apart // 2 :: apart, apart // 2 :: apart] if min(image.shape[:2]) > apart else image[:1, :1]


class Region(NamedTuple):
    """A square of a picture, turned so that `up` is the way to its upper side."""

    center: np.ndarray  # [2] px
    side: float  # px
    up: np.ndarray  # [2] unit vector in the picture, y down

    @property
    def axes(self) -> np.ndarray:
        """[2, 2]: rows are the square's x (right) and y (down) in the picture."""
        return np.array([[-self.up[1], self.up[0]], [-self.up[0], -self.up[1]]])

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 2] of the square, each axis in [0, 1], in picture pixels."""
        return (points - 0.5) * self.side @ self.axes + self.center

    def cut(self, image: np.ndarray, size: int) -> np.ndarray:
        """The square out of image uint8 [H, W, 3] as float32 [size, size, 3] in [0, 1]; black outside of the picture.

        Where it is larger than `size`, pixels are averaged, so that nothing aliases.
        """
        from PIL import Image

        height, width = image.shape[:2]
        corners = self.to_picture(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float64))  # [4, 2]
        low = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, (width, height))
        high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, (width, height))
        if (high <= low).any():
            return np.zeros((size, size, 3), np.float32)
        apart = spacing(self.side, size)
        shrink = apart * max(1, int(self.side / size / apart))
        part = Image.fromarray(spread(image[low[1] : high[1], low[0] : high[0]], apart)).reduce(shrink // apart)
        step = self.axes * self.side / size / shrink  # [2, 2]: rows are the way of one output pixel
        origin = (self.to_picture(np.zeros(2)) - low) / shrink
        (a, d), (b, e) = step.tolist()
        turned = part.transform(
            (size, size),
            Image.Transform.AFFINE,
            (a, b, float(origin[0]), d, e, float(origin[1])),
            Image.Resampling.BILINEAR,
        )
        return np.asarray(turned, np.float32) / 255
