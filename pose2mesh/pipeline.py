"""The whole chain in one class: picture -> keypoints -> mesh -> camera."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from pose2mesh.detectors import Detector, get_detector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.detectors.images import is_image, is_video, read_image, read_video
from pose2mesh.detectors.readers import Frame, read_keypoints, with_handedness
from pose2mesh.detectors.sources import Entry, array_to_keypoints, expand_inputs, in_chunks, is_picture, weakness
from pose2mesh.errors import InputError, NoPersonFoundError, Pose2MeshError
from pose2mesh.fitting.camera import fit_cameras
from pose2mesh.geometry.mirroring import flip_faces, mirror_where
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import HAND21, JointSet, convert
from pose2mesh.types import Keypoints2D, Person


class MeshOutput(Protocol):
    """What a network returns: vertices [B, V, 3] and joints [B, J, 3], metres, root-relative, camera axes."""

    vertices: Tensor
    joints: Tensor


class Network(Protocol):
    """What `checkpoints.load_network` returns: takes keypoints [B, J, 3] (x, y in pixels, confidence)."""

    joint_set: str
    output_joint_names: tuple[str, ...]
    faces: np.ndarray  # [F, 3]

    def __call__(self, keypoints: Tensor) -> MeshOutput: ...


class FramePrediction(NamedTuple):
    """The people of one picture or frame."""

    name: str  # stem for output files
    image: np.ndarray | None  # uint8 [H, W, 3], None for keypoint files
    people: list[Person]


class Pose2Mesh:
    """Recover meshes of bodies, or of hands, from pictures or 2D keypoints.

    >>> model = Pose2Mesh.from_pretrained("anny-body")
    >>> people = model.predict("photo.jpg")

    With weights of a hand every hand is a `Person`. Networks know right hands: left ones are mirrored on the way in and
    back on the way out.
    """

    def __init__(self, network: Network, device: str = "cpu") -> None:
        self.network = network
        self.device = device
        is_hand = network.joint_set == HAND21.name
        self.kind = "hand" if is_hand else "body"
        self.joint_set = HAND21.name if is_hand else None  # of keypoints, unless the caller names another
        self._detectors: dict[str, Detector] = {}

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = "anny-body", device: str = "cpu") -> "Pose2Mesh":
        """Load shipped weights by name, or a file; `device` is cpu, cuda or auto. Raises MissingFileError."""
        from pose2mesh.checkpoints import load_network

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        elif device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"device {device!r} asked for, but torch sees no GPU; use --device cpu")
        return cls(load_network(name_or_path, device), device)

    def refined(self) -> "Pose2Mesh":
        """The same model, each answer refined by descent (`fitting.optimize`); some 0.2 s a person.

        Raises InputError for weights without body parameters.
        """
        from pose2mesh.fitting.optimize import RefinedNetwork

        return Pose2Mesh(RefinedNetwork(self.network), self.device)  # pyright: ignore[reportArgumentType]

    def __call__(self, keypoints: Tensor) -> MeshOutput:
        """The plain network call: keypoints [B, J, 3] in the network's joint set -> vertices and joints."""
        return self.network(keypoints)

    def predict(
        self,
        source: str | Path | np.ndarray,
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        handedness: str | Sequence[str] | None = None,
    ) -> list[Person]:
        """People, or hands, of one picture.

        `source`: path of a picture or of a keypoint file with one frame, a picture uint8 [H, W, 3] RGB, or
        keypoints [J, 2|3] / [P, J, 2|3] in pixels with confidence. `handedness` is left or right for all hands, or a
        word for each, and overrules what a detector or a file says; a single array of 21 joints is a right hand unless
        it tells otherwise. Raises NoPersonFoundError when there is nobody, InputError when keypoints are malformed or
        determine no mesh; of a file or picture, people with too few visible joints are left out as long as somebody
        remains.
        """
        if not isinstance(source, str | Path):
            if isinstance(source, np.ndarray) and is_picture(source):
                found = self._with_sides(self._detect(source, detector), handedness, "the picture")
                return self._predict_one(found, "the picture", batch_size)
            keypoints = self._with_sides(
                array_to_keypoints(source, joint_set or self.joint_set), handedness, "keypoints"
            )
            self._check(keypoints, "keypoints")
            return self._recover([keypoints], batch_size)[0]
        frames = list(self._frames(Path(source), joint_set, detector, handedness))
        if len(frames) != 1:
            raise InputError(f"{source}: holds {len(frames)} frames; predict_frames reads all of them")
        return self._predict_one(frames[0][1].keypoints, str(source), batch_size)

    def predict_frames(
        self,
        inputs: Iterable[str | Path],
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        handedness: str | None = None,
    ) -> Iterator[FramePrediction]:
        """Frames of pictures, folders, videos and keypoint files, one after another.

        A single picture or frame without usable people raises as in `predict`; within a video or a keypoint
        file of several frames such a frame has an empty list of people.
        """
        for path in expand_inputs(inputs):
            frames = self._frames(path, joint_set, detector, handedness)
            if not is_video(path):
                frames = list(frames)
                if len(frames) == 1:
                    image, frame = frames[0]
                    people = self._predict_one(frame.keypoints, str(path), batch_size)
                    yield FramePrediction(frame.name, image, people)
                    continue
            for chunk in in_chunks(frames, batch_size):
                yield from self._predict_many(chunk, batch_size)

    def _frames(
        self, path: Path, joint_set: str | None, detector: str | Detector, handedness: str | Sequence[str] | None
    ) -> Iterator[Entry]:
        """Image (or None) and keypoints of every frame of one file."""
        for image, frame in self._read(path, joint_set, detector):
            yield image, frame._replace(keypoints=self._with_sides(frame.keypoints, handedness, str(path)))

    def _read(self, path: Path, joint_set: str | None, detector: str | Detector) -> Iterator[Entry]:
        if is_image(path):
            image = read_image(path)
            yield image, Frame(path.stem, self._detect(image, detector))
        elif is_video(path):
            for i, image in enumerate(read_video(path)):
                yield image, Frame(f"{path.stem}_{i:06d}", self._detect(image, detector))
        else:
            for frame in read_keypoints(path, joint_set or self.joint_set):
                yield None, frame

    def _with_sides(self, keypoints: Keypoints2D, handedness: str | Sequence[str] | None, where: str) -> Keypoints2D:
        """Hands with left and right; bodies as they are."""
        if self.kind == "hand":
            return with_handedness(keypoints, handedness, where)
        if handedness is not None:
            raise InputError(f"{where}: handedness {handedness!r} belongs to hands; these weights recover a body")
        return keypoints

    def _detect(self, image: np.ndarray, detector: str | Detector) -> Keypoints2D:
        if not isinstance(detector, str):
            return detector.detect(image)
        if detector not in self._detectors:
            self._detectors[detector] = get_detector(detector, self.kind)
        return self._detectors[detector].detect(image)

    def _predict_one(self, keypoints: Keypoints2D, where: str, batch_size: int) -> list[Person]:
        """People of a single frame; raises when there is nobody or nobody usable."""
        if not len(keypoints):
            nobody, whom = ("no hand", "hand") if self.kind == "hand" else ("nobody", "person")
            raise NoPersonFoundError(f"{where}: {nobody} found; try a larger or sharper picture of the {whom}")
        usable = self._usable(keypoints)
        if not len(usable):
            self._check(keypoints, where)
        return self._recover([usable], batch_size)[0]

    def _predict_many(self, frames: list[Entry], batch_size: int) -> Iterator[FramePrediction]:
        people = self._recover([self._usable(frame.keypoints) for _, frame in frames], batch_size)
        for (image, frame), found in zip(frames, people, strict=True):
            yield FramePrediction(frame.name, image, found)

    def _usable(self, keypoints: Keypoints2D) -> Keypoints2D:
        """Without the people that determine no mesh."""
        converted = self._convert(keypoints)
        people = zip(converted.points, converted.confidence, strict=True)
        return keypoints.select(np.array([not weakness(*person) for person in people], bool))

    def _check(self, keypoints: Keypoints2D, where: str) -> None:
        """InputError naming the first person that determines no mesh."""
        converted = self._convert(keypoints)
        for i, person in enumerate(zip(converted.points, converted.confidence, strict=True)):
            if reason := weakness(*person):
                note = "" if keypoints.joint_set == converted.joint_set else f" (given as {keypoints.joint_set})"
                whom = "hand" if self.kind == "hand" else "person"
                raise InputError(f"{where}: {whom} {i}: {reason} of {converted.joint_set}{note}")

    def _convert(self, keypoints: Keypoints2D) -> Keypoints2D:
        """In the network's joint set."""
        return in_joint_set(keypoints, self.network.joint_set, needs_all=isinstance(self.network, ClassicBody))

    def _recover(self, frames: list[Keypoints2D], batch_size: int) -> list[list[Person]]:
        """People of each frame (all usable), sent through the network in batches."""
        if batch_size < 1:
            raise InputError(f"batch size is {batch_size}; it must be at least 1")
        frames = [self._convert(frame) for frame in frames]
        columns = [np.concatenate([f.points, f.confidence[..., None]], -1) for f in frames]  # [P, J, 3] each
        keypoints = np.concatenate(columns).astype(np.float32) if columns else np.zeros((0, 1, 3), np.float32)
        is_left = np.array([side == "left" for f in frames for side in f.handedness or [""] * len(f)], bool)  # [P]
        *found, parameters = self._run(mirror_where(keypoints, is_left), batch_size)
        vertices, joints = (mirror_where(points, is_left) for points in found)
        people, start = [], 0
        for frame in frames:
            rows = slice(start, start + len(frame))
            fitted = [_person_parameters(parameters, row, is_left[row]) for row in range(rows.start, rows.stop)]
            people.append(self._assemble(frame, keypoints[rows], vertices[rows], joints[rows], fitted))
            start = rows.stop
        return people

    def _run(
        self, keypoints: np.ndarray, batch_size: int
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray] | None]:
        """Vertices [P, V, 3], joints [P, J, 3] and body parameters (by name, [P, ...]; None where the network has
        none) for keypoints [P, J, 3] of any number of people.
        """
        vertices, joints = [np.zeros((0, 1, 3), np.float32)], [np.zeros((0, 1, 3), np.float32)]
        parameters: list[BodyParameters] = []
        for start in range(0, len(keypoints), batch_size):
            with torch.inference_mode():
                batch = torch.from_numpy(keypoints[start : start + batch_size]).to(self.device)  # [B, J, 3]
                output = self.network(batch)
            vertices.append(output.vertices.float().cpu().numpy())
            joints.append(output.joints.float().cpu().numpy())
            if isinstance(output, BodyPrediction):
                parameters.append(output.parameters)
        if not all(np.isfinite(values).all() for values in vertices):
            raise Pose2MeshError("the network returned a mesh that is not finite; are the weights damaged?")
        found = None
        if parameters:
            found = {name: torch.cat(part).float().cpu().numpy() for name, part in _by_name(parameters)}
        return np.concatenate(vertices[1:] or vertices), np.concatenate(joints[1:] or joints), found

    def _assemble(
        self,
        frame: Keypoints2D,
        keypoints: np.ndarray,
        vertices: np.ndarray,
        joints: np.ndarray,
        parameters: list[dict[str, np.ndarray] | None],
    ) -> list[Person]:
        """Persons with cameras: keypoints [P, J, 3], vertices [P, V, 3], joints [P, J_out, 3], parameters of each."""
        if not len(frame):
            return []
        names = tuple(self.network.output_joint_names)
        targets, weights = convert(frame.points, frame.confidence, frame.joint_set, JointSet("output", names, ()))
        cameras = fit_cameras(joints, targets, weights, frame.image_size)
        right = np.asarray(self.network.faces, np.int32)
        faces = {None: right, "right": right, "left": flip_faces(right)}
        scores = [float(c[c > 0].mean()) for c in frame.confidence]
        return [
            Person(
                *(vertices[i], faces[side], joints[i], names, keypoints[i], cameras[i], scores[i], parameters[i]),
                handedness=side,
            )
            for i, side in enumerate(frame.handedness or [None] * len(frame))
        ]


def _by_name(parts: list[BodyParameters]) -> Iterator[tuple[str, list[Tensor]]]:
    for name in BodyParameters._fields:
        yield name, [getattr(part, name) for part in parts]


def _person_parameters(
    parameters: dict[str, np.ndarray] | None, row: int, is_left: np.bool_
) -> dict[str, np.ndarray] | None:
    """Parameters of one person; a left hand's rotations are those of its mirror image, turned back: M R M."""
    if parameters is None:
        return None
    person = {name: values[row] for name, values in parameters.items()}
    if is_left:
        person["rotations"] = person["rotations"] * np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]], np.float32)
    return person
