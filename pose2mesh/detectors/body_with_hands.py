"""Bodies with their hands in one array: bodies first, then the hands at their wrists."""

import numpy as np

from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.detectors.hands import HandDetector, to_hand_keypoints
from pose2mesh.skeletons import BODY_HANDS59, COCO17, hand_of_body
from pose2mesh.types import Keypoints2D


class BodyWithHandsDetector:
    """Finds people; the joints of hands that were not found are missing. Raises MissingDependencyError."""

    kind = "body+hands"

    def __init__(self) -> None:
        self._bodies, self._hands = BlazePoseDetector(), HandDetector()

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People with body_hands59 in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        size = (image.shape[1], image.shape[0])
        bodies = in_joint_set(self._bodies.detect(image), COCO17.name)
        points = np.zeros((len(bodies), len(BODY_HANDS59), 2), np.float32)
        confidence = np.zeros(points.shape[:2], np.float32)
        points[:, : len(COCO17)], confidence[:, : len(COCO17)] = bodies.points, bodies.confidence
        for wrist, hand in self._hands.detect_at_wrists(image, bodies):
            joints = to_hand_keypoints([hand], size)
            first = BODY_HANDS59.index(hand_of_body(wrist.side).joints[0])
            rows = slice(first, first + joints.points.shape[1])
            points[wrist.person, rows], confidence[wrist.person, rows] = joints.points[0], joints.confidence[0]
        return Keypoints2D(points, confidence, BODY_HANDS59.name, size)
