"""RTMPose through rtmlib: body, feet and fingers, stronger in crowds, but its weights are downloaded at first use.

The tests, which work offline, run it with networks of their own.
"""

import numpy as np

from pose2mesh.errors import MissingFileError, optional_import
from pose2mesh.types import Keypoints2D

WEAKEST_PERSON = 0.3  # mean score; without a find rtmlib takes the whole picture for a person, with low scores
MISSING = 0.3  # score below which a joint is called missing, the threshold of rtmlib's own drawings
BODY = 17  # the first of the joints, COCO's
ROWS = [*range(23), *range(91, 133)]  # of COCO-WholeBody's 133 points: body, feet, left and right hand; no face


class RTMLibDetector:
    """rtmlib's `Wholebody` on the CPU, wholebody65 out.

    Raises MissingDependencyError without rtmlib, MissingFileError when its weights cannot be downloaded.
    """

    def __init__(self) -> None:
        with optional_import("detector rtmlib is not installed; pip install 'pose2mesh[rtmlib]'"):
            from rtmlib import Wholebody  # pyright: ignore[reportAttributeAccessIssue] - it finds this file
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
