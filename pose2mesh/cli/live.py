"""`pose2mesh live`: a camera, or a video at its speed, to a page with the overlay and to avatars."""

import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.console import say
from pose2mesh.cli.live_page import LivePage
from pose2mesh.cli.predict import DEFAULT_WEIGHTS, Parser, load_model
from pose2mesh.errors import InputError
from pose2mesh.types import Person

_CAMERAS = {"Linux": ("v4l2", "/dev/video{}"), "Darwin": ("avfoundation", "{}"), "Windows": ("dshow", "video={}")}
_SHAPES = 30  # frames between two looks at an avatar's shape


def run(arguments: list[str]) -> int:
    """Run until the file ends, the camera is gone or the user interrupts; what was recorded is kept.

    Raises InputError for wrong arguments, a port in use and a camera that is not there.
    """
    parser = Parser(prog="pose2mesh live", description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, metavar="FILE", help="a video, played at its speed")
    parser.add_argument("--camera", type=int, metavar="N", help="number of the camera (default without FILE: 0)")
    parser.add_argument("--vmc", metavar="HOST:PORT", help="send the first person's bones by the VMC protocol")
    parser.add_argument("--record", type=Path, metavar="OUT", help="folder for overlay.mp4 and motion.npz")
    parser.add_argument("--port", type=int, default=8765, help="of the page on localhost (0: any that is free)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS["body"], metavar="NAME|PATH")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--smooth", choices=("auto", "off"), default="auto", help="people over time (default: auto)")
    parser.add_argument("--focal", type=float, metavar="PX", help="focal length of the camera in pixels")
    options = parser.parse_args(arguments)
    if options.source is not None and options.camera is not None:
        raise InputError("give a FILE or --camera, not both")
    from pose2mesh.exporters.vmc import VmcSender

    sender = VmcSender(options.vmc) if options.vmc else None
    model = load_model("body", options.weights, None, "cpu")
    with ExitStack() as stack:
        page = LivePage(options.port)
        stack.callback(page.close)
        say(f"showing on {page.address}; interrupt to end", sys.stdout)
        frames = played(options.source) if options.source else camera_frames(options.camera or 0)
        _show(model, frames, page, sender, options)
    return 0


def _show(model, frames: Iterator, page: LivePage, sender, options) -> None:
    from pose2mesh.rendering import render_overlay
    from pose2mesh.rendering.video import video_writer

    builder, rows, puppet = model.motion_builder(), [], Puppet()
    with ExitStack() as stack:
        video = stack.enter_context(video_writer(options.record / "overlay.mp4", 30.0)) if options.record else None
        started, count, worst = time.monotonic(), 0, 0.0
        try:
            for frame in model.follow(frames, options.detector, intrinsics=options.focal, smooth=options.smooth):
                picture = render_overlay(frame.image, frame.people)
                page.show(picture)
                if sender and frame.people:
                    sender.send(puppet.bones(min(frame.people, key=lambda p: p.track or 0)), frame.time)
                if video:
                    video.add(picture, frame.time)
                    rows.append(builder.rows([(frame.index, frame.time, frame.people)]))
                count += 1
                worst = max(worst, time.monotonic() - started - frame.time) if options.source else worst
        except KeyboardInterrupt:
            pass
        except OSError as error:  # a camera that was pulled out
            say(f"pose2mesh: the camera is gone ({error})", sys.stderr)
    seconds = max(time.monotonic() - started, 1e-6)
    say(f"{count} frames in {seconds:.1f} s, {count / seconds:.1f} a second", sys.stdout)
    if rows and any(len(part.frame) for part in rows):
        builder.build(builder.join(rows), count / seconds, "off").save(options.record / "motion.npz")


def played(path: Path) -> Iterator:
    """Frames of a video at its speed; those that are late are left out."""
    from pose2mesh.detectors.sequences import frames_of

    started = time.monotonic()
    for frame in frames_of(path):
        wait = frame.time_s - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        if wait > -0.1 or frame.index == 0:
            yield frame
        if frame.index == 0:  # networks warm up on the first frame
            started = time.monotonic()


def camera_frames(number: int) -> Iterator:
    """Frames of a camera as they come. Raises InputError where there is none."""
    from pose2mesh.detectors.videos import VideoFrame
    from pose2mesh.errors import MissingDependencyError

    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("a camera needs PyAV: pip install 'pose2mesh[live]'") from error
    kind, name = _CAMERAS.get(platform.system(), _CAMERAS["Linux"])
    try:
        container = av.open(name.format(number), format=kind)
    except (av.FFmpegError, ValueError, OSError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise InputError(f"camera {number} cannot be opened ({error}); name another by --camera, or a FILE") from error
    started = time.monotonic()
    with container:
        for index, frame in enumerate(container.decode(video=0)):
            yield VideoFrame(index, time.monotonic() - started, frame.to_ndarray(format="rgb24"))


class Puppet:
    """One person's bones; the body is that of the shape as it was known a while ago."""

    def __init__(self) -> None:
        self._track: int | None = None
        self._body, self._frames = load_anny_body(), 0

    def bones(self, person: Person) -> list:
        """Of the next frame of somebody; another person starts anew. The person has parameters and a camera."""
        from pose2mesh.exporters.vmc import Avatar

        if person.parameters is None or person.camera is None:
            raise InputError("avatars need body parameters; take weights that give them, such as anny-body")
        if person.track != self._track or self._frames % _SHAPES == 0:
            self._avatar, self._track = Avatar(person.parameters["betas"], self._body), person.track
        self._frames += 1
        return self._avatar.bones(person.parameters["rotations"], person.camera.translation)
