"""Training a network in stages, each from the averaged weights of the one before; one process or many."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from pose2mesh.body_models import load_body_model
from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.checkpoints.build import with_digest
from pose2mesh.errors import InputError
from pose2mesh.synthesis.batches import Streams, batches
from pose2mesh.training.annotated_data import check_sources, load_material
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.initial import load_initial
from pose2mesh.training.optimization import Average, descend, learning_rate, make_optimizer
from pose2mesh.training.prior_poses import for_want_of_motion
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, Task, carry_out
from pose2mesh.training.samplers import sampler_of
from pose2mesh.training.stage_data import StageData, stage_data
from pose2mesh.training.streams import SharedStep
from pose2mesh.training.validation import AnnotatedValidation, SyntheticValidation


def train(config: TrainConfig, resume: bool = False, overwrite: bool = False) -> Path:
    """Run all stages; returns the weights file (EMA). Resumes, overwrites and raises as `carry_out` does."""
    return carry_out(config, partial(Trainer, config), resume=resume, overwrite=overwrite, streams=config.streams)[1]


class Trainer(Task):
    """One run."""

    def __init__(self, config: TrainConfig, group: Processes):
        """Reads and checks everything that the run needs: what is missing is better known now than in an hour."""
        config, notice = for_want_of_motion(config)
        self.config, self.group, self.device, self.streams = config, group, group.device, config.streams
        self._say(notice)
        self.validate_every = config.validate_every if config.validation else 0
        if config.data.sources:
            check_sources(config)
        self.settings = config.network.model_dump(mode="json")
        self.network = build_network(self.settings).to(self.device)
        self.settings = with_digest(self.settings)
        if config.initial:
            self._say(load_initial(self.network, self.settings, config.initial, config.initial_part))
        self.average = Average(self.network, config.ema_decay)
        self.material = load_material(config) if config.data.sources else None
        if self.material:
            self._say(self.material.describe_fits())
            self.config = self.material.with_steps(config)
            self.validation: SyntheticValidation | AnnotatedValidation = AnnotatedValidation(config)
        else:
            self._load_motion()
        self.stages = self.config.stages

    def _say(self, notice: str) -> None:
        if notice and self.group.is_first:
            tqdm.write(notice)

    def _load_motion(self) -> None:
        config = self.config
        if any(stage.epochs for stage in config.stages):
            raise InputError("stages: samples made on the fly have no epochs; give steps")
        names = [name for name in config.validation if isinstance(name, str)]
        if len(names) < len(config.validation):
            raise InputError("validation: datasets go with data.sources; without those, name motion")
        self.sampler = sampler_of(config, load_body_model(config.network.body), names)
        self.validation = SyntheticValidation(self.sampler, names)

    # ---- one stage

    def begin(self, stage: int) -> None:
        self.index, self.stage, self.data = stage, self.config.stages[stage], self._stage_data(stage)
        objective = self.network.objective(self.stage, self.data).to(self.device)
        self.shared = SharedStep(objective, self.streams, self.group, self.config.precision)
        self.network.train()
        self.optimizer = make_optimizer(self.stage, [p for p in self.network.parameters() if p.requires_grad])

    def batches(self, start: int) -> Iterator[Any]:
        """Of each step those of this process's streams, together."""
        samples = Streams(self.data.samples, self.shared.mine)
        count = len(samples.parts)
        made = batches(samples, start * count, self.stage.steps * count, self.config.data.workers)
        return zip(*[made] * count, strict=True)

    def step(self, index: int, batch: tuple[Any, ...]) -> Parts | None:
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(self.stage, index)
        losses = self.shared.losses(batch, self.config.seed, self.index, index)
        if not descend(losses, [self.optimizer], self.config.clip_norm, self.group):
            return None
        self.average.update(index)
        return self.shared.parts()

    def validate(self, done: int) -> Iterator[dict[str, Any]]:
        with self.average.in_place():
            for what, result in self.validation.results(self.network, self.stage, self.device):
                line: dict[str, Any] = dict(what)
                for kind, values in result.items():
                    line |= {f"{kind}_{k}": round(v, 2) for k, v in values.items() if isinstance(v, float)}
                yield line

    def end(self) -> None:
        self.network.load_state_dict(self.average.weights)  # the next stage starts from the averaged weights

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    def save_weights(self, path: Path) -> nn.Module:
        with self.average.in_place() as network:
            save_weights(path, network, self.settings)
        return network

    def _stage_data(self, index: int) -> StageData:
        if self.material:
            return self.material.stage(self.config, index)
        return stage_data(self.config, index, self.sampler)
