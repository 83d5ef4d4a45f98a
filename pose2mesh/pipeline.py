"""The whole chain in one class: picture -> keypoints -> mesh -> camera."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from pose2mesh.detectors import Detector, get_detector
from pose2mesh.detectors.images import (
    is_image,
    is_keypoint_file,
    is_video,
    list_folder,
    read_image,
    read_video,
)
from pose2mesh.detectors.readers import Frame, number_array, read_keypoints, to_keypoints
from pose2mesh.errors import InputError, NoPersonFoundError, Pose2MeshError
from pose2mesh.fitting.camera import fit_cameras
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.types import Keypoints2D, Person

Entry = tuple[np.ndarray | None, Frame]  # picture uint8 [H, W, 3], if there is one, and its keypoints

FEWEST_JOINTS = 3  # visible joints of the network's set; fewer leave scale and turn undetermined


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
    """Recover meshes from pictures or 2D keypoints.

    >>> model = Pose2Mesh.from_pretrained("anny-body")
    >>> people = model.predict("photo.jpg")
    """

    def __init__(self, network: Network, device: str = "cpu") -> None:
        self.network = network
        self.device = device
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

    def __call__(self, keypoints: Tensor) -> MeshOutput:
        """The plain network call: keypoints [B, J, 3] in the network's joint set -> vertices and joints."""
        return self.network(keypoints)

    def predict(
        self,
        source: str | Path | np.ndarray,
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
    ) -> list[Person]:
        """People of one picture.

        `source`: path of a picture or of a keypoint file with one frame, a picture uint8 [H, W, 3] RGB, or
        keypoints [J, 2|3] / [P, J, 2|3] in pixels with confidence. Raises NoPersonFoundError when there is
        nobody, InputError when keypoints are malformed or determine no mesh; of a file or picture, people
        with too few visible joints are left out as long as somebody remains.
        """
        if not isinstance(source, str | Path):
            if isinstance(source, np.ndarray) and _is_picture(source):
                return self._predict_one(self._detect(source, detector), "the picture", batch_size)
            keypoints = _array_to_keypoints(source, joint_set)
            return self._recover([self._check(keypoints, "keypoints")], batch_size)[0]
        frames = list(self._frames(Path(source), joint_set, detector))
        if len(frames) != 1:
            raise InputError(f"{source}: holds {len(frames)} frames; predict_frames reads all of them")
        return self._predict_one(frames[0][1].keypoints, str(source), batch_size)

    def predict_frames(
        self,
        inputs: Iterable[str | Path],
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
    ) -> Iterator[FramePrediction]:
        """Frames of pictures, folders, videos and keypoint files, one after another.

        A single picture or frame without usable people raises as in `predict`; within a video or a keypoint
        file of several frames such a frame has an empty list of people.
        """
        for path in expand_inputs(inputs):
            frames = self._frames(path, joint_set, detector)
            if not is_video(path):
                frames = list(frames)
                if len(frames) == 1:
                    image, frame = frames[0]
                    people = self._predict_one(frame.keypoints, str(path), batch_size)
                    yield FramePrediction(frame.name, image, people)
                    continue
            for chunk in _chunks(frames, batch_size):
                yield from self._predict_many(chunk, batch_size)

    def _frames(self, path: Path, joint_set: str | None, detector: str | Detector) -> Iterator[Entry]:
        """Image (or None) and keypoints of every frame of one file."""
        if is_image(path):
            image = read_image(path)
            yield image, Frame(path.stem, self._detect(image, detector))
        elif is_video(path):
            for i, image in enumerate(read_video(path)):
                yield image, Frame(f"{path.stem}_{i:06d}", self._detect(image, detector))
        else:
            for frame in read_keypoints(path, joint_set):
                yield None, frame

    def _detect(self, image: np.ndarray, detector: str | Detector) -> Keypoints2D:
        if not isinstance(detector, str):
            return detector.detect(image)
        if detector not in self._detectors:
            self._detectors[detector] = get_detector(detector)
        return self._detectors[detector].detect(image)

    def _predict_one(self, keypoints: Keypoints2D, where: str, batch_size: int) -> list[Person]:
        """People of a single frame; raises when there is nobody or nobody usable."""
        if not len(keypoints):
            raise NoPersonFoundError(f"{where}: nobody found; try a larger or sharper picture of the person")
        usable = self._usable(keypoints)
        return self._recover([usable if len(usable) else self._check(keypoints, where)], batch_size)[0]

    def _predict_many(self, frames: list[Entry], batch_size: int) -> Iterator[FramePrediction]:
        people = self._recover([self._usable(frame.keypoints) for _, frame in frames], batch_size)
        for (image, frame), found in zip(frames, people, strict=True):
            yield FramePrediction(frame.name, image, found)

    def _usable(self, keypoints: Keypoints2D) -> Keypoints2D:
        """In the network's joint set, without the people that determine no mesh."""
        keypoints = self._convert(keypoints)
        keep = [not _weakness(*person) for person in zip(keypoints.points, keypoints.confidence, strict=True)]
        return Keypoints2D(
            keypoints.points[keep], keypoints.confidence[keep], keypoints.joint_set, keypoints.image_size
        )

    def _check(self, keypoints: Keypoints2D, where: str) -> Keypoints2D:
        """In the network's joint set; InputError naming the first person that determines no mesh."""
        converted = self._convert(keypoints)
        for i, person in enumerate(zip(converted.points, converted.confidence, strict=True)):
            if weakness := _weakness(*person):
                note = "" if keypoints.joint_set == converted.joint_set else f" (given as {keypoints.joint_set})"
                raise InputError(f"{where}: person {i}: {weakness} of {converted.joint_set}{note}")
        return converted

    def _convert(self, keypoints: Keypoints2D) -> Keypoints2D:
        target = self.network.joint_set
        points, confidence = convert(keypoints.points, keypoints.confidence, keypoints.joint_set, target)
        return Keypoints2D(points, confidence, target, keypoints.image_size)

    def _recover(self, frames: list[Keypoints2D], batch_size: int) -> list[list[Person]]:
        """People of each frame (checked, in the network's joint set), sent through the network in batches."""
        if batch_size < 1:
            raise InputError(f"batch size is {batch_size}; it must be at least 1")
        columns = [np.concatenate([f.points, f.confidence[..., None]], -1) for f in frames]  # [P, J, 3] each
        keypoints = np.concatenate(columns).astype(np.float32) if columns else np.zeros((0, 1, 3), np.float32)
        vertices, joints = self._run(keypoints, batch_size)
        people, start = [], 0
        for frame in frames:
            rows = slice(start, start + len(frame))
            people.append(self._assemble(frame, keypoints[rows], vertices[rows], joints[rows]))
            start = rows.stop
        return people

    def _run(self, keypoints: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [P, V, 3] and joints [P, J, 3] for keypoints [P, J, 3] of any number of people."""
        vertices, joints = [np.zeros((0, 1, 3), np.float32)], [np.zeros((0, 1, 3), np.float32)]
        for start in range(0, len(keypoints), batch_size):
            with torch.inference_mode():
                batch = torch.from_numpy(keypoints[start : start + batch_size]).to(self.device)  # [B, J, 3]
                output = self.network(batch)
            vertices.append(output.vertices.float().cpu().numpy())
            joints.append(output.joints.float().cpu().numpy())
        if not all(np.isfinite(values).all() for values in vertices):
            raise Pose2MeshError("the network returned a mesh that is not finite; are the weights damaged?")
        return np.concatenate(vertices[1:] or vertices), np.concatenate(joints[1:] or joints)

    def _assemble(
        self, frame: Keypoints2D, keypoints: np.ndarray, vertices: np.ndarray, joints: np.ndarray
    ) -> list[Person]:
        """Persons with cameras: keypoints [P, J, 3], vertices [P, V, 3], joints [P, J_out, 3]."""
        if not len(frame):
            return []
        names = tuple(self.network.output_joint_names)
        targets, weights = convert(frame.points, frame.confidence, frame.joint_set, JointSet("output", names, ()))
        cameras = fit_cameras(joints, targets, weights, frame.image_size)
        faces = np.asarray(self.network.faces, np.int32)
        scores = [float(c[c > 0].mean()) for c in frame.confidence]
        return [
            Person(vertices[i], faces, joints[i], names, keypoints[i], cameras[i], scores[i]) for i in range(len(frame))
        ]


def _chunks(frames: Iterable[Entry], batch_size: int) -> Iterator[list[Entry]]:
    """Lists of frames with about `batch_size` people each; empty frames count too, their pictures take
    memory.
    """
    chunk, count = [], 0
    for image, frame in frames:
        chunk.append((image, frame))
        count += max(1, len(frame.keypoints))
        if count >= batch_size:
            yield chunk
            chunk, count = [], 0
    if chunk:
        yield chunk


def expand_inputs(inputs: Iterable[str | Path]) -> Iterator[Path]:
    """Files behind the inputs: folders are listed, other paths must be of a known kind. Raises InputError."""
    for path in map(Path, inputs):
        if path.is_dir():
            yield from list_folder(path)
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder")
        elif is_image(path) or is_video(path) or is_keypoint_file(path):
            yield path
        else:
            raise InputError(f"{path}: neither picture, video nor keypoint file (by its suffix {path.suffix!r})")


def _is_picture(array: np.ndarray) -> bool:
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (1, 4):
        raise InputError(f"a picture must be uint8 [height, width, 3] RGB; got {list(array.shape)}")
    return array.dtype == np.uint8 and array.ndim == 3


def _array_to_keypoints(values: Any, joint_set: str | None) -> Keypoints2D:
    """Keypoints of [J, 2|3] or [P, J, 2|3]; InputError for anything else."""
    array = number_array(values, "keypoints")
    if array.ndim not in (2, 3) or array.shape[-1] not in (2, 3):
        raise InputError(
            f"keypoints have shape {list(array.shape)}; expected [joints, 2 or 3] or "
            "[people, joints, 2 or 3], or a picture as uint8 [height, width, 3]"
        )
    return to_keypoints(array[None] if array.ndim == 2 else array, "keypoints", joint_set)


def _weakness(points: np.ndarray, confidence: np.ndarray) -> str | None:
    """Why one person's points [J, 2], confidence [J] determine no mesh; None when they do."""
    seen = points[confidence > 0]
    if len(seen) < FEWEST_JOINTS:
        return f"{len(seen)} visible joints, at least {FEWEST_JOINTS} are needed,"
    if np.ptp(seen, axis=0).max() <= 1e-5 * max(1.0, float(np.abs(seen).max())):
        return "all visible joints lie at one point"
    return None
