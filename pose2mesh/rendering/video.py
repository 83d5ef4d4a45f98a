"""Pictures as an H.264 video in an MP4 file, with the times of the frames and the sound of the video they came from."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import InputError, optional_import, warn
from pose2mesh.paths import atomic_write

_TICKS = 90_000  # a second
_KEPT = ("aac", "mp3float", "mp3", "opus", "libopus", "flac", "alac", "ac3")  # sounds that are copied as they are
_LONGEST_HOLD = 3600  # s of one frame; MP4 takes some more
_MOST_HOURS = 1000  # of one frame: times beyond are no times of a film
_RATE = 48_000  # samples a second of sounds at a rate that AAC does not have
_OPTIONS = {"crf": "20", "preset": "veryfast"}  # how good, and how much time to spend on small files


class VideoWriter:
    """Made by `video_writer`; `add` takes picture after picture."""

    def __init__(self, container: Any, sound: "_Sound | None", fps: float) -> None:
        self._container, self._sound = container, sound
        self._fps, self._last = fps, -1
        self._stream: Any = None
        self._image: np.ndarray | None = None  # that of the last frame
        self._begun: tuple[int, int] | None = None  # when the first packet is shown, and stored

    def add(self, image: np.ndarray, time: float) -> None:
        """Write image uint8 [H, W, 3] RGB, shown at `time` seconds; all have one size, and times rise."""
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]  # H.264 halves the colors' resolution
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=Fraction(self._fps).limit_denominator(1001))
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt, self._stream.options = "yuv420p", _OPTIONS
            self._stream.codec_context.time_base = Fraction(1, _TICKS)
            if self._sound is not None:
                self._sound.begin(self._container)
        if image.shape[:2] != (self._stream.height, self._stream.width):
            raise InputError(f"a frame of {image.shape[1]}x{image.shape[0]} pixels in a video of another size")
        self._repeat(time)
        self._image = image
        self._encode(time)

    def hold(self, end: float) -> None:
        """Show the last frame up to `end` seconds where that is more than a frame of the rate."""
        if self._image is not None and end > self._last / _TICKS + 1.5 / self._fps:
            self._repeat(end)
            self._encode(end - 1 / self._fps)

    def _repeat(self, time: float) -> None:
        """Write the last frame again every hour until `time`, for none lasts longer."""
        start = self._last / _TICKS
        if self._image is None or time - start <= _LONGEST_HOLD:
            return
        if time - start > _MOST_HOURS * 3600:
            raise InputError(f"a frame would be shown for {(time - start) / 3600:.0f} hours; give the frames' own rate")
        for again in np.arange(start + _LONGEST_HOLD, time - 1 / _TICKS, _LONGEST_HOLD).tolist():
            self._encode(again)

    def _encode(self, time: float) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(self._image), format="rgb24")
        self._last = max(round(time * _TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        packets = self._stream.encode(frame)
        self._begun = self._begun or next(((packet.pts, packet.dts) for packet in packets), None)
        self._container.mux(packets)

    def finish(self) -> None:
        """Write what the encoder holds back, then the sound: as it is, or where MP4 does not take that, as AAC."""
        if self._stream is None:
            raise InputError("a video without frames cannot be written")
        packets = self._stream.encode(None)
        if packets:  # MP4 adds up durations in the order in which frames are stored, and would end before the last one
            pts, dts = self._begun or (packets[0].pts, packets[0].dts)
            shown = self._last + round(_TICKS * min(1 / self._fps, _LONGEST_HOLD)) - pts
            packets[-1].duration = max(shown - (packets[-1].dts - dts), 1)
        self._container.mux(packets)
        if self._sound is not None:
            self._container.mux(self._sound.packets())


class _Sound:
    """The sound of a video, on its way into another; what cannot be decoded is left out, told by one warning."""

    def __init__(self, path: Path, container: Any) -> None:
        self._path, self._container = path, container
        self._source = container.streams.audio[0]
        self._is_kept = _fits(self._source)
        self._heard: Any = None

    def begin(self, target: Any) -> None:
        """Add a stream for the sound to the container of the new video."""
        import av

        if self._is_kept:
            self._heard = target.add_stream_from_template(self._source)
        else:
            rate = self._source.codec_context.sample_rate
            rates = av.Codec("aac", "w").audio_rates or ()
            self._heard = target.add_stream("aac", rate=rate if rate in rates else _RATE)

    def packets(self) -> Iterator[Any]:
        """Packets of the new stream."""
        faults: list[str] = []
        last = None
        for packet in _demuxed(self._container, faults) if self._is_kept else self._encoded(faults):
            if packet.dts is not None and (last is None or packet.dts > last):  # MP4 takes no others
                last, packet.stream = packet.dts, self._heard
                yield packet
        if faults:
            warn(f"{self._path}: parts of the sound are damaged ({faults[-1]}); the new video lacks them")

    def _encoded(self, faults: list[str]) -> Iterator[Any]:
        for frame in _decoded(self._container, faults):
            try:
                yield from self._heard.encode(frame)  # at its own rate, in its own layout
            except ValueError as error:  # another layout than the first frames had
                faults.append(str(error))
        yield from self._heard.encode(None)


def _demuxed(container: Any, faults: list[str]) -> Iterator[Any]:
    """Packets of the sound up to the end or a damage, which is added to `faults`."""
    from av.error import FFmpegError

    try:
        yield from container.demux(container.streams.audio[0])
    except FFmpegError as error:
        faults.append(str(error))


def _decoded(container: Any, faults: list[str]) -> Iterator[Any]:
    from av.error import FFmpegError

    for packet in _demuxed(container, faults):
        try:
            yield from packet.decode()
        except FFmpegError as error:
            faults.append(str(error.strerror))


def _fits(source: Any) -> bool:
    """Whether MP4 takes a sound as it is: not MP3 at 8 kHz."""
    import av
    from av.error import FFmpegError

    if source.codec_context.name not in _KEPT:
        return False
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


def _is_audible(path: Path) -> bool:
    """Whether a file has a sound that can be decoded; a warning tells of one that cannot."""
    import av

    faults: list[str] = []
    with av.open(str(path.absolute())) as container:
        if not container.streams.audio:
            return False
        if container.streams.audio[0].codec_context is None:
            faults.append("FFmpeg does not know its codec")
        elif next(_decoded(container, faults), None) is not None:
            return True
    warn(f"{path}: the sound cannot be decoded{f' ({faults[-1]})' if faults else ''}; the new video has none")
    return False


@contextmanager
def video_writer(path: Path, fps: float, sound_of: Path | None = None) -> Iterator[VideoWriter]:
    """A writer of `path` (.mp4), which appears when the block ends without an error; `sound_of`: a video to copy from.

    Raises MissingDependencyError without PyAV, MachineError when the disk is full.
    """
    with optional_import("writing a video needs PyAV: pip install 'pose2mesh[video]'"):
        import av
    with ExitStack() as stack:
        sound = None
        if sound_of and _is_audible(sound_of):
            sound = _Sound(sound_of, stack.enter_context(av.open(str(sound_of.absolute()))))
        stream = stack.enter_context(atomic_write(path))
        writer = VideoWriter(stack.enter_context(av.open(stream, "w", format="mp4")), sound, fps)
        yield writer
        writer.finish()
