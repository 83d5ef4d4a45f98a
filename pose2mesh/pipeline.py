"""The whole chain in one class: picture -> keypoints -> mesh -> camera."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import Tensor

from pose2mesh.detectors import Detector, frame_finder, get_detector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.detectors.images import is_image, read_image
from pose2mesh.detectors.intrinsics import IntrinsicsLike, exif_focal
from pose2mesh.detectors.left_out import LeftOut
from pose2mesh.detectors.readers import Frame, read_keypoints, with_handedness
from pose2mesh.detectors.sources import FPS, Entry, array_to_keypoints, chunks, expand_inputs, file_of, picture_of
from pose2mesh.detectors.told import Told, check_batch_size
from pose2mesh.detectors.video_files import is_video, read_video
from pose2mesh.errors import InputError
from pose2mesh.fitting.answering import fitted_answers
from pose2mesh.fitting.people import (
    Answer,
    Outputs,
    answers_of,
    assemble_people,
    check_fit,
    check_outputs,
    faces_of_sides,
    rays_of,
)
from pose2mesh.fitting.quick_fit import quick_fit_of
from pose2mesh.fitting.subject import known_shapes
from pose2mesh.geometry.mirroring import mirror_where
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.prediction import check_keypoints
from pose2mesh.ops.machine import device_of
from pose2mesh.over_time import OverTime
from pose2mesh.skeletons import HAND21
from pose2mesh.types import FramePrediction, Keypoints2D, Person, Subject

if TYPE_CHECKING:
    from PIL.Image import Image


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


class Pose2Mesh(OverTime):
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
        self._faces = faces_of_sides(network.faces)
        self.fitter = quick_fit_of(network)
        self._detectors: dict[str, Detector] = {}

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = "anny-body", device: str = "cpu") -> "Pose2Mesh":
        """Load shipped weights by name, or a file; `device` is cpu, cuda or auto.

        Raises MissingFileError, FormatError for a damaged file, InputError for what is no device or not there.
        """
        from pose2mesh.checkpoints import load_network

        device = device_of(device)
        return cls(load_network(name_or_path, device), device)

    def refined(self) -> "Pose2Mesh":
        """The same model, each answer refined by descent (`fitting.optimize`); some 0.2 s a person.

        Raises InputError for all weights but those of parameter networks, such as anny-key2mesh.
        """
        from pose2mesh.fitting.optimize import RefinedNetwork

        return Pose2Mesh(RefinedNetwork(self.network), self.device)  # pyright: ignore[reportArgumentType]

    def __call__(self, keypoints: Tensor) -> MeshOutput:
        """The plain network call: keypoints [B, J, 3] in the network's joint set -> vertices and joints.

        Gradients flow through it where they are wanted. Raises InputError for another shape or type, and where a seen
        joint (confidence > 0) is not finite.
        """
        check_keypoints(keypoints, self.network.joint_set)
        return self.network(keypoints)

    def predict(
        self,
        source: "str | Path | np.ndarray | Tensor | Image",
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        handedness: str | Sequence[str] | None = None,
        *,
        intrinsics: IntrinsicsLike | None = None,
        image_size: tuple[int, int] | None = None,
        outputs: Outputs = "mesh",
        fit: bool = True,
        subject: Subject | None = None,
    ) -> list[Person]:
        """People, or hands, of one picture.

        `source`: path of a picture or of a keypoint file with one frame; a picture, Pillow's or uint8 [H, W, 3] RGB; or
        keypoints [J, 2|3] / [P, J, 2|3] in pixels with confidence, of one picture: one camera is guessed for all P.
        `handedness` is left or right for all hands, or a word for each, and overrules what a detector or a file says; a
        single array of 21 joints is a right hand unless it tells otherwise.

        `intrinsics` (a focal length in pixels, a matrix K, a mapping or a file, see `detectors.intrinsics`) and
        `image_size`, (width, height) of the picture that keypoints are from, decide how far away people come out;
        without them the camera is guessed (docs/conventions.md). `outputs`: "mesh" for everything, "parameters" for
        joints and body parameters, "joints" for joints alone; without the mesh a person takes a few kilobytes, and
        joints of weights with a mesh of their own come out some mm apart, no farther from the truth (docs/scale.md).
        `fit`: whether bodies are fitted to their keypoints (`fitting.quick_fit`); a person's mesh is then the body of
        its parameters. Weights without body parameters are not fitted. `subject`: what is known of everybody here, age,
        height, gender, weight or some of them; bodies get that size, so sizes and distances become metric.

        Raises NoPersonFoundError when there is nobody, InputError when keypoints are malformed or determine no mesh; of
        a file or picture, people with too few visible joints are left out with a warning as long as somebody remains:
        numbers of people, in names of files too, count those that remain.
        """
        told = Told.checked(joint_set, detector, handedness, intrinsics, image_size, subject)
        check_outputs(outputs)
        check_fit(fit)
        if not isinstance(source, str | Path):
            if (image := picture_of(source)) is not None:
                told = told.of_picture("the picture")
                found = self._as_told(self._detect(image, detector, source), told, "the picture")
                return self._predict_one(Entry(image, Frame("", found)), "the picture", batch_size, outputs, fit)
            found = array_to_keypoints(source, joint_set or self.joint_set, told.image_size)
            keypoints = self._as_told(found, told.of_keypoints(), "keypoints")
            self._check(None, keypoints, "keypoints")
            return self.recover([keypoints], batch_size, outputs, fit)[0]
        if is_video(path := file_of(source)):  # before it is decoded
            raise InputError(f"{source}: is a video, not one picture; take predict_frames, track or motion")
        frames = list(self._frames(path, told.of_picture(str(source)) if is_image(path) else told))
        if len(frames) != 1:
            raise InputError(f"{source}: holds {len(frames)} frames; take predict_frames, track or motion")
        return self._predict_one(frames[0], str(source), batch_size, outputs, fit)

    def predict_frames(
        self,
        inputs: str | Path | Iterable[str | Path],
        joint_set: str | None = None,
        detector: str | Detector = "auto",
        batch_size: int = 64,
        handedness: str | None = None,
        *,
        intrinsics: IntrinsicsLike | None = None,
        image_size: tuple[int, int] | None = None,
        outputs: Outputs = "mesh",
        fit: bool = True,
        subject: Subject | None = None,
    ) -> Iterator[FramePrediction]:
        """Frames of pictures, folders, videos and keypoint files, one after another; arguments as of `predict`.

        A single picture or frame without usable people raises as in `predict`; within a video or a keypoint
        file of several frames such a frame has an empty list of people.
        """
        told = Told.checked(joint_set, detector, handedness, intrinsics, image_size, subject)
        check_outputs(outputs)
        check_fit(fit)
        for path in expand_inputs(inputs):
            frames = self._frames(path, told)
            if not is_video(path):
                frames = list(frames)
                if len(frames) == 1:
                    people = self._predict_one(frames[0], str(path), batch_size, outputs, fit)
                    yield FramePrediction(frames[0].frame.name, frames[0].image, people)
                    continue
            for chunk in chunks(self._sifted(frames, str(path)), batch_size):
                yield from self._predict_many(chunk, batch_size, outputs, fit)

    def _frames(self, path: Path, told: Told) -> Iterator[Entry]:
        """Every frame of one file."""
        for entry in self._read(path, told):
            keypoints = self._as_told(entry.frame.keypoints, told, str(path))
            yield entry._replace(frame=entry.frame._replace(keypoints=keypoints))

    def _read(self, path: Path, told: Told) -> Iterator[Entry]:
        if is_image(path):
            image = read_image(path)
            yield Entry(image, Frame(path.stem, self._detect(image, told.detector, path)))
        elif is_video(path):
            follow = frame_finder(self._detector(told.detector)) if self.kind == "hand" else None
            for index, time, image in read_video(path):
                found = follow(image, time) if follow else self._detect(image, told.detector)
                yield Entry(image, Frame(f"{path.stem}_{index:06d}", found), index, time)
        else:
            frames = read_keypoints(path, told.joint_set or self.joint_set, told.image_size)
            yield from (Entry(None, frame, i, i / FPS) for i, frame in enumerate(frames))

    def _as_told(self, keypoints: Keypoints2D, told: Told, where: str) -> Keypoints2D:
        """With what the caller says about hands, the camera and the picture's size."""
        if self.kind == "hand":
            keypoints = with_handedness(keypoints, told.handedness, where)
        elif told.handedness is not None:
            raise InputError(f"{where}: handedness {told.handedness!r:.60} belongs to hands; these weights give a body")
        return told.apply(keypoints, where)

    def _detect(self, image: np.ndarray, detector: str | Detector, source: Any = None) -> Keypoints2D:
        found = self._detector(detector).detect(image)
        return replace(found, intrinsics=exif_focal(source, image.shape) or found.intrinsics)

    def _detector(self, detector: str | Detector) -> Detector:
        if not isinstance(detector, str):
            return detector
        if detector not in self._detectors:
            self._detectors[detector] = get_detector(detector, self.kind)
        return self._detectors[detector]

    def _predict_one(self, entry: Entry, where: str, batch_size: int, outputs: Outputs, fit: bool) -> list[Person]:
        """People of a single frame; raises when there is nobody or nobody usable."""
        keypoints, left_out = entry.frame.keypoints, self._left_out(where)
        usable = left_out.without(keypoints, self.converted(keypoints))
        if not len(usable):
            self._check(entry.image, keypoints, where)
        left_out.tell()
        return self.recover([usable], batch_size, outputs, fit)[0]

    def _predict_many(
        self, frames: list[Entry], batch_size: int, outputs: Outputs, fit: bool = True
    ) -> Iterator[FramePrediction]:
        """Predictions of frames whose people are all usable."""
        people = self.recover([frame.keypoints for _, frame, *_ in frames], batch_size, outputs, fit)
        for (image, frame, index, time), found in zip(frames, people, strict=True):
            yield FramePrediction(frame.name, image, found, index, time)

    def _sifted(self, entries: Iterable[Entry], where: str) -> Iterator[Entry]:
        """Frames of one file without the people who determine no mesh."""
        left_out = self._left_out(where)
        for entry in entries:
            name, keypoints = entry.frame
            yield entry._replace(frame=Frame(name, left_out.without(keypoints, self.converted(keypoints), name)))
        left_out.tell()

    def _left_out(self, where: str) -> LeftOut:
        return LeftOut(where, "hand" if self.kind == "hand" else "person")

    def _check(self, image: np.ndarray | None, keypoints: Keypoints2D, where: str) -> None:
        """NoPersonFoundError where there is nobody, InputError naming the first person that determines no mesh."""
        left_out = self._left_out(where)
        if not len(keypoints):
            raise left_out.nobody_at_all(has_picture=image is not None)
        left_out.without(keypoints, self.converted(keypoints))
        if left_out.first:
            raise InputError(f"{where}: {left_out.first}")

    def converted(self, keypoints: Keypoints2D) -> Keypoints2D:
        """In the network's joint set."""
        return in_joint_set(keypoints, self.network.joint_set, needs_all=abilities_of(self.network).needs_all_joints)

    def recover(
        self, frames: list[Keypoints2D], batch_size: int, outputs: Outputs, fit: bool = True
    ) -> list[list[Person]]:
        """People of each frame (all usable), sent through the network in batches."""
        check_batch_size(batch_size)
        if not any(map(len, frames)):
            return [[] for _ in frames]
        frames = [self.converted(frame) for frame in frames]
        columns = [np.concatenate([f.points, f.confidence[..., None]], -1) for f in frames]  # [P, J, 3] each
        keypoints = np.concatenate(columns).astype(np.float32)
        is_left = np.array([side == "left" for f in frames for side in f.handedness or [""] * len(f)], bool)  # [P]
        names = tuple(self.network.output_joint_names)
        fitter = self.fitter if fit else None
        shown = [rays_of(frame, names) for frame in frames if len(frame)]
        rays, cameras = (np.concatenate(parts) for parts in zip(*shown, strict=True))  # [P, J_out, 3], [P, 3]
        cameras[is_left, 1] *= -1  # mirrored, as keypoints are
        people = mirror_where(keypoints, is_left), cameras, rays
        settings = {"batch_size": batch_size, "device": self.device, "with_mesh": outputs == "mesh"}
        answers: list[Answer] = []
        known = known_shapes(frames, fitter)
        for start, output in fitted_answers(self.network, fitter, *people, **settings, known=known):
            answers += answers_of(output, is_left[start : start + batch_size], outputs)
        waiting = iter(answers)
        return [assemble_people(f, [next(waiting) for _ in range(len(f))], names, self._faces) for f in frames]
