"""Trackers of the package `trackers` (Roboflow, Apache-2.0: SORT, OC-SORT, ByteTrack, ...) behind our protocol.

They follow boxes; a person's box is that of the joints that are seen.
"""

from itertools import count
from typing import Any

import numpy as np

from pose2mesh.errors import InputError, optional_import
from pose2mesh.types import Keypoints2D

_UNSURE = 1_000_000  # numbers from here on: finds that the tracker has not taken for a person yet


class RoboflowTracker:
    """One object per video: `model.motion("walk.mp4", tracker=RoboflowTracker("ocsort", frame_rate=25.0))`."""

    def __init__(self, name: str = "bytetrack", **settings: Any) -> None:
        """`settings` of the tracker. Raises MissingDependencyError without the package, InputError for other names."""
        with optional_import("no package trackers; pip install 'pose2mesh[trackers]'"):
            import supervision  # pyright: ignore[reportMissingImports]
            import trackers  # pyright: ignore[reportMissingImports]
        known = {c.tracker_id: c for c in vars(trackers).values() if getattr(c, "tracker_id", None)}
        if name not in known:
            raise InputError(f"tracker {name!r} is none of {', '.join(sorted(known))}")
        self._tracker, self._detections = known[name](**settings), supervision.Detections
        self._unsure = count(_UNSURE)

    def update(self, keypoints: Keypoints2D, time: float) -> tuple[int, ...]:
        """Numbers of the people [P]; keypoints that bring numbers of their own keep them."""
        if keypoints.tracks is not None:
            return keypoints.tracks
        seen = keypoints.confidence > 0  # [P, J]
        low = np.where(seen[..., None], keypoints.points, np.inf).min(1)  # [P, 2]
        high = np.where(seen[..., None], keypoints.points, -np.inf).max(1)
        rows = np.flatnonzero(seen.any(1))
        scores = keypoints.confidence.sum(1) / np.maximum(seen.sum(1), 1)
        boxes = np.concatenate([low, high], 1)[rows].astype(np.float32)
        found = self._detections(xyxy=boxes, confidence=scores[rows].astype(np.float32), data={"row": rows})
        told = self._tracker.update(found, timestamp=time)
        numbers = dict(zip(told.data.get("row", ()), told.tracker_id, strict=True)) if len(told) else {}
        known = [int(numbers.get(row, -1)) for row in range(len(keypoints))]
        return tuple(number if number >= 0 else next(self._unsure) for number in known)
