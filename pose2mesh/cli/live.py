"""`pose2mesh live`: a camera, or a video at its speed, to a window or a page with the overlay and to avatars."""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.arguments import Parser
from pose2mesh.cli.console import TERMINATED, say
from pose2mesh.cli.live_frames import Newest, camera_frames, played
from pose2mesh.cli.live_screens import LivePage, LiveWindow, open_window
from pose2mesh.cli.predict import DEFAULT_WEIGHTS, load_model
from pose2mesh.detectors.sources import is_sequence
from pose2mesh.errors import InputError
from pose2mesh.paths import not_over
from pose2mesh.tracking.ground import LiveUp, world_axes
from pose2mesh.types import Person

_PORT = 8765
_SWITCH_SECONDS = 5e-4  # after which Python's threads take turns: what draws must not hold up what looks
_SHAPES = 30  # frames between two looks at an avatar's shape


def run(arguments: list[str]) -> int:
    """Run until the file ends, the camera is gone, or somebody interrupts or terminates it; what was recorded is kept.

    Raises InputError for wrong arguments, a port in use and a camera that is not there.
    """
    parser = Parser(prog="pose2mesh live", description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, metavar="FILE", help="a video, played at its speed")
    parser.add_argument("--camera", type=int, metavar="N", help="number of the camera (default without FILE: 0)")
    parser.add_argument(
        "--vmc", metavar="HOST:PORT", help="send the first person's bones by the VMC protocol, for avatars"
    )
    parser.add_argument("--record", type=Path, metavar="OUT", help="folder for overlay.mp4 and motion.npz")
    parser.add_argument(
        "--port", type=int, help="show a page on this port of localhost, not a window (0: any free port)"
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS["body"], metavar="NAME|PATH", help="shipped name or file")
    parser.add_argument("--detector", default="auto", metavar="NAME", help="as of predict (default: auto)")
    parser.add_argument(
        "--smooth", choices=("auto", "off"), default="auto", help="smooth people over time (default: auto)"
    )
    parser.add_argument("--focal", type=float, metavar="PX", help="focal length of the camera in pixels")
    options = parser.parse_args(arguments)
    if options.source is not None and options.camera is not None:
        raise InputError("give a FILE or --camera, not both")
    if options.source and options.record:
        not_over(options.record / "overlay.mp4", options.source)
    if options.source is not None and not options.source.exists():  # before a page is announced
        raise InputError(f"{options.source}: no such file; give a video, or --camera N")
    if options.source is not None and not is_sequence(options.source):
        raise InputError(f"{options.source}: neither a video nor a folder of numbered frames; give one, or --camera N")
    from pose2mesh.exporters.vmc import VmcSender

    sender = VmcSender(options.vmc) if options.vmc else None
    model = load_model("body", options.weights, None, "cpu", has_kinds=False)
    with ExitStack() as stack:
        screen = open_window() if options.port is None else None
        if screen is None:
            screen = LivePage(_PORT if options.port is None else options.port)
            say(f"showing on {screen.address}; interrupt to end", sys.stdout)
        stack.callback(screen.close)
        frames = played(options.source) if options.source else camera_frames(options.camera or 0)
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _terminate))
        return _show(model, Newest(frames), screen, sender, options)


class Terminated(KeyboardInterrupt):
    """SIGTERM: an interrupt with a code of its own."""


def _terminate(*_: object) -> None:
    raise Terminated


def _show(model, frames: Newest, screen: LivePage | LiveWindow, sender, options) -> int:
    """Until the frames end, the window is closed or somebody ends it; one picture is drawn beside the next look."""
    from pose2mesh.rendering import render_overlay
    from pose2mesh.rendering.video import video_writer

    torch.set_num_threads(1)  # of one person there is too little to share
    sys.setswitchinterval(_SWITCH_SECONDS)
    builder, rows, puppet, draw = model.motion_builder(), [], Puppet(), partial(render_overlay, samples=1.0)
    shown, late = [], []  # s, when each picture was shown and how long after its frame
    with ExitStack() as stack:
        video = stack.enter_context(video_writer(options.record / "overlay.mp4", 30.0)) if options.record else None
        pool, drawing = stack.enter_context(ThreadPoolExecutor(1)), None

        def show(picture: np.ndarray, came: float, seconds: float) -> None:
            screen.show(picture)
            shown.append(time.monotonic())
            late.append(shown[-1] - came)
            if video:
                video.add(picture, seconds)

        code = 0
        try:
            for frame in model.follow(frames, options.detector, intrinsics=options.focal, smooth=options.smooth):
                if sender and frame.people:
                    person = min(frame.people, key=lambda p: p.track or 0)
                    sender.send(puppet.bones(person, frame.time), frame.time)
                if video:
                    rows.append(builder.rows([(frame.index, frame.time, frame.people)]))
                if drawing:
                    show(drawing[0].result(), *drawing[1:])
                drawing = pool.submit(draw, frame.image, frame.people), frames.came, frame.time
                if not screen.is_open:
                    break
        except KeyboardInterrupt as error:
            code = TERMINATED if isinstance(error, Terminated) else 0
        if drawing:
            show(drawing[0].result(), *drawing[1:])
    rate = (len(shown) - 1) / max(shown[-1] - shown[0], 1e-6) if len(shown) > 1 else 0.0
    delay = f", shown {1000 * np.median(late):.0f} ms after they came" if late else ""
    say(f"{len(shown)} frames, {rate:.1f} a second{delay}", sys.stdout)
    if options.record and not any(len(part.frame) for part in rows):
        (options.record / "motion.npz").unlink(missing_ok=True)  # of an earlier recording
        say("nobody was found, so there is no motion.npz", sys.stdout)
    elif rows:
        seen = builder.join(rows)
        gone = np.ptp(seen.time)  # pictures were shown as time allowed; frames are counted at the rate they came
        rate = float(np.ptp(seen.frame) / gone) if gone else 30.0
        builder.build(seen, rate, "off").save(options.record / "motion.npz")
    return code


class Puppet:
    """One person's bones, upright before tilted cameras too; the body is that of the shape as it was a while ago."""

    def __init__(self) -> None:
        self._track: int | None = None
        self._body, self._frames, self._up = load_anny_body(), 0, LiveUp()
        self._place, self._seen_at = np.zeros(3), np.zeros(3)  # m, where it stands in the world and before the camera

    def bones(self, person: Person, time: float) -> list:
        """Of the next frame of somebody; another person starts anew. The person has parameters and a camera."""
        from pose2mesh.exporters.vmc import Avatar

        if person.parameters is None or person.camera is None:
            raise InputError("avatars need body parameters; take weights that give them, such as anny-body")
        if person.track != self._track or self._frames % _SHAPES == 0:
            self._avatar, self._track = Avatar(person.parameters["betas"], self._body), person.track
        rotations, translation = person.parameters["rotations"], person.camera.translation
        neck = person.joints[person.joint_names.index("neck")] - person.joints[person.joint_names.index("pelvis")]
        axes = world_axes(self._up(neck, self._avatar.soles(rotations), time))
        # By how far somebody went since: a world that is turned upright carries nobody away.
        self._place += axes @ (translation - self._seen_at)
        self._seen_at, self._frames = translation, self._frames + 1
        return self._avatar.bones(axes @ rotations, self._place)
