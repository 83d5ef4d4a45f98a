"""Which people determine a mesh, and what is said of those who do not."""

import numpy as np

from pose2mesh.errors import NoPersonFoundError, warn
from pose2mesh.types import Keypoints2D

FEWEST_JOINTS = 3  # visible joints of the network's set; fewer leave scale and turn undetermined


def weakness(points: np.ndarray, confidence: np.ndarray) -> str | None:
    """Why one person's points [J, 2], confidence [J] determine no mesh; None when they do."""
    seen = points[confidence > 0]
    if len(seen) < FEWEST_JOINTS:
        return f"{len(seen)} visible joints, at least {FEWEST_JOINTS} are needed,"
    if np.ptp(seen, axis=0).max() <= 1e-5 * max(1.0, float(np.abs(seen).max())):
        return "all visible joints lie at one point"
    return None


class LeftOut:
    """The people of one input who determine no mesh: how many, and why the first."""

    def __init__(self, where: str, whom: str) -> None:
        self.where, self.whom = where, whom
        self.count, self.first = 0, ""

    def without(self, keypoints: Keypoints2D, converted: Keypoints2D, frame: str = "") -> Keypoints2D:
        """The others of a frame; `converted` are its keypoints in the network's joint set.

        Of a frame that has a name people of whom nothing is seen are not counted: they fill up arrays of sequences.
        """
        people = zip(converted.points, converted.confidence, strict=True)
        reasons = [weakness(*person) for person in people]
        counted = [i for i, reason in enumerate(reasons) if reason and not (frame and _is_empty(keypoints, i))]
        if counted and not self.first:
            note = "" if keypoints.joint_set == converted.joint_set else f" (given as {keypoints.joint_set})"
            whom = f"{frame and frame + ', '}{self.whom} {counted[0]}"
            self.first = f"{whom}: {reasons[counted[0]]} of {converted.joint_set}{note}"
        self.count += len(counted)
        return keypoints.select(np.array([not reason for reason in reasons], bool))

    def nobody_at_all(self, has_picture: bool) -> NoPersonFoundError:
        """The error of an input that shows nobody."""
        nobody = "no hand" if self.whom == "hand" else "nobody"
        larger = f"try a larger or sharper picture of the {self.whom}"
        remedy = larger if has_picture else f"give keypoints of a {self.whom} with confidences above 0"
        return NoPersonFoundError(f"{self.where}: {nobody} found; {remedy}")

    def tell(self) -> None:
        """One warning, where there was somebody."""
        if self.count:
            others = f"{self.count} {self.whom}(s) left out, numbers count those that remain"
            warn(f"{self.where}: {others}; the first is {self.first}")


def _is_empty(keypoints: Keypoints2D, i: int) -> bool:
    return not (keypoints.confidence[i] > 0).any()
