"""Frames as they come: of a camera, or of a video played at its speed. Who is slow misses some, and is never late."""

import platform
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pose2mesh.cli.console import say
from pose2mesh.detectors.video_files import VideoFrame
from pose2mesh.errors import InputError, optional_import

_CAMERAS = {"Linux": ("v4l2", "/dev/video{}"), "Darwin": ("avfoundation", "{}"), "Windows": ("dshow", "video={}")}


def played(path: Path) -> Iterator[VideoFrame]:
    """Frames of a video when their time has come."""
    from pose2mesh.detectors.sources import frames_of

    started = time.monotonic()
    for frame in frames_of(path):
        time.sleep(max(0.0, started + frame.time_s - time.monotonic()))
        yield frame


def camera_frames(number: int) -> Iterator[VideoFrame]:
    """Frames of a camera until it is gone. Raises InputError where there is none."""
    with optional_import("a camera needs PyAV: pip install 'pose2mesh[live]'"):
        import av
    kind, name = _CAMERAS.get(platform.system(), _CAMERAS["Linux"])
    try:
        container = av.open(name.format(number), format=kind)
    except (av.FFmpegError, ValueError, OSError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise InputError(f"camera {number} cannot be opened ({error}); name another by --camera, or a FILE") from error
    started = time.monotonic()
    with container:
        try:
            for index, frame in enumerate(container.decode(video=0)):
                yield VideoFrame(index, time.monotonic() - started, frame.to_ndarray(format="rgb24"))
        except (av.FFmpegError, OSError) as error:  # pyright: ignore[reportPrivateImportUsage]
            say(f"pose2mesh: camera {number} is gone ({error}); what was recorded is kept", sys.stderr)


class Newest:
    """The newest frame each time, and when it came; a thread of its own takes them in."""

    def __init__(self, frames: Iterator[VideoFrame]) -> None:
        self.came = 0.0  # on the monotonic clock, the frame that was given last
        self._frames, self._changed = frames, threading.Condition()
        self._waiting: tuple[float, VideoFrame] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._take, daemon=True)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Raises what the frames raise."""
        self._thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, 0.2)
                has_ended = not self._thread.is_alive()  # asked first: its last frame is not missed
                taken, self._waiting = self._waiting, None
            if taken:
                self.came, frame = taken
                yield frame
            elif has_ended:
                if self._error is not None:
                    raise self._error
                return

    def _take(self) -> None:
        try:
            for frame in self._frames:
                with self._changed:
                    self._waiting = time.monotonic(), frame
                    self._changed.notify()
        except BaseException as error:  # told by whoever asks for the next frame
            self._error = error
