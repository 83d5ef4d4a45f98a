"""The bundled detector: MoveNet Multipose finds people, BlazePose tells 33 joints of each, and either checks the other.

BlazePose looks at one person's crop and answers with whoever fills it best, so in a crowd it may jump to a neighbor.
Its joints are compared with the finder's: where they are not of one person it looks again, closer; where that does not
help the finder's own 17 joints stay. A weak find stays only if both agree on it.
"""

import numpy as np

from pose2mesh.detectors.finder import find_people
from pose2mesh.detectors.following import VideoDetector
from pose2mesh.detectors.landmarks import Landmarks, look, region_of
from pose2mesh.detectors.opinion import reconsidered
from pose2mesh.detectors.people import AGREE, PRESENT, Found, distinct, to_keypoints
from pose2mesh.detectors.sessions import load_session
from pose2mesh.detectors.similarity import SCORE_ROW, nearness, similarity, to_coco
from pose2mesh.skeletons import COCO17, COCO_ROWS, MEDIAPIPE33, convert
from pose2mesh.types import Keypoints2D

SURE_FIND = 0.35  # score of a find that stays although the landmarks are of somebody else
CLOSER = 0.75  # side of the second attempt's region over the first one's
FINDER_SHARE = 0.25  # of the finder's joints in the answer
SEEN = 0.2  # score from which the finder saw a joint
DOUBTED = 0.25  # what remains of a joint's confidence where the finder saw it elsewhere
_COCO_ROWS = [MEDIAPIPE33.index(joint) for joint in COCO17.joints]


class BlazePoseDetector:
    """MoveNet Multipose and BlazePose on onnxruntime: any number of people, mediapipe33 out.

    MoveNet Thunder gives a second opinion (`detectors.opinion`; False: none, 30 ms a person less).
    `landmarks` is full or heavy; `threads` of the networks (None: `sessions.default_threads`). Raises
    MissingDependencyError without onnxruntime, MissingFileError or FormatError when a network's file is absent or
    damaged.
    """

    def __init__(self, landmarks: str = "full", threads: int | None = None, opinion: bool = True) -> None:
        self.finder = load_session("movenet_multipose", threads)
        self.landmarks = load_session(f"pose_landmark_{landmarks}", threads)
        self._threads, self._opinion = threads, opinion

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB, largest first; P = 0 when there is nobody.

        Confidence is the landmark network's visibility, lower where the finder saw the joint elsewhere, 0 where it is
        below 0.1 or the joint lies outside the picture.
        """
        people = self.reconsider(image, self.confirm(image, find_people(self.finder, image)))
        return to_keypoints(people, (image.shape[1], image.shape[0]))

    def video(self, every: int = 15) -> VideoDetector:
        """A detector for the frames of one video, one after another; the finder looks at every `every`-th."""
        return VideoDetector(self, every)

    def live(self) -> VideoDetector:
        """The same for frames that come by the clock: the finder does not hold them up."""
        return VideoDetector(self, 15, is_live=True)

    def reconsider(self, image: np.ndarray, people: list[Found]) -> list[Found]:
        """The same people with the second opinion, if there is one."""
        if not self._opinion or not people:
            return people
        network = load_session("movenet_thunder", self._threads)  # asked for here: live needs none
        return [reconsidered(network, image, person) for person in people]

    def confirm(self, image: np.ndarray, poses: np.ndarray) -> list[Found]:
        """The people among finds [N, 18, 3] in image uint8 [H, W, 3]."""
        first = look(self.landmarks, image, [region_of(pose[COCO_ROWS]) for pose in poses])
        again = look(self.landmarks, image, [found.region for found in first], both=True)
        best = [closest(pose, pair) for pose, *pair in zip(poses, again, first, strict=True)]
        lost = [i for i, pose in enumerate(poses) if agreement(best[i], pose) < AGREE]
        regions = [region_of(poses[i, COCO_ROWS]) for i in lost]
        closer = look(self.landmarks, image, [region._replace(side=CLOSER * region.side) for region in regions])
        for i, found in zip(lost, closer, strict=True):
            best[i] = closest(poses[i], [best[i], found])
        people = [decide(pose, found) for pose, found in zip(poses, best, strict=True)]
        return distinct([person for person in people if person is not None])


class HeavyBlazePoseDetector(BlazePoseDetector):
    """With the larger of BlazePose's networks: slower, a little more exact."""

    def __init__(self) -> None:
        super().__init__("heavy")


def closest(pose: np.ndarray, candidates: list[Landmarks]) -> Landmarks:
    """The first of the candidates that is of the find's person, else the one that is most alike."""
    agreements = [agreement(found, pose) for found in candidates]
    return candidates[int(np.argmax(np.minimum(agreements, AGREE)))]


def agreement(found: Landmarks, pose: np.ndarray) -> float:
    """How far landmarks are of the person of a find [18, 3], in [0, 1]; 0 where nobody is there."""
    return float(similarity(found.coco[None], pose[None, COCO_ROWS])[0, 0]) * (found.score >= PRESENT)


def decide(pose: np.ndarray, found: Landmarks) -> Found | None:
    """The person of a find [18, 3]: with the landmarks' joints, with the finder's own, or nobody."""
    if agreement(found, pose) >= AGREE:
        return Found(blended(found.joints, pose), found.region)
    if pose[SCORE_ROW, 2] < SURE_FIND:
        return None
    points, confidence = convert(pose[COCO_ROWS, :2], pose[COCO_ROWS, 2], COCO17, MEDIAPIPE33)
    return Found(np.concatenate([points, confidence[:, None]], -1), region_of(pose[COCO_ROWS]))


def blended(joints: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Joints [33, 3] with a share of the finder's own [18, 3] where both agree, less trusted where not."""
    coco = to_coco(joints)
    near = nearness(coco[None], pose[None, COCO_ROWS])[0, 0]  # [17]
    is_seen = pose[COCO_ROWS, 2] >= SEEN  # [17]
    mixed = joints.copy()
    mixed[_COCO_ROWS, :2] += (FINDER_SHARE * near * is_seen)[:, None] * (pose[COCO_ROWS, :2] - coco[:, :2])
    mixed[_COCO_ROWS, 2] *= np.where(is_seen, DOUBTED + (1 - DOUBTED) * near, 1)
    return mixed
