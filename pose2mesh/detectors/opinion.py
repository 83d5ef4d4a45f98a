"""A second opinion on the joints of a person in a picture: MoveNet SinglePose Thunder's.

On labelled photos its joints are nearer than BlazePose's (docs/decisions/0070-detector-of-our-own.md). It looks once,
for as long as BlazePose takes for three looks, so at pictures and not at the frames of videos.
"""

import numpy as np

from pose2mesh.detectors.people import AGREE, MISSING, Found
from pose2mesh.detectors.regions import Region
from pose2mesh.detectors.sessions import Session
from pose2mesh.detectors.similarity import similarity, to_coco
from pose2mesh.skeletons import COCO17, MEDIAPIPE33

SIDE = 256  # px of the crop
MARGIN = 1.35  # its side over the longer side of the box around the joints that are seen
LEAST = 4  # joints that such a box needs
SHARE = 0.75  # of the opinion in an answer
LEGS = 0.25  # of that, from the hips on: more bends the knees of people who stand
SURE = 0.77  # score from which all of the share counts
_UP = np.array([0.0, -1.0])
_WITH = {"wrist": ("wrist", "pinky", "index", "thumb"), "ankle": ("ankle", "heel", "foot_index")}
_MOVES = {joint: joint for joint in COCO17.joints} | {
    f"{side}_{follower}": f"{side}_{leader}"
    for side in ("left", "right")
    for leader, followers in _WITH.items()
    for follower in followers
}  # joints of ours and those of the opinion that they go with
_ROWS = [MEDIAPIPE33.index(joint) for joint in _MOVES]
_LEADERS = [COCO17.index(leader) for leader in _MOVES.values()]
_SHARES = np.array([SHARE * (LEGS if joint.endswith(("hip", "knee", "ankle")) else 1) for joint in COCO17.joints])


def reconsidered(network: Session, image: np.ndarray, person: Found) -> Found:
    """The person with joints moved towards the opinion; unmoved where that is of somebody else."""
    pose = to_coco(person.joints)  # [17, 3]
    opinion = _look(network, image, pose)
    if similarity(pose[None], opinion[None])[0, 0] < AGREE:
        return person
    share = _SHARES * np.minimum(opinion[:, 2] / SURE, 1)  # [17]
    moves = share[:, None] * (opinion[:, :2] - pose[:, :2])
    joints = person.joints.copy()
    joints[_ROWS, :2] += moves[_LEADERS]
    return person._replace(joints=joints)


def _look(network: Session, image: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Joints [17, 3], x, y picture px and score, of whoever is where the pose [17, 3] is."""
    seen = pose[pose[:, 2] >= MISSING, :2]
    points = seen if len(seen) >= LEAST else pose[:, :2]
    low, high = points.min(0), points.max(0)
    region = Region((low + high) / 2, MARGIN * max(float((high - low).max()), 1.0), _UP)
    (joints,) = network((255 * region.cut(image, SIDE)).astype(np.int32)[None])  # [1, 1, 17, 3]: y, x, score
    return np.column_stack([region.to_picture(joints[0, 0, :, 1::-1].astype(np.float64)), joints[0, 0, :, 2]])
