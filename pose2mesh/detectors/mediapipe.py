"""MediaPipe Pose, as it is: the one person that it likes best, with its own search and crop.

For comparison with `detectors.blazepose`, which runs the same network for any number of people.
"""

import warnings
from typing import Any

import numpy as np

from pose2mesh.detectors.people import Found, to_keypoints
from pose2mesh.errors import optional_import
from pose2mesh.types import Keypoints2D

NOT_INSTALLED = (
    "detector mediapipe is not installed; pip install 'pose2mesh[mediapipe]', which has something for Python 3.11 and "
    "3.12 only"
)
DETECTION_SCORE = 0.3  # MediaPipe's own default of 0.5 misses people


class MediaPipeDetector:
    """MediaPipe Pose 0.10.14, one person, mediapipe33 out. Raises MissingDependencyError."""

    def __init__(self) -> None:
        # MediaPipe calls a deprecated function of protobuf at every picture.
        warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
        with optional_import(NOT_INSTALLED):
            from mediapipe.python.solutions.pose import Pose
        self._pose = Pose(static_image_mode=True, model_complexity=1, min_detection_confidence=DETECTION_SCORE)

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """The person in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        size = (image.shape[1], image.shape[0])
        joints, _ = self.landmarks(image)
        return to_keypoints([] if joints is None else [Found(joints)], size)

    def landmarks(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """x, y (px) and visibility [33, 3], and MediaPipe's own 3D "world landmarks" [33, 3] m; None for nobody."""
        found: Any = self._pose.process(np.ascontiguousarray(image))
        if found.pose_landmarks is None:
            return None, None
        size = (image.shape[1], image.shape[0], 1)
        joints = np.array([[p.x, p.y, p.visibility] for p in found.pose_landmarks.landmark]) * size
        return joints, np.array([[p.x, p.y, p.z] for p in found.pose_world_landmarks.landmark])
