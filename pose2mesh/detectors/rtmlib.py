"""RTMPose through rtmlib: stronger than MediaPipe in crowds, but its weights are downloaded at first use.

Not run by the tests, which work offline.
"""

import numpy as np

from pose2mesh.errors import MissingDependencyError, MissingFileError
from pose2mesh.types import Keypoints2D

WEAKEST_PERSON = 0.3  # mean score; without a find rtmlib takes the whole picture for a person, with low scores
MISSING = 0.3  # score below which a joint is called missing, the threshold of rtmlib's own drawings


class RTMLibDetector:
    """rtmlib's `Body` on the CPU, COCO-17 out.

    Raises MissingDependencyError without rtmlib, MissingFileError when its weights cannot be downloaded.
    """

    def __init__(self) -> None:
        try:
            from rtmlib import Body  # pyright: ignore[reportAttributeAccessIssue] - it finds this file
        except ImportError as error:
            raise MissingDependencyError("detector rtmlib is not installed; pip install 'pose2mesh[rtmlib]'") from error
        try:
            self._body = Body(mode="balanced", backend="onnxruntime", device="cpu")
        except OSError as error:  # urllib's URLError is one
            raise MissingFileError(
                f"rtmlib could not download its weights ({error}); go online once, or use --detector mediapipe"
            ) from error

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """Find the people in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        points, scores = self._body(np.ascontiguousarray(image[..., ::-1]))  # rtmlib takes BGR
        scores = np.asarray(scores, np.float32).reshape(-1, 17).clip(0, 1)  # [P, 17]
        points = np.asarray(points, np.float32).reshape(-1, 17, 2)  # [P, 17, 2]
        is_person = scores.mean(-1) >= WEAKEST_PERSON  # [P]
        confidence = np.where(scores >= MISSING, scores, 0)  # [P, 17]
        height, width = image.shape[:2]
        return Keypoints2D(points[is_person], confidence[is_person], "coco17", (width, height))
