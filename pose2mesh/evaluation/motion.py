"""The motion protocol: recorded sequences before a camera that stands, and how well they are recovered over time.

`single` is the frame network by itself, `fitted` with each frame fitted to its keypoints, `one_euro` filters its
angles. `centered` and `causal` are the modes of the network over time on steady keypoints, fitted to them as users get
them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from pose2mesh.augmentation.cameras import CameraRange, project
from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.augmentation.sequence_noise import EXACT, RATE, SequenceNoise, add_sequence_noise
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.checkpoints import load_network
from pose2mesh.errors import InputError
from pose2mesh.fitting.quick_fit import QuickFit
from pose2mesh.geometry.chains import world_rotations
from pose2mesh.geometry.steady_keypoints import KeypointStream, steady_keypoints
from pose2mesh.metrics import acceleration_error, mpjpe, mpvpe, pa_mpjpe
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers, TemporalNetwork
from pose2mesh.settings import Strict
from pose2mesh.skeletons import MOTION_PARENTS
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.sequences import recorded_runs
from pose2mesh.tracking.smoothing import smooth_rotations
from pose2mesh.tracking.steady import SteadyRecovery

_JOINTS = slice(0, 18)  # COCO-17 and the pelvis, of COCO-19 and of all sets that begin with it
_BATCH = 256  # frames
_LONGEST = 1000  # frames of a run; longer ones are cut
Points = tuple[Tensor, Tensor]  # joints [T, 19, 3] m, vertices [T, V, 3] m
INPUTS = {"clean": EXACT, "noisy": SequenceNoise()}


class MotionData(Strict):
    """Which recordings, on whose bodies."""

    motion: str = "mocap2_test_public.npz"
    ages: tuple[NotNegative, NotNegative] = ADULT_YEARS


class MotionTestConfig(Strict):
    """The protocol `motion`."""

    protocol: Literal["motion"] = "motion"
    weights: str = "anny-body"
    temporal: str = "anny-motion"
    data: MotionData = MotionData()
    limit: int | None = Field(default=None, ge=1)  # of runs, evenly spread
    seed: int = Field(default=0, ge=0, lt=2**63)


class TrueMotion(NamedTuple):
    """One run of frames; camera axes, metres, relative to the pelvis."""

    keypoints: dict[str, Tensor]  # [T, 17, 3] by the names of INPUTS
    times: Tensor  # [T] s
    rotations: Tensor  # [T, 19, 3, 3]
    betas: Tensor  # [1, S]


@dataclass(frozen=True)
class MotionProtocol:
    """All runs of three frames or more of a pack, at most a thousand each. Run r is a function of (seed, r) alone."""

    body: AnnyBody
    motion: str | Path
    ages: tuple[float, float] = ADULT_YEARS
    seed: int = 0
    limit: int | None = None  # runs, evenly spread

    def runs(self) -> Iterator[TrueMotion]:
        """One after another."""
        runs, shapes = recorded_runs([self.motion], longest=_LONGEST), shapes_of_ages(self.ages, 0)
        reduced = ReducedBody(self.body, np.arange(1), "coco19")
        chosen = np.arange(len(runs.start))
        if self.limit:
            chosen = np.unique(np.linspace(0, len(chosen) - 1, min(self.limit, len(chosen))).round().astype(int))
        for run in chosen.tolist():
            generator = seeded_generator(self.seed, run, 0)
            frames = slice(int(runs.start[run]), int(runs.start[run] + runs.count[run]))
            betas = shapes[torch.randint(len(shapes), (1,), generator=generator)]
            view = CameraRange().views(1, generator)
            rotations = view.rotation @ world_rotations(runs.rotations[frames], MOTION_PARENTS)
            joints = reduced.joints(betas.expand(len(rotations), -1), self.body.expand_groups(rotations))
            exact = project(joints[:, :17] - joints[:, 17:18], view.translation)[None]  # [1, T, 17, 2]
            rate = torch.tensor([RATE])
            seen = {}
            for name, noise in INPUTS.items():
                generator = seeded_generator(self.seed, run, 1)
                seen[name] = add_sequence_noise(exact, noise, rate, generator)[0]
            yield TrueMotion(seen, torch.arange(len(rotations)) / RATE, rotations, betas)


def frame_network(name: str) -> CompactPose2Mesh:
    """The frame network of a weights file. Raises InputError unless a network over time knows its answers."""
    network = load_network(name)
    if not abilities_of(network).is_uncertain:
        raise InputError(f"weights={name}: a network over time needs a frame network with lifter.heads")
    return network  # pyright: ignore[reportReturnType] - the compact one is the only such network of the package


def evaluate_motion(
    frames: CompactPose2Mesh,
    temporal: TemporalNetwork,
    protocol: MotionProtocol,
    *,
    with_mesh: bool = True,
    progress: bool = False,
) -> dict[str, dict[str, dict[str, float]]]:
    """{"single": {"clean": {"pa_mpjpe", "mpjpe", "mpvpe", "accel", "count"}, "noisy": ...}, "one_euro": ...}.

    Means over frames in millimetres, `accel` in mm per squared frame. Without meshes `mpvpe` counts one vertex, and
    `fitted` is left out.
    """
    body, decoder = protocol.body, AnnyDecoder(protocol.body, None if with_mesh else np.arange(1))
    recovery, frame_fit = SteadyRecovery(frames, temporal, body), QuickFit(body, "body32")
    sums: dict[tuple[str, str], dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))

    def pose(rotations: Tensor, betas: Tensor) -> Points:
        """Joints [T,19,3] and vertices [T,V,3], from the pelvis."""
        some = zip(rotations.split(_BATCH), betas.split(_BATCH), strict=True)
        bodies = [decoder(BodyParameters(*parameters)) for parameters in some]
        return torch.cat([one.joints for one in bodies]), torch.cat([one.vertices for one in bodies])

    def answered(seen: Tensor) -> tuple[FrameAnswers, Tensor]:
        """Answers [T,...] and rays [T,J,3] of keypoints [T,17,3]."""
        keypoints, rays = (conversion("coco17", target)(seen) for target in (frames.joint_set, "body32"))
        return FrameAnswers(*(column[0] for column in recovery.answer(keypoints[None], rays[None]))), rays

    def recovered(seen: Tensor, times: Tensor) -> Iterator[tuple[str, Points]]:
        """By each way, of keypoints [T,17,3]."""
        answers, rays = answered(seen)
        if with_mesh:
            single = [frames(some) for some in answers.keypoints.split(_BATCH)]
            yield "single", (answers.joints, torch.cat([some.vertices for some in single]))
            parts = [frame_fit.fit(some, seen) for some, seen in zip(single, rays.split(_BATCH), strict=True)]
            yield "fitted", pose(*(torch.cat(column) for column in zip(*parts, strict=True)))
        else:
            yield "single", (answers.joints, answers.joints[:, :1])
        filtered = torch.from_numpy(smooth_rotations(answers.rotations.numpy(), times.numpy()))
        yield "one_euro", pose(filtered, answers.betas.median(0).values.expand(len(times), -1))
        stream = KeypointStream()
        so_far = [stream(*frame) for frame in zip(seen, times.tolist(), strict=True)]
        for mode, shown in (("centered", steady_keypoints(seen, times)), ("causal", torch.stack(so_far))):
            shown = conversion("coco17", frames.joint_set)(shown)
            yield mode, pose(*recovery(shown, times, causal=mode == "causal"))

    with torch.inference_mode():
        for run in tqdm(protocol.runs(), disable=not progress, desc="test", unit="run"):
            truth = pose(run.rotations, run.betas.expand(len(run.times), -1))
            for name, seen in run.keypoints.items():
                for mode, found in recovered(seen, run.times):
                    errors, collected = _errors(found, truth), sums[mode, name]
                    for measure, values in errors.items():
                        collected[measure].append(values)
    if not sums:
        raise InputError(f"{protocol.motion}: holds no run of three frames or more; give recordings, not single poses")
    result: dict[str, Any] = defaultdict(dict)
    for (mode, name), collected in sums.items():
        means = {measure: 1000 * float(torch.cat(values).double().mean()) for measure, values in collected.items()}
        result[mode][name] = {**means, "count": sum(map(len, collected["mpjpe"]))}
    return dict(result)


def _errors(found: Points, truth: Points) -> dict[str, Tensor]:
    """Per frame [T] in metres, the acceleration's [T - 2]."""
    joints, true_joints = found[0][:, _JOINTS], truth[0][:, _JOINTS]
    return {
        "pa_mpjpe": pa_mpjpe(joints, true_joints),
        "mpjpe": mpjpe(joints, true_joints),
        "mpvpe": mpvpe(found[1], truth[1]),
        "accel": acceleration_error(joints, true_joints),
    }
