"""A motion as a film: the bodies over the video they were seen in, with its sound, or before a plain wall."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pose2mesh.detectors.sessions import default_threads
from pose2mesh.detectors.sources import frames_of
from pose2mesh.detectors.video_files import VideoFrame, video_info
from pose2mesh.errors import InputError
from pose2mesh.exporters.motion import check_motion
from pose2mesh.rendering import draw_keypoints, plain_canvas, render_overlay
from pose2mesh.rendering.shading import BACKGROUND
from pose2mesh.rendering.video import video_writer
from pose2mesh.skeletons import joint_sets
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.types import Motion, Person


def motion_film(
    motion: Motion,
    path: str | Path,
    style: str = "blend",
    with_keypoints: bool = False,
    drawn: Callable[[], object] = lambda: None,
) -> Path:
    """Write an .mp4 of a motion, atomically; `style` is of `rendering.OVERLAYS`, `drawn` is called at every frame.

    Over `motion.source` where that is known. Returns the path. Raises InputError for a motion without a camera, errors
    of `frames_of`, MissingDependencyError without PyAV, MachineError when the disk is full.
    """
    check_motion(motion)
    if motion.camera is None:
        raise InputError(f"{path}: the motion has no camera, so there is no place in a picture for its people")
    bodies, source = MotionBodies(motion), motion.source
    frames, show = _stage(motion)
    bones = next((s.bone_indices for s in joint_sets() if len(s) == motion.keypoints.shape[1]), ())

    def draw(frame: VideoFrame) -> tuple[np.ndarray, float]:
        people = [show(person) for person in bodies.people(frame.index)]
        picture = render_overlay(frame.image, people, style)
        for person in people if with_keypoints else ():
            picture = draw_keypoints(picture, person.keypoints, bones)
        return picture, frame.time_s

    video_file = source if source and source.is_file() else None
    with video_writer(Path(path), motion.fps, video_file) as video:
        for picture, time in _in_parallel(draw, frames):
            video.add(picture, time)
            drawn()
        if video_file:
            video.hold(video_info(video_file).end_s)  # pictures that move often show their last frame for long
    return Path(path)


def _stage(motion: Motion) -> tuple[Iterator[VideoFrame], Callable[[Person], Person]]:
    """The frames to draw on, and what gives people as these show them; plain ones at the times of the motion's rows."""
    if motion.source:
        return frames_of(motion.source, motion.fps), lambda person: person
    wall = plain_canvas(motion.keypoints, motion.camera, np.rint(255 * np.array(BACKGROUND)))
    frames, first = np.unique(motion.frame, return_index=True)
    return map(VideoFrame, frames.tolist(), motion.time[first].tolist(), [wall.image] * len(frames)), wall.show


def _in_parallel(
    draw: Callable[[VideoFrame], tuple[np.ndarray, float]], frames: Iterable[VideoFrame]
) -> Iterator[tuple[np.ndarray, float]]:
    """What `draw` makes of the frames, in their order; a few are under way at a time, so that memory stays the same."""
    count = default_threads()
    with ThreadPoolExecutor(count) as pool:
        waiting = deque()
        for frame in frames:
            waiting.append(pool.submit(draw, frame))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
