"""What a prediction can start from: files and folders by their kind, frames in a row, and plain arrays."""

import os
from collections.abc import Iterable, Iterator
from io import IOBase
from numbers import Real
from operator import itemgetter
from pathlib import Path
from stat import S_ISDIR
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.detectors.images import SMALLEST_SIDE, from_pillow, is_image, is_keypoint_file, list_folder, read_image
from pose2mesh.detectors.intrinsics import exif_focal
from pose2mesh.detectors.own_results import results_among
from pose2mesh.detectors.readers import Frame, number_array, read_keypoints, to_keypoints, warn_of_doubts
from pose2mesh.detectors.readers.arrays import rate_in
from pose2mesh.detectors.readers.frame_names import FEWEST_FRAMES, even_step, first_gap, numbers_in
from pose2mesh.detectors.readers.naming import KNOWN_COUNTS
from pose2mesh.detectors.told import check_batch_size
from pose2mesh.detectors.video_files import VideoFrame, is_video, read_video, video_info
from pose2mesh.errors import FormatError, InputError, warn
from pose2mesh.paths import shown
from pose2mesh.types import Intrinsics, Keypoints2D

_CHUNK_BYTES = 128 * 2**20
FPS = 30.0  # of numbered frames and keypoint files that do not tell
_MOST_FPS = 1e4
_NUMBERED = f"{FEWEST_FRAMES} or more pictures numbered in even steps, a_01.png a_02.png"


class Entry(NamedTuple):
    """One frame of an input, before anybody was recovered."""

    image: np.ndarray | None  # uint8 [H, W, 3], None for keypoint files
    frame: Frame
    index: int = 0  # of the frame in its file
    time: float = 0.0  # s


def existing(source: str | Path) -> Path:
    """The path of a file or folder. Raises InputError where there is none, or the system does not let us see it."""
    try:
        path = Path(source)
        if S_ISDIR(path.stat().st_mode):
            os.scandir(path).close()
    except TypeError as error:
        told = " ".join(repr(source).split())  # of arrays, in one line
        raise InputError(f"the source is {told:.60}; give the path of a file") from error
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # the last of names that hold a zero byte
        raise InputError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    return path


def file_of(source: str | Path) -> Path:
    """The path of a file; errors as of `existing`, and for a folder."""
    path = existing(source)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; predict_frames reads all of it")
    return path


def expand_inputs(inputs: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    """Files behind the inputs, or the only one: folders are listed, others must be of a known kind, else InputError."""
    for path in map(existing, inputs if isinstance(inputs, Iterable) and not isinstance(inputs, str) else [inputs]):
        if path.is_dir():
            yield from list_folder(path)
        elif is_image(path) or is_video(path) or is_keypoint_file(path):
            yield path
        else:
            raise InputError(f"{path}: neither picture, video nor keypoint file (by its suffix {path.suffix!r})")


def chunks(frames: Iterable[Entry], batch_size: int) -> Iterator[list[Entry]]:
    """Lists of frames with about `batch_size` people each, an empty frame counted as one, and no more than
    `_CHUNK_BYTES` of pictures.
    """
    check_batch_size(batch_size)
    chunk, count, taken = [], 0, 0
    for entry in frames:
        chunk.append(entry)
        count += max(1, len(entry.frame.keypoints))
        taken += 0 if entry.image is None else entry.image.nbytes
        if count >= batch_size or taken >= _CHUNK_BYTES:
            yield chunk
            chunk, count, taken = [], 0, 0
    if chunk:
        yield chunk


def picture_of(source: Any) -> np.ndarray | None:
    """The picture uint8 [H, W, 3] that an array, a tensor or Pillow's picture is, this upright as its EXIF says.

    None for keypoints. Raises InputError for pictures of other layouts, or too small.
    """
    from PIL import Image

    array = from_pillow(source) if isinstance(source, Image.Image) else _plain(source)
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3:
        return None
    if array.shape[2] != 3 or min(array.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"a picture must be uint8 [height, width, 3] RGB, of {SMALLEST_SIDE} pixels or more a side, and keypoints "
            f"another type; got uint8 {list(array.shape)}"
        )
    return array


def _plain(values: Any) -> Any:
    """Tensors as arrays, anything else as it is."""
    import torch

    if not isinstance(values, torch.Tensor):
        return values
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()  # NumPy knows no bfloat16


def array_to_keypoints(values: Any, joint_set: str | None, image_size: tuple[int, int] | None = None) -> Keypoints2D:
    """Keypoints of [J, 2|3] or [P, J, 2|3]; InputError for anything else.

    `image_size` (width, height) turns fractions of the picture into pixels.
    """
    several = isinstance(values, list | tuple) and any(isinstance(value, str | Path) for value in values)
    if several or isinstance(values, bytes | bytearray | IOBase):
        remedy = "predict_frames takes several files" if several else "open a picture's content with PIL.Image.open"
        raise InputError(
            f"the source is of type {type(values).__name__}; give the path of a file, or an array; {remedy}"
        )
    array = number_array(_plain(values), "keypoints")
    if array.ndim == 3 and array.shape[1] > max(KNOWN_COUNTS) and array.shape[2] in (3, 4):
        found = f"{np.asarray(_plain(values)).dtype} {list(array.shape)}"
        raise InputError(f"a picture must be uint8 [height, width, 3] RGB; got {found}, so scale it to 0..255")
    if array.ndim not in (2, 3) or array.shape[-1] not in (2, 3):
        raise InputError(
            f"keypoints have shape {list(array.shape)}; expected [joints, 2 or 3] or "
            "[people, joints, 2 or 3], or a picture as uint8 [height, width, 3]"
        )
    keypoints = to_keypoints(array[None] if array.ndim == 2 else array, "keypoints", joint_set, image_size)
    warn_of_doubts([keypoints], "keypoints")
    return keypoints


def is_sequence(path: Path) -> bool:
    """Whether a path is one motion: a video, or a folder of numbered frames."""
    return bool(numbered_frames(path)) if path.is_dir() else path.is_file() and is_video(path)


def numbered_frames(folder: Path) -> list[Path]:
    """Pictures of a folder whose names differ in a number that rises evenly, in that order; none for other folders."""
    pictures, numbers = _numbers_of_pictures(folder)
    return [pictures[i] for i in np.argsort(numbers)] if even_step(numbers) else []


def missing_number(path: Path) -> int | None:
    """The number of the first picture that a folder lacks to be one motion; None of motions, photos and files."""
    return first_gap(_numbers_of_pictures(path)[1]) if path.is_dir() else None


def _numbers_of_pictures(folder: Path) -> tuple[list[Path], list[int]]:
    """Pictures but results, and the numbers in their names; of these none where the names differ in something else."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    results = {*results_among(files)}
    pictures = [path for path in files if path not in results and is_image(path)]
    return pictures, numbers_in([path.stem for path in pictures])


def keypoint_files(source: Path) -> list[Path]:
    """The keypoint files behind a path: itself, or those of a folder that holds neither pictures nor videos."""
    files = list_folder(source) if source.is_dir() else [source]
    return files if all(map(is_keypoint_file, files)) else []


def keypoint_frames(source: Path, joint_set: str | None, image_size: tuple[int, int] | None) -> list[tuple[int, Frame]]:
    """Frames of a keypoint file, or of a folder of them, with their numbers, in the order of these.

    They are the numbers in the frames' names: files leave out frames that show nobody, and hold the others in any order
    (10 before 2, where somebody sorted the names). Of names that rise in even steps every so many-th frame was taken.
    One after another where the names tell no numbers, or one twice. Errors as of `read_keypoints`.
    """
    files = keypoint_files(source)
    if not files:
        gap = missing_number(source)
        lacks = "" if gap is None else f" (number {gap} is missing)"
        raise InputError(f"{source}: neither a video, nor {_NUMBERED}{lacks}, nor keypoint files")
    frames = [frame for file in files for frame in read_keypoints(file, joint_set, image_size)]
    numbers = numbers_in([frame.name for frame in frames])
    step = even_step(numbers) or 1
    numbers = [number // step for number in numbers] or range(len(frames))
    return sorted(zip(numbers, frames, strict=True), key=itemgetter(0))


def camera_of_frames(source: Path) -> Intrinsics | None:
    """What the first picture of a folder tells of the camera that took all of them; None of anything else."""
    if not source.is_dir() or not (pictures := numbered_frames(source)):
        return None
    return exif_focal(pictures[0], read_image(pictures[0]).shape)


def rate_of(source: Path, fps: Any) -> float:
    """Frames a second of numbered frames and keypoint files: `fps`, where that is None what the file of a motion tells,
    else 30.

    Raises InputError for what is no rate, and where a video tells its own.
    """
    if fps is None:
        told = rate_in(source)
        return told if told and 0 < told < _MOST_FPS else FPS
    if not isinstance(fps, Real) or isinstance(fps, bool) or not 0 < float(fps) < _MOST_FPS:
        raise InputError(f"fps is {fps!r:.60}; it must be frames a second, above 0")
    if source.is_file() and is_video(source):
        raise InputError(f"{source}: a video tells its own rate; leave fps out")
    return float(fps)


def sequence_info(path: Path, fps: float | None = None) -> tuple[float, int | None]:
    """Frames a second, and their number where that is known; `fps` as of `rate_of`. Raises InputError, FormatError."""
    rate = rate_of(path, fps)
    if path.is_dir():
        return rate, len(numbered_frames(path)) or None
    if not is_video(path):
        return rate, None
    info = video_info(path)
    if not 0 < info.fps < _MOST_FPS:
        raise FormatError(f"{path}: the video says {info.fps} frames a second; write it again with a rate")
    return info.fps, info.num_frames


def frames_of(source: Path, fps: float = FPS) -> Iterator[VideoFrame]:
    """Pictures of a video, or of a folder, `fps` a second; with a warning they end where sizes change."""
    if source.is_dir():
        if not (pictures := numbered_frames(source)):
            raise InputError(f"{source}: not a folder of {_NUMBERED}")
        frames = (VideoFrame(i, i / fps, read_image(path)) for i, path in enumerate(pictures))
    else:
        frames = read_video(source)
    shape = None
    for frame in frames:
        if frame.image.shape != (shape := shape or frame.image.shape):
            told = f"frame {frame.index} has another size than the first; read up to it (photos: --no-track)"
            warn(f"{source}: {told}")
            return
        yield frame
