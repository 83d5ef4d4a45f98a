"""The bundled detector: MediaPipe Pose, whose weights lie in its wheel, so that it works offline.

MediaPipe returns the one person that it likes best. Several people are found by searching overlapping
windows; every find is looked at again in its own crop, as it is and mirrored. Both views have to agree with
each other and with the first find, which removes furniture that was taken for a person.

The thresholds were read off scikit-image's and matplotlib's photos: 3 different people, in 6 pictures with 11
places to find, and 23 pictures without people. The two similarities of the 11 people are at least 0.76 and 0.70;
those of cups, cats and logos at most 0.67 and 0.23. That is a small sample and the tests use part of it. On
`camera` the visibilities are 0.99 at shoulders and hips, 0.48 and 0.18 at the near and far knee, 0.03 at the far
ankle.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from pose2mesh.detectors.quiet import quiet_stderr
from pose2mesh.errors import MissingDependencyError
from pose2mesh.geometry.crop import Box, crop_image, keypoint_box, search_windows, square_box
from pose2mesh.skeletons import convert, joint_set
from pose2mesh.types import Keypoints2D

NOT_INSTALLED = (
    "detector mediapipe is not installed; pip install 'pose2mesh[mediapipe]', which has something for Python 3.11 and "
    "3.12 only"
)
MINIMAL_SIDE = 96  # pixels; smaller windows hold too little of a person for a 256 px network
DETECTION_SCORE = 0.3  # MediaPipe's own default of 0.5 misses people; false finds are removed by the second look
MISSING = 0.1  # visibility below which a joint is called missing
SEEN = 0.3  # visibility from which a joint counts for a person's box
CROP_FACTOR = 1.5  # side of the second look's crop over the person's box
SPREAD = 0.1  # distance that halves an agreement, roughly, in units of the person's size
AGREEMENT = 0.5  # of the two views, below which a find is dropped
SAME_PERSON = 0.3  # similarity above which two finds are one person
_MIRROR = list(joint_set("mediapipe33").flip_permutation)
_TRUNK = [
    joint_set("mediapipe33").index(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "hip")
]


class MediaPipeDetector:
    """MediaPipe Pose 0.10.14, for several people; COCO-17 out. Raises MissingDependencyError."""

    def __init__(self) -> None:
        # MediaPipe calls a deprecated function of protobuf at every picture.
        warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
        try:
            with quiet_stderr():
                from mediapipe.python.solutions.pose import Pose

                self._pose = Pose(static_image_mode=True, model_complexity=1, min_detection_confidence=DETECTION_SCORE)
                self._pose.process(np.zeros((64, 64, 3), np.uint8))  # the chatter comes with the first picture
        except ImportError as error:
            raise MissingDependencyError(NOT_INSTALLED) from error

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """Find the people in image uint8 [H, W, 3] RGB; P = 0 when there is nobody.

        Confidence is MediaPipe's visibility, 0 where it is below 0.1 or the joint lies outside the picture.
        """
        height, width = image.shape[:2]
        people: list[np.ndarray] = []
        for found in self._search(image):
            person = None if _is_known(found, people) else self._look_again(image, found)
            if person is not None and not _is_known(person, people):
                people.append(person)
        joints = np.stack(people) if people else np.zeros((0, len(_MIRROR), 3))  # [P, 33, 3]
        inside = ((joints[..., :2] >= 0) & (joints[..., :2] < (width, height))).all(-1)  # [P, 33]
        confidence = np.where(inside & (joints[..., 2] >= MISSING), joints[..., 2], 0.0)
        points, confidence = convert(joints[..., :2], confidence, "mediapipe33", "coco17")
        return Keypoints2D(points.astype(np.float32), confidence.astype(np.float32), "coco17", (width, height))

    def _search(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Joints [33, 3] of every find in the whole picture and in overlapping square windows."""
        for box in search_windows(image.shape[1], image.shape[0], MINIMAL_SIDE):
            found = self._process(image, box)
            if found is not None:
                yield found

    def _look_again(self, image: np.ndarray, joints: np.ndarray) -> np.ndarray | None:
        """Mean of the plain and the mirrored view of a person's crop; None unless all agree."""
        height, width = image.shape[:2]
        inside = ((joints[:, :2] >= 0) & (joints[:, :2] < (width, height))).all(-1)  # [33]
        seen = joints[:, 2] * inside >= SEEN  # [33]
        if not seen.any():
            return None
        box = square_box(keypoint_box(joints[:, :2], seen), CROP_FACTOR)
        plain, mirrored = self._process(image, box), self._process(image, box, is_mirrored=True)
        if plain is None or mirrored is None or similarity(plain, mirrored) < AGREEMENT:
            return None
        person = _merge_views(plain, mirrored)
        return person if similarity(joints, person) > SAME_PERSON else None

    def _process(self, image: np.ndarray, box: Box, is_mirrored: bool = False) -> np.ndarray | None:
        """Run the network on a window: joints [33, 3] in picture pixels with visibility, or None."""
        crop, offset = crop_image(image, box)
        size = crop.shape[1::-1]
        result = self._pose.process(np.ascontiguousarray(crop[:, ::-1] if is_mirrored else crop))
        landmarks = getattr(result, "pose_landmarks", None)
        if landmarks is None:
            return None
        joints = np.array([[p.x, p.y, p.visibility] for p in landmarks.landmark])  # [33, 3]
        if is_mirrored:
            joints[:, 0] = 1 - joints[:, 0]
            joints = joints[_MIRROR]
        joints[:, :2] = joints[:, :2] * size + offset
        return joints


def _merge_views(plain: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Mean of two views [33, 3] of a person; the plain one alone where they disagree on left and right.

    The mean of a joint and its mirror partner lies on the mid-line, which would make a stick of the person.
    """

    def distance(other: np.ndarray) -> float:
        return float(np.linalg.norm(plain[:, :2] - other[:, :2], axis=1).mean())

    return plain if distance(mirrored[_MIRROR]) < distance(mirrored) else (plain + mirrored) / 2


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """How far two finds [33, 3] are the same person, in [0, 1]: COCO's object keypoint similarity with one
    width.

    Joints weigh by the smaller visibility; distances are in units of the mean person size.
    """
    size = (_size(a) + _size(b)) / 2
    distance = np.linalg.norm(a[:, :2] - b[:, :2], axis=-1) / size  # [33]
    weight = np.minimum(a[:, 2], b[:, 2])  # [33]
    return float((weight * np.exp(-((distance / SPREAD) ** 2) / 2)).sum() / (weight.sum() + 1e-9))


def _size(joints: np.ndarray) -> float:
    """Longest side of the box of a find's seen joints, px."""
    seen = joints[joints[:, 2] >= SEEN, :2] if (joints[:, 2] >= SEEN).sum() > 1 else joints[:, :2]
    return float(max(np.ptp(seen, axis=0).max(), 1.0))


def _is_known(found: np.ndarray, people: list[np.ndarray]) -> bool:
    return any(similarity(found, person) > SAME_PERSON for person in people)
