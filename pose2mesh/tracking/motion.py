"""From the people of single frames to a motion: one shape each, smooth, in their places, on the ground."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from pose2mesh.body_models import load_body_model
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.body_models.soles import sole_vertices
from pose2mesh.checkpoints.temporal import temporal_of
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.fitting.aiming import middle_of, seen_along, turn_to
from pose2mesh.fitting.parameters import ParameterFit
from pose2mesh.geometry.steady_keypoints import steady_keypoints
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import JointSet, convert, joint_set
from pose2mesh.tracking.ground import ground_plane, upright, world_from_camera
from pose2mesh.tracking.placing import place
from pose2mesh.tracking.smoothing import smooth_rotations
from pose2mesh.tracking.steady import SteadyRecovery
from pose2mesh.types import Camera, Motion, Person, Subject

GHOST_SECONDS = 0.2  # somebody seen for less, in a video that is longer, is a false find
_FIT_STRIDE = 8  # of vertices that parameters are fitted to, for networks that give none
SMOOTHERS = ("auto", "off")


class Rows(NamedTuple):
    """What is kept of the people of frames: N rows, less than two kilobytes each."""

    frame: np.ndarray  # [N] int64
    time: np.ndarray  # [N] s
    track: np.ndarray  # [N] int64
    rotations: np.ndarray  # [N, B, 3, 3]
    betas: np.ndarray  # [N, S]
    keypoints: np.ndarray  # [N, K, 3]
    camera: np.ndarray  # [N, 5] focal, center, width and height; 0 where unknown


class MotionBuilder:
    """Builds motions of one network's answers."""

    def __init__(self, network) -> None:
        """Raises InputError for networks whose answers have no bones: hands, and other meshes than Anny's."""
        abilities = abilities_of(network)
        decoder = network.decoder if abilities.has_decoder else None
        self.temporal = temporal_of(network)  # None: angles are filtered instead
        if decoder is None:
            body = load_body_model(abilities.body or "anny-body")
            if len(network.faces) != len(body.faces):
                raise InputError("a motion needs a body's parameters; these weights recover another mesh")
            rows = np.arange(0, len(body.v_template), _FIT_STRIDE)
            decoder = AnnyDecoder(body, rows)  # pyright: ignore[reportArgumentType] - a free body
        self.decoder, self.joint_set, self.output_names = decoder, network.joint_set, network.output_joint_names
        body = decoder.body
        self.body_name, self.bone_names = body.name, decoder.bone_names
        self._anny = self._fit = self._soles = None
        if decoder.is_fitted:
            self._anny, self._fit = body, ParameterFit(body, np.arange(0, len(body.v_template), _FIT_STRIDE))
            self._soles = ReducedBody(body, sole_vertices(body).ravel(), "coco19")
        if self.temporal is not None:
            self._recovery = SteadyRecovery(network, self.temporal, body, next(network.parameters()).device)

    def rows(self, frames: Iterable[tuple[int, float, list[Person]]]) -> Rows:
        """Rows of frames: number, seconds, and people who have a track."""
        flat = [(index, time, person) for index, time, people in frames for person in people]
        people = [person for *_, person in flat]
        rotations, betas = self._parameters(people)
        cameras = [_camera_row(person.camera) for person in people]
        points = np.array([person.keypoints for person in people], np.float32)  # [N, K, 3]
        return Rows(
            frame=np.array([index for index, *_ in flat], np.int64),
            time=np.array([time for _, time, _ in flat], np.float64),
            track=np.array([-1 if person.track is None else person.track for person in people], np.int64),
            rotations=rotations,
            betas=betas,
            keypoints=points.reshape(len(people), len(joint_set(self.joint_set)), 3),
            camera=np.array(cameras, np.float64).reshape(len(people), 5),
        )

    def join(self, parts: Sequence[Rows]) -> Rows:
        """All rows, in the order of the parts; there may be none."""
        return Rows(*(np.concatenate(column) for column in zip(*(parts or [self.rows([])]), strict=True)))

    def _parameters(self, people: list[Person]) -> tuple[np.ndarray, np.ndarray]:
        """Rotations [N, B, 3, 3] and betas [N, S], fitted to the meshes where the network gives none."""
        if not people:
            shapes = (0, len(self.bone_names), 3, 3), (0, self.decoder.num_shape)
            return np.zeros(shapes[0], np.float32), np.zeros(shapes[1], np.float32)
        if all(person.parameters for person in people):
            found = [person.parameters or {} for person in people]
            return np.stack([p["rotations"] for p in found]), np.stack([p["betas"] for p in found])
        if self._fit is None:
            raise InputError("these weights give no body parameters; take others, such as anny-key2mesh")
        meshes = torch.from_numpy(np.stack([person.vertices[::_FIT_STRIDE] for person in people]))
        parameters = self._fit(meshes)
        return parameters.rotations.numpy(), parameters.betas.numpy()

    def wants(self, smooth: str, fit: bool, subject: Subject | None = None) -> dict[str, Any]:
        """Options of `track` for the people of rows: fitted one by one, unless `build` fits what it has smoothed.

        What is known of a `subject` comes in by the fit of single frames. Raises InputError for another smoother.
        """
        _check_smooth(smooth)
        if self.temporal is None or smooth == "off" or subject:
            return {"fit": fit}
        return {"fit": False, "outputs": "parameters"}

    def build(
        self, rows: Rows, fps: float, smooth: str = "auto", fit: bool = True, subject: Subject | None = None
    ) -> Motion:
        """The motion of all rows. Raises NoPersonFoundError without any, InputError for another smoother."""
        _check_smooth(smooth)
        shown = (self._targets(rows.keypoints, self.decoder.joint_set.joints)[..., 2] > 0).any(1)
        rows = Rows(*(column[np.isin(rows.track, rows.track[shown])] for column in rows))
        if not len(rows.frame):
            raise NoPersonFoundError("nobody was found in any frame; try larger or sharper pictures or other keypoints")
        rows = _in_order(_without_ghosts(rows))
        camera = _common_camera(rows.camera)
        rotations, betas = rows.rotations.astype(np.float32), np.array(rows.betas, np.float32)
        translation, contacts = np.zeros((len(rows.frame), 3)), np.zeros((len(rows.frame), 2), bool)
        joints = np.zeros((len(rows.frame), len(self.decoder.joint_set), 3), np.float32)
        soles = None if self._soles is None else np.zeros((len(rows.frame), 2, 2, 3))
        people = [np.flatnonzero(rows.track == track) for track in np.unique(rows.track)]
        for own in people:
            if smooth == "auto" and self.temporal is not None:
                own_rows = Rows(*(column[own] for column in rows))
                rotations[own], betas[own] = self._steady(own_rows, camera, fit, bool(subject))
            else:
                betas[own] = np.median(betas[own], 0)
                if smooth == "auto":
                    rotations[own] = smooth_rotations(rotations[own], rows.time[own])
            joints[own] = self._pose(rotations[own], betas[own])
            if soles is not None:
                soles[own] = self._feet(rotations[own], betas[own])
        up = None if soles is None else upright(joints[:, self.decoder.joint_set.index("neck")].astype(float), soles)
        for own in people:
            targets = self._targets(rows.keypoints[own], self.decoder.joint_set.joints)
            feet = None if soles is None else soles[own]
            path = place(joints[own].astype(np.float64), targets, feet, rows.time[own], camera, up)
            translation[own], contacts[own] = path
        standing = np.zeros((0, 3)) if soles is None else (soles + translation[:, None, None])[contacts].reshape(-1, 3)
        plane = ground_plane(standing, up)
        return Motion(
            frame=rows.frame,
            time=rows.time,
            track=rows.track,
            joints=joints,
            translation=translation,
            rotations=rotations,
            betas=betas,
            keypoints=np.where(rows.keypoints[..., 2:] > 0, rows.keypoints, np.float32(0)),
            joint_names=self.decoder.joint_set.joints,
            bone_names=self.bone_names,
            fps=fps,
            body=self.body_name,
            camera=camera,
            world_from_camera=None if plane is None else world_from_camera(plane),
            contacts=contacts if self._soles is not None else None,
        )

    def _steady(self, rows: Rows, camera: Camera, fit: bool, keeps_shape: bool) -> tuple[np.ndarray, np.ndarray]:
        """Rotations [T,19,3,3] and betas [T,S] of one person by the network over time."""
        times = torch.from_numpy(rows.time)
        keypoints = steady_keypoints(torch.from_numpy(rows.keypoints), times)
        keypoints[..., :2] = (keypoints[..., :2] - torch.tensor(camera.center)) / camera.focal
        turn = turn_to(middle_of(keypoints).median(0).values)  # [3, 3]
        betas = torch.from_numpy(rows.betas).median(0).values if keeps_shape else None
        steady = self._recovery(seen_along(keypoints, turn), times, fit=fit, betas=betas)
        return (turn @ steady.rotations).numpy(), steady.betas.numpy()

    def _pose(self, rotations: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Joints [T, J, 3] m, relative to the root."""
        parameters = BodyParameters(torch.from_numpy(rotations), torch.from_numpy(betas))
        with torch.inference_mode():
            return self.decoder.joints(parameters).numpy()

    def _feet(self, rotations: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Soles [T, 2, 2, 3] m, relative to the root."""
        assert self._anny is not None and self._soles is not None  # asked before
        with torch.inference_mode():
            groups = self._anny.expand_groups(torch.from_numpy(rotations))
            root = self._soles.joints(torch.from_numpy(betas), groups)[:, self.decoder.root, None]
            soles = self._soles.skin(torch.from_numpy(betas), groups) - root  # [T, 4, 3]
        return soles.numpy().astype(np.float64).reshape(-1, 2, 2, 3)

    def _targets(self, keypoints: np.ndarray, joints: tuple[str, ...]) -> np.ndarray:
        """Keypoints [T, J, 3] in the order of other joints."""
        output = JointSet("output", joints, ())
        points, seen = convert(keypoints[..., :2], keypoints[..., 2], self.joint_set, output)
        return np.concatenate([points, seen[..., None]], -1).astype(np.float64)


def _check_smooth(smooth: str) -> None:
    if smooth not in SMOOTHERS:
        raise InputError(f"smooth {smooth!r:.60} is none of {', '.join(SMOOTHERS)}")


def _camera_row(camera: Camera | None) -> tuple[float, ...]:
    if camera is None:
        return (0.0,) * 5
    return (camera.focal, *camera.center, *(camera.image_size or (0, 0)))


def _common_camera(cameras: np.ndarray) -> Camera:
    """One camera for the motion: the median of those of the rows [N, 5]."""
    known = cameras[cameras[:, 0] > 0]
    focal, x, y, width, height = np.median(known, 0).tolist()
    return Camera(focal, (x, y), np.zeros(3), (int(width), int(height)) if width else None)


def _without_ghosts(rows: Rows) -> Rows:
    """Without people who are seen for a moment only, unless there is nobody else."""
    numbers, first = np.unique(rows.track, return_inverse=True)
    seconds = np.array([np.ptp(rows.time[first == i]) for i in range(len(numbers))])
    keep = seconds >= min(GHOST_SECONDS, seconds.max())
    kept = keep[first]
    return Rows(*(column[kept] for column in rows))


def _in_order(rows: Rows) -> Rows:
    order = np.lexsort((rows.track, rows.frame))
    return Rows(*(column[order] for column in rows))
