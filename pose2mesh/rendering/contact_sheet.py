"""Contact sheets: rows of pictures with a title over each, and the row that shows one photo's result."""

from collections.abc import Sequence

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.rendering.canvas import resized
from pose2mesh.rendering.drawing import bones_of, check_image, draw_keypoints
from pose2mesh.rendering.scene import render_overlay, render_views, tint_of
from pose2mesh.rendering.shading import BACKGROUND
from pose2mesh.types import Person

_GAP = 8  # pixels between the pictures
_TEXT = 18  # pixels of a title's letters
_INK = (40, 44, 52)
_STRIP = 32  # rows that are made at once where a picture shrinks
_SIDE_VIEWS = 3  # people of one photo that are shown from the side


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str] = ()) -> np.ndarray:
    """Rows of pictures under their titles, each picture centered in its column.

    Shapes: pictures [H_i, W_i, 3] uint8; returns [H, W, 3] uint8. Raises InputError without a picture, or when there
    are titles but not one for each row.
    """
    for image in (image for row in rows for image in row):
        check_image(image)
    columns = max((len(row) for row in rows), default=0)
    if not columns or (titles and len(titles) != len(rows)):
        raise InputError(f"a contact sheet needs a picture and a title for each row; got {len(titles)}/{len(rows)}")
    widths = [max((row[i].shape[1] for row in rows if i < len(row)), default=0) for i in range(columns)]
    heights = [max((image.shape[0] for image in row), default=0) for row in rows]
    head = _TEXT + _GAP if titles else 0
    size = (sum(heights) + (head + _GAP) * len(rows) + _GAP, sum(widths) + _GAP * (columns + 1))
    sheet = np.full((*size, 3), np.rint(255 * np.array(BACKGROUND)), np.uint8)
    lefts = _GAP + np.cumsum([0, *widths[:-1]]) + _GAP * np.arange(columns)
    y = _GAP
    for index, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if titles:
            _write(sheet[y : y + head], titles[index])
            y += head
        for image, left, width in zip(row, lefts, widths, strict=False):
            top, x = y + (height - image.shape[0]) // 2, left + (width - image.shape[1]) // 2
            sheet[top : top + image.shape[0], x : x + image.shape[1]] = image
        y += height + _GAP
    return sheet


def photo_row(image: np.ndarray, people: Sequence[Person], height: int = 384) -> list[np.ndarray]:
    """Three pictures of one photo's result, all of one height: the keypoints, the overlay, the first people's sides.

    Shapes: image [H, W, 3] uint8; returns [height, W_i, 3] uint8 each; without people the photo alone.
    """
    small, people = at_scale(image, people, height / image.shape[0])
    if not people:
        return [small]
    skeletons = small
    for person in people:
        skeletons = draw_keypoints(skeletons, person.keypoints, bones_of(person))
    placed = [person for person in people if person.camera is not None]
    sides = [
        render_views(person, (90.0,), (height // 2, height), tint_of(person, index))
        for index, person in enumerate(people[:_SIDE_VIEWS])
    ]
    return [skeletons, render_overlay(small, placed), np.concatenate(sides, axis=1)]


def at_scale(image: np.ndarray, people: Sequence[Person], scale: float) -> tuple[np.ndarray, list[Person]]:
    """The photo [H, W, 3] uint8 at another scale, and the people as it shows them then."""
    small = shrink(image, scale)
    return small, [resized(person, scale, (small.shape[1], small.shape[0])) for person in people]


def shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """The picture [H, W, 3] uint8 at another scale."""
    from PIL import Image

    count = round(1 / scale)
    if count > 1 and count * scale == 1:  # some rows at a time, which stay in the processor's cache
        strips = (image[top : top + _STRIP * count] for top in range(0, len(image), _STRIP * count))
        return np.concatenate([np.asarray(Image.fromarray(strip).reduce(count)) for strip in strips])
    picture = Image.fromarray(image)
    size = [max(1, round(scale * side)) for side in picture.size]
    return np.array(picture.resize(size, reducing_gap=2.0))


def _write(strip: np.ndarray, text: str) -> None:
    """Write a line of text into a strip [h, W, 3] of the sheet."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(strip)
    ImageDraw.Draw(picture).text((_GAP, 0), text, _INK, ImageFont.load_default(_TEXT))
    strip[...] = np.asarray(picture)
