"""People as they come, frame by frame and without delay: each steadied by what was seen of him or her so far."""

import math
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.temporal import temporal_of
from pose2mesh.fitting.camera import fit_perspective
from pose2mesh.fitting.frame_answers import FrameFit
from pose2mesh.fitting.steady_fit import SteadyFit, calm, slow
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.geometry.steady_keypoints import KeypointStream
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers, Memory, TemporalNetwork
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.types import Keypoints2D, Person

_SECONDS = 2.0  # that are looked back at
_FRAMES = 64  # at most
_CALM_FRAMES = 8  # that the last filter still remembers
# A frame tells depth badly: a One-Euro filter (Casiez et al. 2012) in shares of the depth, with which its noise grows.
# It is 0.07 s late with somebody who walks up at 1 m/s; a low pass that is as calm where somebody stands is 0.3 s late.
_DEPTH_HZ = 0.3  # cut-off where somebody stands
_OPENS = 2.0  # cut-off, for each depth a second
_SPEED_HZ = 0.4  # cut-off of the speed


class _Past:
    """What is remembered of one person."""

    def __init__(self, num_shape: int) -> None:
        self.keypoints, self.time = KeypointStream(), 0.0
        self.memory = Memory()
        self.times: deque[float] = deque(maxlen=_FRAMES)
        self.shape, self.weight = torch.zeros(num_shape), torch.zeros(())  # sums of weighed shapes and of weights
        self.turns: deque[Tensor] = deque(maxlen=_FRAMES)  # [1, 19, 3] of the fit
        self.rotations: deque[Tensor] = deque(maxlen=_CALM_FRAMES)  # [19, 3, 3] after the fit
        self.depth, self.speed = 1.0, 0.0  # m, m/s


class SteadyStream:
    """Of every frame, give it the keypoints, then the people as the network answered what it returned, not fitted."""

    def __init__(self, temporal: TemporalNetwork, names: tuple[str, ...]):
        """`names`: of the joints that answers have."""
        self.temporal, self.names, self.body = temporal, names, load_anny_body()
        self.frame_fit, self.steady_fit = FrameFit(self.body, "body32"), SteadyFit(self.body, "body32")
        self.reduced = self.steady_fit.fit.reduced
        self._past: dict[int, _Past] = {}

    @classmethod
    def of(cls, network: Any) -> "SteadyStream | None":
        """For the answers of a frame network; None where no network over time knows them."""
        temporal = temporal_of(network)
        return None if temporal is None else cls(temporal, tuple(network.output_joint_names))

    def keypoints(self, seen: Keypoints2D, time: float) -> Keypoints2D:
        """The same people's, who have tracks, steady; `time` s ascends."""
        points, confidence = seen.points.copy(), seen.confidence.copy()
        for i, track in enumerate(seen.tracks or ()):
            own = np.concatenate([points[i], confidence[i, :, None]], -1)  # [J, 3]
            steady = self._past_of(track, time).keypoints(torch.from_numpy(own), time).numpy()
            points[i], confidence[i] = steady[:, :2], steady[:, 2]
        return replace(seen, points=points, confidence=confidence)

    @torch.inference_mode()
    def __call__(self, people: list[Person], time: float) -> list[Person]:
        """The same people, with meshes, steady."""
        return [self._steadied(person, time) for person in people]

    def _past_of(self, track: int, time: float) -> _Past:
        """What is remembered of somebody who is seen now; those who are away for long are forgotten."""
        for gone in [gone for gone, past in self._past.items() if time - past.time > _SECONDS]:
            del self._past[gone]
        past = self._past.setdefault(track, _Past(self.temporal.num_shape))
        past.time = time
        return past

    def _steadied(self, person: Person, time: float) -> Person:
        if person.camera is None or person.track is None:
            return person
        past = self._past_of(person.track, time)
        rays, targets, seen = self._rays(person)
        answer = self.frame_fit(_answer(person), rays)
        gone = time - past.times[-1] if past.times else np.inf
        past.times.append(time)
        times = torch.tensor(tuple(past.times), dtype=torch.float64)
        present, frame = torch.ones(1, 1, dtype=torch.bool), FrameAnswers(*(column[None] for column in answer))
        steady = self.temporal(frame, times[None, -1:], present, causal=True, memory=past.memory)
        weight = steady.weight[0, 0]
        past.shape, past.weight = past.shape + weight * steady.betas[0, 0], past.weight + weight
        now = BodyParameters(steady.rotations[:, 0], (past.shape / past.weight)[None])
        past.turns.append(self.steady_fit.turns(now, answer.deviation, rays))
        turns = slow(torch.cat(tuple(past.turns)), times, causal=True)[-1]
        past.rotations.append(rotvec_to_rotmat(turns) @ now.rotations[0])
        rotations = calm(torch.stack(tuple(past.rotations)), times[-len(past.rotations) :])[-1]
        return self._person(person, past, rotations, now.betas, targets, seen, gone)

    def _rays(self, person: Person) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Rays [1,J,3] in focal lengths, points [J,2] px and confidence [J], in the order of the output joints."""
        camera = person.camera
        assert camera is not None  # asked before
        given, output = (JointSet("own", names, ()) for names in (person.keypoint_names, self.names))
        points, seen = convert(person.keypoints[:, :2], person.keypoints[:, 2], given, output)
        rays = np.where(seen[:, None] > 0, (points - np.asarray(camera.center)) / camera.focal, 0.0)
        rays = np.concatenate([rays, seen[:, None]], -1)
        return torch.from_numpy(rays.astype(np.float32))[None], points, seen

    def _person(
        self, person: Person, past: _Past, rotations: Tensor, betas: Tensor, targets: np.ndarray, seen: np.ndarray,
        gone: float,
    ) -> Person:  # fmt: skip
        groups = self.body.expand_groups(rotations[None])
        joints = self.reduced.joints(betas, groups)
        pelvis = joints[:, self.steady_fit.fit.root, None]
        vertices, joints = (self.reduced.skin(betas, groups) - pelvis)[0].numpy(), (joints - pelvis)[0].numpy()
        camera = person.camera
        assert camera is not None
        place = fit_perspective(joints, targets, seen, camera.focal, camera.center)
        past.speed += _fresh(_SPEED_HZ, gone) * ((place[2] - past.depth) / gone - past.speed)
        past.depth += _fresh(_DEPTH_HZ + _OPENS * abs(past.speed) / past.depth, gone) * (place[2] - past.depth)
        place = place * past.depth / place[2]
        return replace(
            person,
            vertices=vertices,
            joints=joints,
            faces=self.body.faces.numpy(),
            camera=replace(camera, translation=place),
            parameters={"rotations": rotations.numpy(), "betas": betas[0].numpy()},
        )


def _fresh(cutoff: float, gone: float) -> float:
    """Weight of a value in a low pass of `cutoff` Hz, `gone` s after the one before; 1 for the first, at infinity."""
    return 1 - math.exp(-2 * math.pi * cutoff * gone)


def _answer(person: Person) -> FrameAnswers:
    """Of one frame, [1,...]."""
    assert person.parameters is not None and person.uncertainty is not None  # networks over time know no others
    columns = person.keypoints, person.joints, person.uncertainty, *person.parameters.values(), person.joints[:, :2]
    return FrameAnswers(*(torch.from_numpy(np.asarray(column, np.float32))[None] for column in columns))
