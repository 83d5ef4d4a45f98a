"""A keypoint network's adaptation, a task of the run loop: steps, held-out error, early stopping, the best weights."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.adaptation.adversarial import AdversarialAdaptation
from pose2mesh.adaptation.backbones import Backbone, backbone_of
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.dapa import DomainAdaptiveAugmentation
from pose2mesh.adaptation.method import Method, held_out_error
from pose2mesh.adaptation.target import TargetSet, load_target
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network, read_weights, save_weights
from pose2mesh.errors import InputError
from pose2mesh.losses.targets import Batch
from pose2mesh.synthesis.batches import batches
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.prior_poses import training_poses
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, RunLoop, Task, carry_out
from pose2mesh.training.samplers import mixture_of

MethodFactory = Callable[[Backbone, TargetSet, AdaptConfig, torch.device], Method]
METHODS: dict[str, tuple[MethodFactory, ...]] = {  # what `--method` names: the methods that take turns
    "key2mesh": (AdversarialAdaptation,),
    "dapa": (DomainAdaptiveAugmentation,),
    "both": (AdversarialAdaptation, DomainAdaptiveAugmentation),
}


class Outcome:
    """How a run goes; keeps the extractor of the smallest held-out error, at first the one it is given."""

    def __init__(self, extractor: nn.Module, error: float):
        self.extractor = extractor
        self.errors = [(0, error)]  # (steps done, held-out re-projection error)
        self.skipped = 0  # steps whose loss was not finite
        self.weights = self._copy()

    @property
    def best(self) -> tuple[int, float]:
        return min(self.errors, key=lambda entry: entry[1])

    @property
    def stale(self) -> int:
        """Looks since the best one."""
        return len(self.errors) - 1 - self.errors.index(self.best)

    def look(self, done: int, error: float) -> None:
        if error < self.best[1]:
            self.weights = self._copy()
        self.errors.append((done, error))

    def restore(self) -> None:
        """The extractor takes its best weights."""
        self.extractor.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"errors": self.errors, "skipped": self.skipped, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.errors, self.skipped = list(state["errors"]), state["skipped"]
        self.weights = {name: state["weights"][name].to(value.device) for name, value in self.weights.items()}

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.extractor.state_dict().items()}


class KeypointAdaptation(Task):
    """All steps of the methods, taking turns; the backbone ends with the weights of the smallest held-out error."""

    def __init__(
        self,
        backbone: Backbone,
        target: TargetSet,
        config: AdaptConfig,
        methods: Sequence[Method],
        device: torch.device,
        samples: SyntheticBodies | None = None,
    ):
        """`samples` are those of `source_samples`, for several runs made once."""
        self.backbone, self.target, self.config, self.methods, self.device = backbone, target, config, methods, device
        self.outcome = Outcome(backbone.extractor, held_out_error(backbone, target))
        self.stages = (StageConfig(name="adaptation", steps=config.steps, batch_size=config.batch_size),)
        self.validate_every = config.validate_every
        self.samples = samples or source_samples(backbone, config)

    @property
    def is_done(self) -> bool:
        return self.outcome.stale >= self.config.patience

    def batches(self, start: int) -> Iterator[Any]:
        return batches(self.samples, start, self.config.steps, self.config.source.workers)

    def step(self, index: int, batch: Batch) -> Parts | None:
        """One step of every method, in order; None if one could not be taken."""
        source = Batch(*(tensor.to(self.device) for tensor in batch))
        target = self.target.draw(self.config.batch_size, self.config.seed, index).to(self.device)
        parts: dict[str, float] = {}
        enabled = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled):
            for method in self.methods:
                found = method.step(index, source, target)
                if found is None:
                    self.outcome.skipped += 1
                    return None
                parts |= found
        return parts

    def validate(self, done: int) -> Iterator[dict[str, Any]]:
        error = held_out_error(self.backbone, self.target)
        self.outcome.look(done, error)
        yield {"held_out_error": error}

    def end(self) -> None:
        self.outcome.restore()

    def parts(self) -> dict[str, Stateful]:
        of_methods = {f"{i}.{name}": part for i, each in enumerate(self.methods) for name, part in each.parts().items()}
        return {"extractor": self.backbone.extractor, "outcome": self.outcome, **of_methods}

    def save_weights(self, path: Path) -> nn.Module:
        """The best so far."""
        current = {name: value.clone() for name, value in self.backbone.extractor.state_dict().items()}
        self.outcome.restore()
        save_weights(path, self.backbone.network, self.backbone.settings)  # type: ignore[arg-type]
        self.backbone.extractor.load_state_dict(current)
        return self.backbone.network  # type: ignore[return-value]

    def records(self) -> dict[str, dict[str, Any]]:
        found = {"held_out_error": self.outcome.errors, "skipped_steps": self.outcome.skipped}
        return {"adaptation.json": found}


def adapt(
    config: AdaptConfig, method: str, output: str | Path | None = None, resume: bool = False, overwrite: bool = False
) -> tuple[Path, Outcome]:
    """Adapt a network to the keypoints of `config.target`; returns the weights file and how it went.

    Raises InputError for an unknown method, weights that cannot be adapted or a target that does not serve, before any
    step. Resumes, overwrites and raises as `carry_out` does. `output` goes before that of the configuration.
    """
    config = config.into(output)

    def make(group: Processes) -> KeypointAdaptation:
        backbone = load_backbone(config.weights, group.device)
        target = load_target(config.target, backbone.joint_set)
        methods = make_methods(backbone, target, config, method, group.device)
        return KeypointAdaptation(backbone, target, config, methods, group.device)

    task, weights = carry_out(config, make, resume=resume, overwrite=overwrite, method=method)
    return weights, task.outcome


def load_backbone(weights: str | Path, device: torch.device) -> Backbone:
    """Weights by name or path, ready to be adapted."""
    _, settings = read_weights(weights)
    return backbone_of(load_network(weights, device), settings).to(device)


def make_methods(
    backbone: Backbone, target: TargetSet, config: AdaptConfig, name: str, device: torch.device
) -> list[Method]:
    """What `--method` names. Raises InputError."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; choose one of {', '.join(METHODS)}")
    return [make(backbone, target, config, device) for make in METHODS[name]]


def run_adaptation(
    backbone: Backbone,
    target: TargetSet,
    config: AdaptConfig,
    methods: Sequence[Method],
    device: torch.device,
    samples: SyntheticBodies | None = None,
) -> Outcome:
    """Adapt in memory (see `KeypointAdaptation`). Raises MachineError after ten bad steps in a row."""
    if not methods:
        return Outcome(backbone.extractor, held_out_error(backbone, target))
    task = KeypointAdaptation(backbone, target, config, methods, device, samples)
    RunLoop(task, config).run()
    return task.outcome


def source_samples(backbone: Backbone, config: AdaptConfig) -> SyntheticBodies:
    """Labeled source samples; batch `i` is a function of (seed, i)."""
    data = config.source
    return SyntheticBodies(
        load_anny_body(),
        training_poses(data, config.seed),
        mixture_of(data),
        vertex_ids=backbone.vertex_ids,
        batch_size=config.batch_size,
        seed=5000 + config.seed,
    )
