"""Where people are: MoveNet Multipose over the whole picture at two sizes and over overlapping tiles.

The network sees people between about a twentieth and the whole of what it is shown, so large people want the small pass
and small people the large ones. Tiles cost the most, and are only looked at where the whole picture shows small people:
those that hold their middles. Who fills the picture up to its edges may be missed, so where nobody is sure it is
looked at once more with a margin.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pose2mesh.detectors.multipose import people_in
from pose2mesh.detectors.regions import spacing, spread
from pose2mesh.detectors.sessions import Session
from pose2mesh.detectors.similarity import SCORE_ROW, extent, suppressed
from pose2mesh.geometry.crop import Box
from pose2mesh.skeletons import COCO_ROWS

STRIDE = 32  # px; sides of the network's input are multiples of it
WHOLE = (256, 512)  # px, longest side of the whole picture in each pass
TILE = 448  # px, longest side of a tile
MARGIN = 0.25  # on each side of the picture, of its longest one
LEAST_SCORE = 0.24  # of a find; between people in front and those in the background (docs/decisions)
DOUBT, CLEAR = 0.05, 0.5  # scores of the first look: with finds between them, or small ones, a second one follows
HINT = 0.2  # score of a find that calls for a closer look
SMALL, SURE = 0.3, 0.3  # share of the longest side, score: below them tiles are looked at
SAME_PERSON = 0.35  # similarity from which two finds are one person


def find_people(
    network: Session, image: np.ndarray, with_tiles: bool = True, sides: Sequence[int] = WHOLE
) -> np.ndarray:
    """Poses [P, 18, 3] in image uint8 [H, W, 3]: x, y px and score of COCO's 17 joints; row 17 holds the find's score.

    Best first. `sides`: of the passes over the whole picture.
    """
    whole = (0, 0, image.shape[1], image.shape[0])
    found = [suppressed(look(network, image, whole, sides[0], DOUBT), SAME_PERSON)]
    if _is_clear(found[0], max(image.shape)):
        return found[0]
    found += [look(network, image, whole, side) for side in sides[1:]]
    poses = suppressed(np.concatenate(found), SAME_PERSON)
    if with_tiles and (wanted := wanted_tiles(poses, image.shape[1], image.shape[0])):
        found += [look(network, image, tile, TILE) for tile in wanted]
        poses = suppressed(np.concatenate(found), SAME_PERSON)
    if not (poses[:, SCORE_ROW, 2] >= SURE).any():
        found += [look(network, image, whole, side, margin=MARGIN) for side in sides]
        poses = suppressed(np.concatenate(found), SAME_PERSON)
    return poses[poses[:, SCORE_ROW, 2] >= LEAST_SCORE]


def _is_clear(poses: np.ndarray, longest: int) -> bool:
    """Whether the first look at a picture of this longest side saw large people, and none that it doubts."""
    return len(poses) > 0 and all(pose[SCORE_ROW, 2] >= CLEAR and _share(pose, longest) >= SMALL for pose in poses)


def _share(pose: np.ndarray, longest: int) -> float:
    return extent(pose[COCO_ROWS]) / longest


def wanted_tiles(poses: np.ndarray, width: int, height: int) -> list[Box]:
    """Tiles of a picture in which small ones of the poses [N, 18, 3] have their middle; all where no pose is sure."""
    poses = poses[poses[:, SCORE_ROW, 2] >= HINT]
    if not (poses[:, SCORE_ROW, 2] >= SURE).any():
        return list(tiles(width, height))
    small = [pose[COCO_ROWS, :2] for pose in poses if _share(pose, max(width, height)) < SMALL]
    middles = [(points.min(0) + points.max(0)) / 2 for points in small]  # [2] each
    return [tile for tile in tiles(width, height) if any(_is_in(middle, tile) for middle in middles)]


def _is_in(point: np.ndarray, box: Box) -> bool:
    left, top, right, bottom = box
    return left <= point[0] <= right and top <= point[1] <= bottom


def tiles(width: int, height: int) -> Iterator[Box]:
    """2 x 2 tiles that overlap by a third of their sides."""
    for top in (0, 0.4):
        for left in (0, 0.4):
            yield left * width, top * height, (left + 0.6) * width, (top + 0.6) * height


def look(
    network: Session, image: np.ndarray, box: Box, longest: int, least: float = HINT, margin: float = 0.0
) -> np.ndarray:
    """Poses [N, 18, 3] of a score of `least` or more in a box of the picture, scaled to a longest side.

    `margin`: black on each side of it, of the box's longest one; all of it is scaled.
    """
    from PIL import Image

    left, top, right, bottom = (round(v) for v in box)
    sides = right - left, bottom - top
    rim = round(longest * margin / (1 + 2 * margin))  # px
    size = [max(1, round(side * (longest - 2 * rim) / max(sides))) for side in sides]
    part = Image.fromarray(spread(image[top:bottom, left:right], spacing(max(sides), longest))).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=2.0
    )
    height, width = (-(-(side + 2 * rim) // STRIDE) * STRIDE for side in reversed(size))
    padded = np.zeros((height, width, 3), np.int32)
    padded[rim : rim + size[1], rim : rim + size[0]] = np.asarray(part)
    poses = people_in(network(padded[None]), least)
    poses = poses[poses[:, SCORE_ROW, 2] >= least]
    poses[:, COCO_ROWS, :2] -= rim
    poses[:, COCO_ROWS, :2] *= np.divide(sides, size)
    poses[:, COCO_ROWS, :2] += (left, top)
    return poses
