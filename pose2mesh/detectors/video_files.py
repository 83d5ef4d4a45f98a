"""Frames of videos and animated pictures: the file's own, with their numbers and times, as they are meant to look.

PyAV decodes (BSD; FFmpeg is inside its wheels). No frame is repeated or left out at a variable rate; pixels that are
not square are stretched, turned and mirrored recordings turned back. What cannot be decoded is told by a warning.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.detectors.images import (
    SMALLEST_SIDE,
    VIDEO_SUFFIXES,
    check_size,
    has_suffix,
    is_animated,
    open_picture,
    to_rgb,
    upright,
)
from pose2mesh.errors import FormatError, InputError, MissingDependencyError, warn

# Containers that hold their frames themselves; lists of other files (concat, HLS, ...) and the network are left out.
_OPTIONS = {"format_whitelist": "mov,mp4,avi,matroska,webm", "protocol_whitelist": "file"}
_BROWSERS_DURATION = 0.1  # s, of a frame that says nothing
_ROUNDING = 0.005  # s, of times in headers: Matroska's are whole milliseconds
_UNTHREADED, _STRICT = ("vp8",), ("mjpeg",)  # decoders that tell of damage otherwise than the others
_THREADS = 2  # of the decoder, on any machine: each holds pictures
_LARGEST_STRETCH = 4  # of a pixel; beyond it the header is damaged


class VideoFrame(NamedTuple):
    """One frame of a video."""

    index: int  # place among the frames of the file, from 0; a damaged frame keeps its number where that is known
    time_s: float  # s, as the file says
    image: np.ndarray  # uint8 [H, W, 3] RGB


class VideoInfo(NamedTuple):
    """What a video's header says; an audio track stays in the file."""

    fps: float  # frames a second, on average; of pictures that move, by their median, for the last is often held
    num_frames: int | None  # None where the header does not tell
    has_audio: bool
    end_s: float = 0.0  # s, where the last frame of pictures that move ends; 0 of others


def is_video(path: Path) -> bool:
    """Whether a file is a sequence of frames: a video by its suffix, or a GIF, PNG, WebP or AVIF that moves."""
    return has_suffix(path, VIDEO_SUFFIXES) or is_animated(path)


def video_info(path: Path) -> VideoInfo:
    """Read a video's header; errors as of `read_video`."""
    if not has_suffix(path, VIDEO_SUFFIXES):
        with open_picture(path) as picture:
            durations = _durations(picture)
            return VideoInfo(1 / float(np.median(durations)), getattr(picture, "n_frames", 1), False, sum(durations))
    with _open(path) as container:
        stream = _video_stream(container, path)
        rate = stream.average_rate or stream.guessed_rate or 25
        return VideoInfo(float(rate), _announced(stream), bool(container.streams.audio))


def read_video(path: Path) -> Iterator[VideoFrame]:
    """Frames of a video or an animated picture, one at a time.

    A warning of the logger `pose2mesh` tells of frames that cannot be decoded. Raises InputError without a file or for
    frames that are too large, MissingDependencyError without PyAV, FormatError when nothing can be decoded.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    yield from _decode(path) if has_suffix(path, VIDEO_SUFFIXES) else _animation(path)


def _animation(path: Path) -> Iterator[VideoFrame]:
    from PIL import ImageSequence

    time_s, count = 0.0, 0
    with open_picture(path) as picture:
        check_size(path, picture.size)
        orientation = picture.getexif().get(0x0112, 1)
        try:
            for frame in ImageSequence.Iterator(picture):
                image = upright(to_rgb(frame), orientation)
                yield VideoFrame(count, time_s, image)
                time_s, count = time_s + _duration(frame), count + 1
        except Exception as error:  # as in read_image
            if not count:
                raise
            warn(f"{path}: damaged or cut; {count} frames were read ({error})")


def _durations(picture: Any) -> list[float]:
    """Of the frames that can be read, in s."""
    from PIL import ImageSequence

    found: list[float] = []
    try:
        for frame in ImageSequence.Iterator(picture):
            frame.load()  # WebP tells it with the pixels
            found.append(_duration(frame))
    except Exception:  # told by `_animation`, which reads the same frames
        if not found:
            raise
    return found


def _duration(picture: Any) -> float:
    """How long a frame of an animated picture is shown, in s."""
    return (picture.info.get("duration") or 0) / 1000 or _BROWSERS_DURATION


def _open(path: Path):
    if find_spec("av") is None:
        raise MissingDependencyError(f"{path}: videos need PyAV; pip install 'pose2mesh[video]'")
    import av
    from av.error import FFmpegError

    try:
        return av.open(str(path.absolute()), options=_OPTIONS)  # absolute: no name is taken for a protocol
    except (FFmpegError, ValueError, OSError) as error:
        raise FormatError(
            f"{path}: not a video that FFmpeg can decode, or not one of {', '.join(VIDEO_SUFFIXES)} ({_reason(error)})"
        ) from error


def _video_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise FormatError(f"{path}: holds no pictures")
    stream = container.streams.best("video") or container.streams.video[0]
    if stream.codec_context is None:
        raise FormatError(f"{path}: FFmpeg does not know the codec of its pictures; write it again as H.264")
    return stream


def _announced(stream: Any) -> int | None:
    """Frames that the file should show: its index where that is whole, else the header's number.

    MP4's index holds those as well that an edit list hides, as where somebody trimmed the beginning; the header of AVI
    counts empty frames, which stand where a picture is held.
    """
    name, entries = stream.container.format.name, ()
    if "mov" in name or (name == "avi" and not _is_cut(Path(stream.container.name))):
        entries = stream.index_entries
    return sum(not entry.is_discard for entry in entries) or stream.frames or None


def _is_cut(avi: Path) -> bool:
    """Whether the file is shorter than it says; the index is at its end."""
    with avi.open("rb") as stream:
        told = int.from_bytes(stream.read(8)[4:], "little")
    return avi.stat().st_size < told


def _decode(path: Path) -> Iterator[VideoFrame]:
    with _open(path) as container:
        stream = _video_stream(container, path)
        check_size(path, (stream.codec_context.width, stream.codec_context.height))
        _reveal_damage(stream)
        announced, faults = _announced(stream), []
        count, end, period = 0, 0.0, 1 / (stream.average_rate or 25)
        for index, frame in _own_frames(container, stream, faults):
            check_size(path, (frame.width, frame.height))
            count, time_s = count + 1, float(frame.time or 0.0)
            end = time_s + float((frame.duration or 0) * (frame.time_base or 0) or period)  # of what was read
            yield VideoFrame(index, time_s, _as_meant(frame, stream.sample_aspect_ratio))
        total = _duration_told(container, stream)  # without a number of frames, the only sign of an early end
    reason = f" ({faults[-1]})" if faults else ""
    if not count:
        raise FormatError(f"{path}: no frame of this video can be decoded{reason}")
    if announced and count < announced:
        warn(f"{path}: {announced - count} of {announced} frames cannot be decoded, the file is damaged or cut{reason}")
    elif faults or (not announced and end + _ROUNDING < total):
        told = f"{count} frames were read, up to {end:.2f} of {total:.2f} s"
        warn(f"{path}: {told}; others are damaged or cut{reason}")


def _reveal_damage(stream: Any) -> None:
    """Let the decoder of a stream tell which frames are damaged; without it they would look whole.

    Most tell where each frame has a thread of its own, VP8's where none has, Motion JPEG's where one insists.
    """
    name = stream.codec_context.name
    stream.codec_context.thread_count = _THREADS
    stream.thread_type = "SLICE" if name in _UNTHREADED else "AUTO"
    if name in _STRICT:
        stream.codec_context.options = {"err_detect": "explode"}


def _duration_told(container: Any, stream: Any) -> float:
    """When the pictures end by the header, in s; 0 where it does not tell.

    Matroska's tag of a track is exact. Beside sound, which may go on, what the whole file tells is good to a second.
    """
    for name, value in stream.metadata.items():
        if name.startswith("DURATION") and (parts := re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", value)):
            return int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3])
    total = (container.duration or 0) / 1e6
    return total if len(container.streams) == 1 else max(total - 1, 0.0)


def _own_frames(container: Any, stream: Any, faults: list[str]) -> Iterator[tuple[int, Any]]:
    """Undamaged frames with their places among all frames; what went wrong is added to `faults`."""
    from av.error import FFmpegError

    waiting, index = [], -1  # presentation times of frames that went into the decoder
    # These frames come out in the order in which they are shown, with times of the order in which they are stored.
    is_reordered = container.format.name == "avi" and stream.codec_context.has_b_frames
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                heappush(waiting, packet.pts)
            try:
                frames = packet.decode()
            except FFmpegError as error:
                faults.append(_reason(error))
                continue
            for frame in frames:
                if is_reordered and waiting:
                    frame.pts = waiting[0]
                index += 1 if frame.pts is None or not waiting or waiting[0] > frame.pts else 0
                while frame.pts is not None and waiting and waiting[0] <= frame.pts:
                    heappop(waiting)
                    index += 1
                if frame.is_corrupt:
                    faults.append("pictures do not fit together")
                else:
                    yield index, frame
    except FFmpegError as error:
        faults.append(_reason(error))


def _as_meant(frame: Any, pixel_shape: Fraction | None) -> np.ndarray:
    """uint8 [H, W, 3] RGB with square pixels, upright."""
    shape = float(pixel_shape or 1)  # width over height of a pixel
    width = frame.width
    if shape != 1 and 1 / _LARGEST_STRETCH <= shape <= _LARGEST_STRETCH:
        width = max(round(width * shape), SMALLEST_SIDE)
    return upright(frame.to_ndarray(format="rgb24", width=width, height=frame.height), _orientation(frame))


def _orientation(frame: Any) -> int:
    """How a frame's display matrix turns and mirrors it, in EXIF's numbers (1 to 8); slight turns are none.

    The matrix, of FFmpeg's `display.h`, takes pixels (p, q) to (a p + c q, b p + d q); its first five numbers are
    a, b, 0, c, d.
    """
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return 1
    a, b, _, c, d, *_ = (int(value) for value in np.frombuffer(matrix, np.int32))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (1, 2, 4, 3)[(a < 0) + 2 * (d < 0)]
    return (5, 6, 8, 7)[(c < 0) + 2 * (b < 0)]  # the sides are exchanged


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
