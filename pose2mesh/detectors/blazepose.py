"""The bundled detector: MoveNet Multipose finds people, BlazePose tells 33 joints of each, and either checks the other.

BlazePose looks at one person's crop and answers with whoever fills it best, so in a crowd it may jump to a neighbor. Its
joints are compared with the finder's: where they are not of one person it looks again, closer; where that does not help
the finder's own 17 joints stay. A weak find stays only if both agree on it.
"""

from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.finder import find_people
from pose2mesh.detectors.landmarks import Landmarks, look, region_of, to_coco
from pose2mesh.detectors.sessions import load_session
from pose2mesh.detectors.similarity import extent, nearness, similarity, suppressed
from pose2mesh.skeletons import COCO17, MEDIAPIPE33, convert
from pose2mesh.types import Keypoints2D

AGREE = 0.45  # similarity from which the finder's pose and the landmarks are one person
SURE_FIND = 0.35  # score of a find that stays although the landmarks are of somebody else
PRESENT = 0.5  # landmark network's score from which somebody is there
SAME_PERSON = 0.5  # similarity of final poses from which they are one person
MISSING = 0.1  # confidence below which a joint is called missing
CLOSER = 0.75  # side of the second attempt's region over the first one's
FINDER_SHARE = 0.25  # of the finder's joints in the answer
SEEN = 0.2  # score from which the finder saw a joint
DOUBTED = 0.25  # what remains of a joint's confidence where the finder saw it elsewhere
_COCO_ROWS = [MEDIAPIPE33.index(joint) for joint in COCO17.joints]


class Found(NamedTuple):
    """A person."""

    joints: np.ndarray  # [33, 3] x, y picture px and confidence
    score: float  # of the find, in [0, 1]


class BlazePoseDetector:
    """MoveNet Multipose and BlazePose on onnxruntime: any number of people, mediapipe33 out.

    `landmarks` is full or heavy; `threads` of the networks (None: `sessions.default_threads`). Raises
    MissingDependencyError without onnxruntime, MissingFileError or FormatError when a network's file is absent or damaged.
    """

    def __init__(self, landmarks: str = "full", threads: int | None = None, max_people: int | None = None) -> None:
        self._finder = load_session("movenet_multipose", threads)
        self._landmarks = load_session(f"pose_landmark_{landmarks}", threads)
        self.max_people = max_people

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB, largest first; P = 0 when there is nobody.

        Confidence is the landmark network's visibility, 0 where it is below 0.1 or the joint lies outside the picture.
        """
        people = self.look_at(image, find_people(self._finder, image))
        return to_keypoints(people, (image.shape[1], image.shape[0]))

    def look_at(self, image: np.ndarray, poses: np.ndarray) -> list[Found]:
        """The people among finds [N, 18, 3] in image uint8 [H, W, 3]."""
        first = look(self._landmarks, image, [region_of(pose[:17]) for pose in poses])
        again = look(self._landmarks, image, [found.region for found in first], both=True)
        best = [max(pair, key=lambda l: agreement(l, pose)) for *pair, pose in zip(first, again, poses, strict=True)]
        lost = [i for i, pose in enumerate(poses) if agreement(best[i], pose) < AGREE]
        regions = [region_of(poses[i, :17]) for i in lost]
        closer = look(self._landmarks, image, [region._replace(side=CLOSER * region.side) for region in regions])
        for i, found in zip(lost, closer, strict=True):
            best[i] = max(best[i], found, key=lambda l: agreement(l, poses[i]))
        people = [decide(pose, found) for pose, found in zip(poses, best, strict=True)]
        return distinct([person for person in people if person is not None])


def agreement(found: Landmarks, pose: np.ndarray) -> float:
    """How far landmarks are of the person of a find [18, 3], in [0, 1]; 0 where nobody is there."""
    return float(similarity(found.coco[None], pose[None, :17])[0, 0]) * (found.score >= PRESENT)


def decide(pose: np.ndarray, found: Landmarks) -> Found | None:
    """The person of a find [18, 3]: with the landmarks' joints, with the finder's own, or nobody."""
    score = float(pose[17, 2])
    if agreement(found, pose) >= AGREE:
        return Found(blended(found.joints, pose), score)
    if score < SURE_FIND:
        return None
    points, confidence = convert(pose[:17, :2], pose[:17, 2], "coco17", "mediapipe33")
    return Found(np.concatenate([points, confidence[:, None]], -1), score)


def blended(joints: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Joints [33, 3] with a share of the finder's own [18, 3] where both mean the same place, less trusted elsewhere."""
    coco = to_coco(joints)
    near = nearness(coco[None], pose[None, :17])[0, 0]  # [17]
    is_seen = pose[:17, 2] >= SEEN  # [17]
    mixed = joints.copy()
    mixed[_COCO_ROWS, :2] += (FINDER_SHARE * near * is_seen)[:, None] * (pose[:17, :2] - coco[:, :2])
    mixed[_COCO_ROWS, 2] *= np.where(is_seen, DOUBTED + (1 - DOUBTED) * near, 1)
    return mixed


def distinct(people: list[Found]) -> list[Found]:
    """Without those that are like a better one."""
    if not people:
        return []
    joints = np.stack([person.joints for person in people])  # [P, 33, 3]
    points, seen = convert(joints[..., :2], joints[..., 2], "mediapipe33", "coco17")
    poses = np.zeros((len(people), 18, 3))
    poses[:, :17] = np.concatenate([points, seen[..., None]], -1)
    poses[:, 17] = [(0, i, person.score) for i, person in enumerate(people)]
    return [people[int(i)] for i in suppressed(poses, SAME_PERSON)[:, 17, 1]]


def to_keypoints(people: list[Found], size: tuple[int, int]) -> Keypoints2D:
    """Keypoints of people in a picture of (width, height) pixels, largest first."""
    joints = np.array([person.joints for person in people], np.float32).reshape(-1, 33, 3)
    points, confidence = joints[..., :2], joints[..., 2]
    inside = ((points >= 0) & (points < size)).all(-1)  # [P, 33]
    confidence = np.where(inside & (confidence >= MISSING), confidence, 0).astype(np.float32)
    sizes = [extent(np.column_stack(person)) for person in zip(points, confidence, strict=True)]
    order = np.argsort(-np.array(sizes, np.float64), kind="stable")
    return Keypoints2D(points[order], confidence[order], "mediapipe33", size)
