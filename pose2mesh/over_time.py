"""The part of `Pose2Mesh` that follows people through videos: who is who, and from single frames to a motion."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pose2mesh.detectors import Detector, frame_finder
from pose2mesh.detectors.intrinsics import IntrinsicsLike
from pose2mesh.detectors.left_out import LeftOut
from pose2mesh.detectors.readers import Frame
from pose2mesh.detectors.sources import (
    Entry,
    camera_of_frames,
    existing,
    frames_of,
    is_sequence,
    keypoint_frames,
    rate_of,
    sequence_info,
)
from pose2mesh.detectors.told import Told, check_batch_size
from pose2mesh.detectors.video_files import VideoFrame
from pose2mesh.errors import InputError, nobody_named
from pose2mesh.fitting.people import Outputs, check_fit, check_outputs
from pose2mesh.tracking import IdentityTracker, Tracker
from pose2mesh.tracking.clothes import with_clothes
from pose2mesh.types import FramePrediction, Keypoints2D, Motion, Subject

if TYPE_CHECKING:
    from pose2mesh.tracking.motion import MotionBuilder

_CHUNK_BYTES = 128 * 2**20  # of pictures at once
_TICK = 1e-4  # s, the least from one frame to the next


class TimedFrame(NamedTuple):
    """One frame of a sequence, before anybody was recovered."""

    index: int
    time: float  # s
    image: Any  # uint8 [H, W, 3], None for keypoint files
    frame: Frame | None  # of keypoint files; None for pictures


class OverTime:
    """Methods of `Pose2Mesh`; it gives detection and recovery of single frames."""

    network: Any
    _as_told: Callable[[Keypoints2D, Told, str], Keypoints2D]
    _detector: Callable[[str | Detector], Detector]
    _predict_many: Callable[[list[Entry], int, Outputs, bool], Iterator[FramePrediction]]
    _left_out: Callable[[str], LeftOut]
    converted: Callable[[Keypoints2D], Keypoints2D]

    def track(
        self,
        source: str | Path,
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        *,
        intrinsics: IntrinsicsLike | None = None,
        image_size: tuple[int, int] | None = None,
        tracker: Tracker | None = None,
        start: int = 0,
        fps: float | None = None,
        fit: bool = True,
        subject: Subject | None = None,
        outputs: Outputs = "mesh",
    ) -> Iterator[FramePrediction]:
        """`FramePrediction`s of a video, numbered frames in a folder or keypoint files, whose people have a `track`.

        `tracker` numbers people (default: by joints, place and clothes); numbers that a keypoint file brings are kept.
        Frames before number `start` are passed over. `fps`: frames a second of numbered frames and keypoint files, a
        file or a folder of them, which do not tell (default: 30). Other arguments as of `predict`; errors too, but a
        frame without anybody has no people.
        """
        source = existing(source)
        intrinsics = camera_of_frames(source) if intrinsics is None else intrinsics
        told = Told.checked(joint_set, detector, None, intrinsics, image_size, subject)
        check_outputs(outputs)
        check_fit(fit)
        check_batch_size(batch_size)
        if not isinstance(tracker, Tracker | None) or isinstance(tracker, type):
            raise InputError(f"tracker is {tracker!r:.60}; it must have update(keypoints, time)")
        if not isinstance(start, Integral):
            raise InputError(f"start is {start!r:.60}; it must be the number of a frame")
        tracker = IdentityTracker() if tracker is None else tracker
        chunk, taken, left_out = [], 0, self._left_out(str(source))
        find = None  # keypoint files need no detector
        for timed in self._timed(source, told, rate_of(source, fps)):
            if timed.index < start:
                continue
            frame = timed.frame
            if frame is None:
                find = find or frame_finder(self._detector(told.detector))
                found = find(timed.image, timed.time)
                found = with_clothes(replace(found, tracks=None), timed.image)
                frame = Frame(f"{source.stem}_{timed.index:06d}", found)
            chunk.append((timed, self._numbered(frame, timed.time, told, tracker, left_out)))
            taken += max(1, len(chunk[-1][1].keypoints))
            if taken >= batch_size or (timed.image is not None and len(chunk) * timed.image.nbytes > _CHUNK_BYTES):
                yield from self._recover_chunk(chunk, batch_size, fit, outputs)
                chunk, taken = [], 0
        left_out.tell()
        yield from self._recover_chunk(chunk, batch_size, fit, outputs)

    def follow(
        self, frames: Iterable[VideoFrame], detector: str | Detector = "auto", *, intrinsics=None, smooth: str = "auto"
    ) -> Iterator[FramePrediction]:
        """`FramePrediction`s of frames as they come, one by one and without delay, whose people have a `track`.

        `smooth`: auto steadies everybody by what was seen of him so far, for weights that have a network over time; the
        people's keypoints are the steady ones then.
        """
        from pose2mesh.tracking.stream import SteadyStream

        stream = SteadyStream.of(self.network) if smooth == "auto" else None
        told = Told.checked(None, detector, None, intrinsics, None)
        find, tracker = frame_finder(self._detector(detector), "live"), IdentityTracker()
        for index, time, image in _ascending(frames):
            frame = Frame(f"live_{index:06d}", with_clothes(replace(find(image, time), tracks=None), image))
            frame = self._numbered(frame, time, told, tracker, self._left_out("live"))
            if stream:
                frame = frame._replace(keypoints=stream.keypoints(frame.keypoints, time))
            chunk = [(TimedFrame(index, time, image, None), frame)]
            for found in self._recover_chunk(chunk, 64, fit=stream is None, outputs="parameters" if stream else "mesh"):
                yield found._replace(people=stream(found.people, time)) if stream else found

    def motion(
        self,
        source: str | Path,
        smooth: str = "auto",
        *,
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        intrinsics: IntrinsicsLike | None = None,
        image_size: tuple[int, int] | None = None,
        tracker: Tracker | None = None,
        start: int = 0,
        fps: float | None = None,
        fit: bool = True,
        subject: Subject | None = None,
    ) -> Motion:
        """The people of a video over time: one shape each, smooth, in their places, on the ground.

        `smooth`: auto, or off for the angles as the network gave them; other arguments as of `track`. Raises
        NoPersonFoundError when nobody is found in any frame, and InputError for weights that recover no body.
        """
        builder = self.motion_builder()
        check_fit(fit)
        told = {"intrinsics": intrinsics, "image_size": image_size, "tracker": tracker, "start": start, "fps": fps}
        told |= {"subject": subject, **builder.wants(smooth, fit, subject)}
        found = self.track(source, joint_set, detector, batch_size, **told)
        rows = [builder.rows([(frame.index, frame.time, frame.people)]) for frame in found]
        pictures = Path(source)
        with nobody_named(source):
            motion = builder.build(builder.join(rows), sequence_info(pictures, fps)[0], smooth, fit, subject)
        return replace(motion, source=pictures) if is_sequence(pictures) else motion

    def motion_builder(self) -> "MotionBuilder":
        """What makes motions of this network's answers."""
        from pose2mesh.tracking.motion import MotionBuilder

        return MotionBuilder(self.network)

    def _recover_chunk(
        self, chunk: list[tuple[TimedFrame, Frame]], batch_size: int, fit: bool, outputs: Outputs
    ) -> Iterator[FramePrediction]:
        entries = [Entry(timed.image, frame, timed.index, timed.time) for timed, frame in chunk]
        yield from self._predict_many(entries, batch_size, outputs, fit)

    def _numbered(self, frame: Frame, time: float, told: Told, tracker: Tracker, left_out: LeftOut) -> Frame:
        """The frame's usable people with their numbers. Raises InputError for a tracker that gives none."""
        keypoints = self._as_told(frame.keypoints, told, left_out.where)
        keypoints = left_out.without(keypoints, self.converted(keypoints), frame.name)
        numbers = tracker.update(keypoints, time)
        given = list(numbers) if isinstance(numbers, Iterable) else [numbers]
        are_numbers = all(isinstance(number, Integral) and number >= 0 for number in given)
        if not are_numbers or not len({*given}) == len(given) == len(keypoints):
            raise InputError(
                f"{left_out.where}: the tracker gave {numbers!r:.60} for {len(keypoints)} people; its "
                "update(keypoints, time) must return a whole number for each, from 0 on and none twice"
            )
        return frame._replace(keypoints=replace(keypoints, tracks=tuple(map(int, given))))

    def _timed(self, source: Path, told: Told, fps: float) -> Iterator[TimedFrame]:
        if is_sequence(source):
            yield from (TimedFrame(*frame, None) for frame in _ascending(frames_of(source, fps)))
            return
        frames = keypoint_frames(source, told.joint_set, told.image_size)
        for (i, _), frame in zip(frames, _numbered_throughout([frame for _, frame in frames]), strict=True):
            yield TimedFrame(i, i / fps, None, frame)


def _numbered_throughout(frames: list[Frame]) -> list[Frame]:
    """Frames with their people's numbers where all have them: in the others somebody else's would be given again."""
    if all(frame.keypoints.tracks is not None for frame in frames if len(frame.keypoints)):
        return frames
    return [frame._replace(keypoints=replace(frame.keypoints, tracks=None)) for frame in frames]


def _ascending(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The same with times that ascend: clocks may be coarser than frames are short, and step back."""
    last = -math.inf
    for index, time, image in frames:
        last = max(time, last + _TICK)
        yield VideoFrame(index, last, image)
