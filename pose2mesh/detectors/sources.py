"""What a prediction can start from: files and folders by their kind, and plain arrays."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.images import SMALLEST_SIDE, is_image, is_keypoint_file, list_folder
from pose2mesh.detectors.readers import Frame, number_array, to_keypoints, warn_of_doubts
from pose2mesh.detectors.videos import is_video
from pose2mesh.errors import InputError
from pose2mesh.types import Keypoints2D

Entry = tuple[np.ndarray | None, Frame]  # picture uint8 [H, W, 3], if there is one, and its keypoints

_CHUNK_BYTES = 128 * 2**20
FEWEST_JOINTS = 3  # visible joints of the network's set; fewer leave scale and turn undetermined


def expand_inputs(inputs: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    """Files behind the inputs, or the only one: folders are listed, others must be of a known kind, else InputError."""
    for path in map(Path, [inputs] if isinstance(inputs, str | Path) else inputs):
        if path.is_dir():
            yield from list_folder(path)
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder")
        elif is_image(path) or is_video(path) or is_keypoint_file(path):
            yield path
        else:
            raise InputError(f"{path}: neither picture, video nor keypoint file (by its suffix {path.suffix!r})")


def in_chunks(frames: Iterable[Entry], batch_size: int) -> Iterator[list[Entry]]:
    """Lists of frames with about `batch_size` people each, an empty frame counted as one, and no more than
    `_CHUNK_BYTES` of pictures.
    """
    chunk, count, taken = [], 0, 0
    for image, frame in frames:
        chunk.append((image, frame))
        count += max(1, len(frame.keypoints))
        taken += 0 if image is None else image.nbytes
        if count >= batch_size or taken >= _CHUNK_BYTES:
            yield chunk
            chunk, count, taken = [], 0, 0
    if chunk:
        yield chunk


def is_picture(array: np.ndarray) -> bool:
    """Whether an array is a picture, not keypoints. Raises InputError for pictures of other layouts, or too small."""
    if array.dtype != np.uint8 or array.ndim != 3:
        return False
    if array.shape[2] != 3 or min(array.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"a picture must be uint8 [height, width, 3] RGB, of {SMALLEST_SIDE} pixels or more a side, and keypoints "
            f"another type; got uint8 {list(array.shape)}"
        )
    return True


def array_to_keypoints(values: Any, joint_set: str | None, image_size: tuple[int, int] | None = None) -> Keypoints2D:
    """Keypoints of [J, 2|3] or [P, J, 2|3]; InputError for anything else.

    `image_size` (width, height) turns fractions of the picture into pixels.
    """
    array = number_array(values, "keypoints")
    if array.ndim not in (2, 3) or array.shape[-1] not in (2, 3):
        raise InputError(
            f"keypoints have shape {list(array.shape)}; expected [joints, 2 or 3] or "
            "[people, joints, 2 or 3], or a picture as uint8 [height, width, 3]"
        )
    keypoints = to_keypoints(array[None] if array.ndim == 2 else array, "keypoints", joint_set, image_size)
    warn_of_doubts([keypoints], "keypoints")
    return keypoints


def weakness(points: np.ndarray, confidence: np.ndarray) -> str | None:
    """Why one person's points [J, 2], confidence [J] determine no mesh; None when they do."""
    seen = points[confidence > 0]
    if len(seen) < FEWEST_JOINTS:
        return f"{len(seen)} visible joints, at least {FEWEST_JOINTS} are needed,"
    if np.ptp(seen, axis=0).max() <= 1e-5 * max(1.0, float(np.abs(seen).max())):
        return "all visible joints lie at one point"
    return None
