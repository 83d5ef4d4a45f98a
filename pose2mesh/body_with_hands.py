"""Bodies with their hands: two networks, one mesh. The chain of `Pose2Mesh` with the hands attached at its end."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pose2mesh.body_models import load_anny_body, load_hand_body
from pose2mesh.detectors.told import Told
from pose2mesh.errors import InputError
from pose2mesh.fitting.hand_attachment import attach_hand, find_arms
from pose2mesh.fitting.people import Outputs, without_mesh
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import HAND21, convert, hand_of_body, joint_set
from pose2mesh.types import Intrinsics, Keypoints2D, Person

FEWEST_HAND_JOINTS = 8  # visible joints of a hand; with fewer the body keeps the hand that its own network gave it
SIDES = ("left", "right")
_HANDS = {joint for side in SIDES for joint in hand_of_body(side).joints}
_UNSEEN = ("openpose18", "openpose25")  # whose files leave out the hands that nobody saw


class BodyWithHands(Pose2Mesh):
    """Recover bodies whose hands have their own pose.

    Keypoints are of any set that holds hands, told as for bodies; people come back as from `Pose2Mesh`, with the joints
    of both hands behind those of the body, read off the finished mesh. A hand that is not seen stays as it was.

    >>> model = BodyWithHands.from_pretrained()
    >>> people = model.predict("photo.jpg")
    """

    def __init__(self, body: Pose2Mesh, hand: Pose2Mesh) -> None:
        """Raises InputError unless the two have the meshes of anny-body and anny-hand, which share their vertices."""
        super().__init__(body.network, body.device)
        self.kind = "body+hands"
        self.hand = hand
        anny, hand_body = load_anny_body(), load_hand_body()
        _check_mesh(body, anny.faces.numpy(), "anny-body")
        _check_mesh(hand, hand_body.faces.numpy(), "anny-hand")
        self._arms = find_arms(anny, hand_body)

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = "anny-body", device: str = "cpu", hand: str | Path = "anny-hand"
    ) -> "BodyWithHands":
        """Load the weights of the body and of the hand; otherwise as `Pose2Mesh.from_pretrained`."""
        return cls(Pose2Mesh.from_pretrained(name_or_path, device), Pose2Mesh.from_pretrained(hand, device))

    def recover(
        self, frames: list[Keypoints2D], batch_size: int, outputs: Outputs, fit: bool = True
    ) -> list[list[Person]]:
        if outputs == "parameters":
            raise InputError("a body with hands has no parameters of both; take outputs='mesh' or 'joints'")
        people = super().recover(frames, batch_size, "mesh", fit)
        for side in SIDES:
            seen = [_hands_of(frame, side, found) for frame, found in zip(frames, people, strict=True)]
            hands = self.hand.recover(seen, batch_size, "mesh")
            people = [
                self._attach(side, found, frame, recovered)
                for found, frame, recovered in zip(people, frames, hands, strict=True)
            ]
        return [
            [
                finished if outputs == "mesh" else replace(without_mesh(finished), parameters=None)
                for person, *row in zip(found, frame.points, frame.confidence, strict=True)
                for finished in [self._finish(person, joint_set(frame.joint_set).joints, *row)]
            ]
            for found, frame in zip(people, frames, strict=True)
        ]

    def _as_told(self, keypoints: Keypoints2D, told: Told, where: str) -> Keypoints2D:
        """Raises InputError, too, where no joint is a hand's."""
        name = keypoints.joint_set
        if len(keypoints) and name not in _UNSEEN and not _HANDS & {*joint_set(name).joints}:
            kind = "hand" if name == HAND21.name else "body"
            raise InputError(
                f"{where}: joints of {name} are no body with hands; give those of a whole body, such as wholebody65, "
                f"or take --kind {kind} (in the library Pose2Mesh)"
            )
        return super()._as_told(keypoints, told, where)

    def _attach(self, side: str, people: list[Person], frame: Keypoints2D, hands: list[Person]) -> list[Person]:
        """The people with the hands of one side, which are in the order of the people who have one."""
        waiting = iter(hands)
        has_hand = _sees_hand(frame, side)
        return [
            self._with_hand(person, next(waiting), side) if seen else person
            for person, seen in zip(people, has_hand, strict=True)
        ]

    def _with_hand(self, person: Person, hand: Person, side: str) -> Person:
        return replace(person, vertices=attach_hand(person.vertices, hand.vertices, self._arms[side]))

    def _finish(
        self, person: Person, keypoint_names: tuple[str, ...], points: np.ndarray, confidence: np.ndarray
    ) -> Person:
        """With the joints of the hands and all keypoints: names [J], points [J, 2], confidence [J]."""
        rows = list(range(len(person.joint_names)))  # of the body's own joints: what is known of a hand is its wrist's
        joints, names = [person.joints], [person.joint_names]
        for side, arm in self._arms.items():
            joints.append((arm.joints @ person.vertices[arm.ids]).astype(np.float32))
            names.append(hand_of_body(side).joints)
            rows += [person.joint_names.index(f"{side}_wrist")] * len(names[-1])
        return replace(
            person,
            joints=np.concatenate(joints),
            joint_names=tuple(name for part in names for name in part),
            keypoints=np.column_stack([points, confidence]).astype(np.float32),
            keypoint_names=keypoint_names,
            uncertainty=None if person.uncertainty is None else person.uncertainty[rows],
            seen=None if person.seen is None else person.seen[rows],
        )


def _check_mesh(model: Pose2Mesh, faces: np.ndarray, name: str) -> None:
    if not np.array_equal(np.asarray(model.network.faces), faces):
        raise InputError(f"body+hands joins the meshes of anny-body and anny-hand; these weights are not of {name}")


def _sees_hand(frame: Keypoints2D, side: str) -> np.ndarray:
    """Whose hand of this side is seen well enough, bool [P]."""
    return (_hand_joints(frame, side)[1] > 0).sum(-1) >= FEWEST_HAND_JOINTS


def _hand_joints(frame: Keypoints2D, side: str) -> tuple[np.ndarray, np.ndarray]:
    return convert(frame.points, frame.confidence, frame.joint_set, hand_of_body(side))  # [P, 21, 2], [P, 21]


def _hands_of(frame: Keypoints2D, side: str, people: list[Person]) -> Keypoints2D:
    """The hands of one side that are seen well enough, before the camera that may have been guessed from the bodies."""
    seen = _sees_hand(frame, side)
    points, confidence = (values[seen] for values in _hand_joints(frame, side))
    camera = next((person.camera for person in people if person.camera), None)
    intrinsics = Intrinsics(camera.focal, camera.center) if camera else None
    return Keypoints2D(points, confidence, HAND21.name, frame.image_size, (side,) * len(points), intrinsics)
