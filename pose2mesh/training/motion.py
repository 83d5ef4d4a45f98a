"""Train the network over time (`networks.temporal`) on the answers of a trained frame network to steady keypoints.

The frame network answers a chunk of fresh sequences at once, then some steps learn from it; chunk number c is a
function of (seed, c) alone.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pose2mesh.augmentation.ranges import Fraction, NotNegative, Positive
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.levers import point_levers
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.checkpoints import read_weights, save_weights
from pose2mesh.checkpoints.temporal import build_temporal, temporal_settings
from pose2mesh.errors import InputError
from pose2mesh.evaluation.motion import MotionProtocol, evaluate_motion, frame_network
from pose2mesh.fitting.frame_answers import AnsweringNetwork
from pose2mesh.fitting.quick_fit import spread_points
from pose2mesh.geometry.steady_keypoints import steady_keypoints
from pose2mesh.losses.motion import MotionLoss, MotionLossConfig
from pose2mesh.losses.targets import SequenceBatch
from pose2mesh.networks.temporal import FrameAnswers
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.sequences import SequenceMixture, SyntheticSequences, recorded_runs
from pose2mesh.training.config import RunConfig, StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.optimization import Average, descend, learning_rate, make_optimizer
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, Task

_MESH_POINTS = 32  # vertices that the loss looks at
_FOCAL_GUESS = 0.2  # deviation of the logarithm of focal lengths that are guessed


class MotionConfig(SequenceMixture, RunConfig):
    """A network over time and how it is trained."""

    task: Literal["motion"]
    weights: str = "anny-body"  # the frame network
    initial: str | None = None  # weights of a network over time to start from
    motion: tuple[str, ...] = Field(default=("mocap2_train.npz",), min_length=1)
    validation: str = "mocap2_val.npz"
    width: int = Field(default=256, ge=16)
    layers: int = Field(default=3, ge=1)
    length: int = Field(default=64, ge=3)  # frames of a sequence
    chunk: int = Field(default=512, ge=2, multiple_of=2)  # sequences that the frame network answers at once
    passes: int = Field(default=3, ge=1)  # over a chunk
    batch_size: int = Field(default=16, ge=2, multiple_of=2)  # sequences, half of them for each mode
    steps: int = Field(default=6000, ge=1)
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.01
    warmup: int = Field(default=100, ge=0)
    ema_decay: Fraction = 0.998
    loss: MotionLossConfig = MotionLossConfig()
    validate_every: int = Field(default=1000, ge=1)
    output: str = "runs/motion"

    @model_validator(mode="after")
    def _check(self):
        if self.chunk < self.batch_size:
            raise ValueError(f"chunk: {self.chunk} sequences make no batch of {self.batch_size}; give at least as many")
        return self


class Material(NamedTuple):
    """Sequences with the frame network's answers."""

    truth: SequenceBatch
    answers: FrameAnswers

    def rows(self, rows: Tensor) -> "Material":
        truth, answers = ([column[rows] for column in part] for part in self)
        return Material(SequenceBatch(*truth), FrameAnswers(*answers))


class MotionTraining(Task):
    """One run."""

    def __init__(self, config: MotionConfig, group: Processes):
        """Raises MissingFileError without the motion, InputError for frame networks without deviations."""
        self.config, self.device = config, group.device
        self.frames = frame_network(config.weights).to(self.device)
        self.settings = temporal_settings(read_weights(config.weights)[1], config.width, config.layers)
        body = load_anny_body()
        points = spread_points(body.v_template.numpy(), _MESH_POINTS)
        sets = self.settings["joint_set"], self.settings["output_set"]
        self.sequences = SyntheticSequences(body, recorded_runs(config.motion), config, *sets, points, config.seed)
        self.answer = AnsweringNetwork(self.frames, sets[1], self.device)
        self.to_output = conversion(*sets)
        self.protocol = MotionProtocol(body, config.validation, limit=20)
        self.network = build_temporal(self.settings, body.num_shape).to(self.device)
        if config.initial:
            tensors, theirs = read_weights(config.initial)
            if theirs != self.settings:
                raise InputError(
                    f"initial: {config.initial} does not fit; give weights that such a run made, of the same frame "
                    f"weights, width={config.width} and layers={config.layers}"
                )
            self.network.load_state_dict(tensors)
        reduced = ReducedBody(body, points, sets[1])
        self.loss = MotionLoss(body, point_levers(reduced, torch.arange(len(points)).numpy()), sets[1], config.loss)
        self.loss.to(self.device)
        self.stage = StageConfig(
            name="motion", steps=config.steps, batch_size=config.batch_size * config.length,
            learning_rate=config.learning_rate, weight_decay=config.weight_decay, warmup=config.warmup,
        )  # fmt: skip
        self.stages = (self.stage,)
        self.validate_every = config.validate_every
        self.optimizer = make_optimizer(self.stage, list(self.network.parameters()))
        self.average = Average(self.network, config.ema_decay)

    def batches(self, start: int) -> Iterator[Material]:
        """Each pass over a chunk takes its sequences in another order."""
        config, number = self.config, -1
        a_pass = config.chunk // config.batch_size
        for step in range(start, config.steps):
            if step // (a_pass * config.passes) != number:
                number = step // (a_pass * config.passes)
                material = self.material(number)
            generator = seeded_generator(config.seed, step // a_pass, 3)
            half = config.batch_size // 2
            some = torch.randperm(config.chunk // 2, generator=generator)[step % a_pass * half :][:half]
            yield material.rows(torch.cat([some, some + config.chunk // 2]))

    def material(self, number: int) -> Material:
        """A chunk and what the frame network says of it; the first half is for the centred mode."""
        truth = self.sequences.make(number, self.config.chunk, self.config.length)
        shown = [
            steady_keypoints(keypoints, times, causal=2 * row >= self.config.chunk)
            for row, (keypoints, times) in enumerate(zip(truth.keypoints, truth.times, strict=True))
        ]
        truth = truth._replace(keypoints=torch.stack(shown))
        truth = SequenceBatch(*(column.to(self.device) for column in truth))
        rays = self.to_output(truth.keypoints.flatten(0, 1)).unflatten(0, truth.times.shape)
        guess = torch.randn(len(rays), 1, 1, 1, generator=seeded_generator(self.config.seed, number, 4))
        scale = torch.cat([(_FOCAL_GUESS * guess).exp().expand(-1, -1, -1, 2), torch.ones(len(rays), 1, 1, 1)], -1)
        return Material(truth, self.answer(truth.keypoints, rays * scale.to(self.device)))

    def step(self, index: int, batch: Material) -> Parts | None:
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(self.stage, index)
        self.network.train()
        total, shown = torch.zeros((), device=self.device), {}
        for causal, rows in zip((False, True), torch.arange(len(batch.truth.times)).chunk(2), strict=True):
            truth, answers = batch.rows(rows)
            steady = self.network(answers, truth.times, truth.present, causal)
            loss, parts = self.loss(steady, truth, causal)
            total = total + loss / 2
            shown |= {f"{'causal' if causal else 'centred'}_{name}": parts[name] for name in ("joint", "acceleration")}
        if not descend(total, [self.optimizer], clip_norm=1.0):
            return None
        self.average.update(index)
        return shown

    def validate(self, done: int) -> Iterable[dict[str, Any]]:
        with self.average.in_place():
            frames, network = deepcopy(self.frames).cpu(), deepcopy(self.network).cpu()
        rows = evaluate_motion(frames, network, self.protocol, with_mesh=False)
        for mode, inputs in rows.items():
            yield {
                f"{mode}_{name}_{k}": v for name, values in inputs.items() for k, v in values.items() if k != "mpvpe"
            }

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network, "optimizer": self.optimizer, "average": self.average}

    def save_weights(self, path: Path) -> nn.Module:
        with self.average.in_place() as network:
            save_weights(path, network, self.settings, torch.float16)
        return self.network
