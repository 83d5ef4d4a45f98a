"""Detectors of other packages: MediaPipe Pose and RTMPose through rtmlib.

MediaPipe Pose as it is, the one person that it likes best, with its own search and crop: for comparison with
`detectors.blazepose`, which runs the same network for any number of people. RTMPose knows body, feet and fingers and is
stronger in crowds, but its weights are downloaded at first use; the tests, which work offline, give it networks.
"""

import warnings
from typing import Any

import numpy as np

from pose2mesh.detectors.people import Found, to_keypoints
from pose2mesh.errors import MissingFileError, optional_import
from pose2mesh.types import Keypoints2D

NOT_INSTALLED = (
    "detector mediapipe is not installed; pip install 'pose2mesh[mediapipe]', which has something for Python 3.11 and "
    "3.12 only"
)
DETECTION_SCORE = 0.3  # MediaPipe's own default of 0.5 misses people
WEAKEST_PERSON = 0.3  # mean score; without a find rtmlib takes the whole picture for a person, with low scores
MISSING = 0.3  # score below which a joint is called missing, the threshold of rtmlib's own drawings
BODY = 17  # the first of the joints, COCO's
ROWS = [*range(23), *range(91, 133)]  # of COCO-WholeBody's 133 points: body, feet, left and right hand; no face


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


class RTMLibDetector:
    """rtmlib's `Wholebody` on the CPU, wholebody65 out.

    Raises MissingDependencyError without rtmlib, MissingFileError when its weights cannot be downloaded.
    """

    def __init__(self) -> None:
        with optional_import("detector rtmlib is not installed; pip install 'pose2mesh[rtmlib]'"):
            from rtmlib import Wholebody  # pyright: ignore[reportMissingImports]
        try:
            self._network = Wholebody(mode="balanced", backend="onnxruntime", device="cpu")
        except OSError as error:  # urllib's URLError is one
            raise MissingFileError(
                f"rtmlib could not download its weights ({error}); go online once, or use --detector blazepose"
            ) from error

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """Find the people in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        points, scores = self._network(np.ascontiguousarray(image[..., ::-1]))  # rtmlib takes BGR
        scores = np.asarray(scores, np.float32).reshape(-1, 133)[:, ROWS].clip(0, 1)  # [P, 65]
        points = np.asarray(points, np.float32).reshape(-1, 133, 2)[:, ROWS]  # [P, 65, 2]
        is_person = scores[:, :BODY].mean(-1) >= WEAKEST_PERSON  # [P]
        confidence = np.where(scores >= MISSING, scores, 0)  # [P, 65]
        height, width = image.shape[:2]
        return Keypoints2D(points[is_person], confidence[is_person], "wholebody65", (width, height))
