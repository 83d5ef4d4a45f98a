"""Frames in a row: a video, or a folder of numbered pictures."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import gcd
from pathlib import Path

import numpy as np

from pose2mesh.detectors.images import is_image, read_image
from pose2mesh.detectors.videos import VideoFrame, is_video, read_video, video_info
from pose2mesh.errors import FormatError, InputError, warn

FPS = 30.0  # of numbered frames and keypoint files, which do not tell
FEWEST_FRAMES = 10  # numbered pictures that are a motion; fewer are photos
_NUMBERED = re.compile(r"(.*?)(\d{1,18})")


def is_sequence(path: Path) -> bool:
    """Whether a path is one motion: a video, or a folder of numbered frames."""
    return bool(numbered_frames(path)) if path.is_dir() else path.is_file() and is_video(path)


def numbered_frames(folder: Path) -> list[Path]:
    """Pictures of a folder whose names differ in a number that rises evenly, in that order; none for other folders."""
    pictures = [path for path in folder.iterdir() if is_image(path) and not path.name.startswith(".")]
    found = [_NUMBERED.fullmatch(path.stem) for path in pictures]
    if len(pictures) < FEWEST_FRAMES or not all(found) or len({match[1] for match in found if match}) > 1:
        return []
    numbers = np.array([int(match[2]) for match in found if match])
    order = np.argsort(numbers)
    return [pictures[i] for i in order] if len(set(np.diff(numbers[order]))) == 1 else []


def frame_numbers(names: Sequence[str]) -> list[int]:
    """Places in time of frames by the numbers in their names, since files leave out frames that show nobody, and hold
    the others in any order (10 before 2, where somebody sorted the names).

    One after another where the names tell no numbers, or one twice.
    """
    found = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    numbers = [int(match[2]) for match in found]
    steps = [after - before for before, after in pairwise(sorted(numbers))]
    if len(found) < len(names) or len({match[1] for match in found}) > 1 or min(steps, default=0) < 1:
        return list(range(len(names)))
    return [(number - min(numbers)) // gcd(*steps) for number in numbers]


def sequence_info(path: Path) -> tuple[float, int | None]:
    """Frames a second, and their number where that is known. Raises InputError, FormatError."""
    if path.is_dir():
        return FPS, len(numbered_frames(path))
    if not is_video(path):
        return FPS, None
    info = video_info(path)
    if not 0 < info.fps < 1e4:
        raise FormatError(f"{path}: the video says {info.fps} frames a second; write it again with a rate")
    return info.fps, info.num_frames


def frames_of(source: Path) -> Iterator[VideoFrame]:
    """Pictures of a video or a folder of numbered frames; they end with a warning where their size changes."""
    if source.is_dir():
        if not (pictures := numbered_frames(source)):
            raise InputError(f"{source}: not a folder of {FEWEST_FRAMES} or more numbered frames, a_01.png a_02.png")
        frames = (VideoFrame(i, i / FPS, read_image(path)) for i, path in enumerate(pictures))
    else:
        frames = read_video(source)
    shape = None
    for frame in frames:
        if frame.image.shape != (shape := shape or frame.image.shape):
            told = f"frame {frame.index} has another size than the first; read up to it (photos: --no-track)"
            warn(f"{source}: {told}")
            return
        yield frame
