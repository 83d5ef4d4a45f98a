"""Pictures as an H.264 video in an MP4 file, with the times of the frames and the sound of the video they came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import InputError, optional_import
from pose2mesh.paths import atomic_write

_TICKS = 90_000  # a second
_KEPT = ("aac", "mp3float", "mp3", "opus", "libopus", "flac", "alac", "ac3")  # sounds that are copied as they are
_OPTIONS = {"crf": "20", "preset": "veryfast"}  # how good, and how much time to spend on small files


class VideoWriter:
    """Made by `video_writer`; `add` takes picture after picture."""

    def __init__(self, container: Any, sound: Any, fps: float) -> None:
        self._container, self._sound = container, sound
        self._fps, self._stream, self._last = fps, None, -1
        self._heard: Any = None
        self._is_kept = True

    def add(self, image: np.ndarray, time: float) -> None:
        """Write image uint8 [H, W, 3] RGB, shown at `time` seconds; all have one size, and times rise."""
        import av

        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]  # H.264 halves the colors' resolution
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=Fraction(self._fps).limit_denominator(1001))
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt, self._stream.options = "yuv420p", _OPTIONS
            self._stream.codec_context.time_base = Fraction(1, _TICKS)
            if self._sound is not None and self._sound.streams.audio:
                source = self._sound.streams.audio[0]
                self._is_kept = source.codec_context.name in _KEPT
                if self._is_kept:
                    self._heard = self._container.add_stream_from_template(source)
                else:
                    self._heard = self._container.add_stream("aac", rate=source.codec_context.sample_rate)
        if image.shape[:2] != (self._stream.height, self._stream.width):
            raise InputError(f"a frame of {image.shape[1]}x{image.shape[0]} pixels in a video of another size")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self._last = max(round(time * _TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder holds back, then the sound: as it is, or where MP4 does not take that, as AAC."""
        if self._stream is None:
            raise InputError("a video without frames cannot be written")
        self._container.mux(self._stream.encode(None))
        if self._heard is not None:
            self._container.mux(self._sounds())

    def _sounds(self) -> Iterator[Any]:
        """Packets of the sound."""
        if not self._is_kept:
            for frame in self._sound.decode(audio=0):
                yield from self._heard.encode(frame)
            yield from self._heard.encode(None)
            return
        for packet in self._sound.demux(self._sound.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = self._heard
                yield packet


@contextmanager
def video_writer(path: Path, fps: float, sound_of: Path | None = None) -> Iterator[VideoWriter]:
    """A writer of `path` (.mp4), which appears when the block ends without an error; `sound_of`: a video to copy from.

    Raises MissingDependencyError without PyAV, MachineError when the disk is full.
    """
    with optional_import("writing a video needs PyAV: pip install 'pose2mesh[video]'"):
        import av
    sound = av.open(str(sound_of.absolute())) if sound_of else None
    try:
        with atomic_write(path) as stream, av.open(stream, "w", format="mp4") as container:
            writer = VideoWriter(container, sound, fps)
            yield writer
            writer.finish()
    finally:
        if sound is not None:
            sound.close()
