"""The loop of an adaptation: steps, held-out error, early stopping, weights on disk."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from pose2mesh.adaptation.adversarial import AdversarialAdaptation
from pose2mesh.adaptation.backbones import Backbone, backbone_of
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.dapa import DomainAdaptiveAugmentation
from pose2mesh.adaptation.method import Method, held_out_error
from pose2mesh.adaptation.target import TargetSet, load_target
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network, read_weights, save_weights
from pose2mesh.datasets.synthetic import Batch, SyntheticBodies
from pose2mesh.errors import InputError, MachineError
from pose2mesh.paths import write_with
from pose2mesh.training.distributed import pick_device
from pose2mesh.training.prior_poses import training_poses
from pose2mesh.training.stage_data import mixture_of
from pose2mesh.training.state import versions

MOST_BAD_STEPS = 10  # in a row that are not finite, before the run gives up

MethodFactory = Callable[[Backbone, TargetSet, AdaptConfig, torch.device], Method]
METHODS: dict[str, tuple[MethodFactory, ...]] = {  # what `--method` names: the methods that take turns
    "key2mesh": (AdversarialAdaptation,),
    "dapa": (DomainAdaptiveAugmentation,),
    "both": (AdversarialAdaptation, DomainAdaptiveAugmentation),
}


@dataclass
class Outcome:
    """How a run went; the backbone holds the best weights when it ends."""

    errors: list[tuple[int, float]] = field(default_factory=list)  # (steps done, held-out re-projection error)
    skipped: int = 0  # steps whose loss was not finite

    @property
    def best(self) -> tuple[int, float]:
        return min(self.errors, key=lambda entry: entry[1])


def adapt(config: AdaptConfig, method: str, output: str | Path | None = None) -> tuple[Path, Outcome]:
    """Adapt a network to the keypoints of `config.target`; returns the weights file and how it went.

    Raises InputError for an unknown method, weights that cannot be adapted or a target that does not serve, before
    any step; MachineError after ten steps in a row that were not finite. A file that was there before is replaced only
    by finished weights.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    backbone = load_backbone(config.weights, device)
    limits = config.target
    target = load_target(
        limits.keypoints, backbone.joint_set,
        file_set=limits.joint_set, held_out=limits.held_out, least_confidence=limits.least_confidence,
    )  # fmt: skip
    methods = make_methods(backbone, target, config, method, device)
    outcome = run_adaptation(backbone, target, config, methods, device, title=method)
    folder = Path(output or config.output)
    weights = folder / "weights.safetensors"
    save_weights(weights, backbone.network, backbone.settings)  # type: ignore[arg-type]
    record = {
        "method": method, "config": config.model_dump(mode="json"), "versions": versions(),
        "held_out_error": outcome.errors, "skipped_steps": outcome.skipped,
    }  # fmt: skip
    content = json.dumps(record, indent=1).encode()
    write_with(folder / "adaptation.json", lambda stream: stream.write(content))
    return weights, outcome


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
    *,
    title: str | None = None,
    samples: SyntheticBodies | None = None,
) -> Outcome:
    """All steps of the methods, taking turns; the backbone ends with the weights of the smallest held-out error.

    With a `title` a progress bar shows the parts of the losses. `samples` are those of `source_samples`, for several
    runs made once. Raises MachineError after ten bad steps in a row.
    """
    outcome = Outcome([(0, held_out_error(backbone, target))])
    if not methods:
        return outcome
    with torch.random.fork_rng(devices=[]):  # dropout of a critic draws from torch's own generator
        torch.manual_seed(config.seed)
        _take_steps(backbone, target, config, methods, device, outcome, title, samples)
    return outcome


def _take_steps(
    backbone: Backbone,
    target: TargetSet,
    config: AdaptConfig,
    methods: Sequence[Method],
    device: torch.device,
    outcome: Outcome,
    title: str | None,
    samples: SyntheticBodies | None,
) -> None:
    """The loop of `run_adaptation`; notes errors and skipped steps in `outcome`."""
    samples = samples or source_samples(backbone, config)
    workers = config.source.workers
    batches = iter(DataLoader(samples, batch_size=None, sampler=range(config.steps), num_workers=workers))
    keeper, bad = BestWeights(backbone, outcome.errors[0][1]), 0
    with tqdm(total=config.steps, desc=title, disable=title is None) as bar:
        for step in range(config.steps):
            source = Batch(*(tensor.to(device) for tensor in next(batches)))
            keypoints = target.draw(config.batch_size, config.seed, step).to(device)
            parts = _step_all(methods, step, source, keypoints, config)
            bad = 0 if parts is not None else bad + 1
            outcome.skipped += parts is None
            _check(bad, step)
            bar.update()
            if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
                error = held_out_error(backbone, target)
                outcome.errors.append((step + 1, error))
                keeper.look(error)
                bar.set_postfix(_shown(parts, error, outcome))
                if keeper.stale >= config.patience:
                    break
    keeper.restore()


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


def _step_all(
    methods: Sequence[Method], step: int, source: Batch, target: Tensor, config: AdaptConfig
) -> dict[str, float] | None:
    """One step of every method, in order; None if one could not be taken."""
    parts: dict[str, float] = {}
    with torch.autocast(target.device.type, dtype=torch.bfloat16, enabled=config.precision == "bfloat16"):
        for method in methods:
            found = method.step(step, source, target)
            if found is None:
                return None
            parts |= found
    return parts


def _check(bad: int, step: int) -> None:
    """Say which step was skipped. Raises MachineError after too many in a row."""
    if bad >= MOST_BAD_STEPS:
        raise MachineError(
            f"adaptation: the loss was not finite {bad} times in a row, last on batch {step} of the target; nothing "
            "was written. Lower learning_rate, or look for keypoints that no picture can hold"
        )
    if bad:
        tqdm.write(f"adaptation: batch {step} skipped, its loss or gradient was not finite")


def _shown(parts: dict[str, float] | None, error: float, outcome: Outcome) -> dict[str, Any]:
    shown = {name: f"{value:.3f}" for name, value in (parts or {}).items()}
    return {**shown, "held-out": f"{error:.4f}", **({"skipped": outcome.skipped} if outcome.skipped else {})}


class BestWeights:
    """Keeps the extractor of the smallest held-out error, at first the one it is given."""

    def __init__(self, backbone: Backbone, error: float):
        self.backbone = backbone
        self.best, self.stale = error, 0
        self.weights = self._copy()

    def look(self, error: float) -> None:
        if error < self.best:
            self.best, self.stale, self.weights = error, 0, self._copy()
        else:
            self.stale += 1

    def restore(self) -> None:
        self.backbone.extractor.load_state_dict(self.weights)

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.backbone.extractor.state_dict().items()}
