"""An adaptation, a task of the run loop: steps of the methods, held-out error, early stopping, the best weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.materials import Keypoints, Material, Photos
from pose2mesh.adaptation.method import Method
from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import is_image_backbone
from pose2mesh.errors import InputError
from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, RunLoop, Task, carry_out


class Outcome:
    """How a run goes; keeps the weights of the smallest held-out error, at first those it is given.

    Where nobody is held out there are no errors, and the last weights are the best.
    """

    def __init__(self, adapted: nn.Module, error: float | None):
        self.adapted = adapted
        self.errors = [] if error is None else [(0, error)]  # (steps done, held-out re-projection error)
        self.losses: list[dict[str, float]] = []  # of every step that was taken
        self.skipped = 0  # steps whose loss was not finite
        self.weights = self._copy() if self.errors else {}

    @property
    def best(self) -> tuple[int, float]:
        return min(self.errors, key=lambda entry: entry[1])

    @property
    def stale(self) -> int:
        """Looks since the best one."""
        return len(self.errors) - 1 - self.errors.index(self.best) if self.errors else 0

    def look(self, done: int, error: float) -> None:
        if error < self.best[1]:
            self.weights = self._copy()
        self.errors.append((done, error))

    def restore(self) -> None:
        """What is adapted takes its best weights."""
        if self.weights:
            self.adapted.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"errors": self.errors, "losses": self.losses, "skipped": self.skipped, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.errors, self.losses, self.skipped = list(state["errors"]), list(state["losses"]), state["skipped"]
        self.weights = {name: state["weights"][name].to(value.device) for name, value in self.weights.items()}

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.adapted.state_dict().items()}


class Adaptation(Task):
    """All steps of the methods, taking turns; the network ends with the best weights."""

    def __init__(self, material: Material, methods: Sequence[Method]):
        self.material, self.methods, self.config = material, methods, material.config
        self.outcome = Outcome(material.adapted, material.held_out_error())
        self.stages = (StageConfig(name="adaptation", steps=self.config.steps, batch_size=self.config.batch_size),)
        self.validate_every = self.config.validate_every

    @property
    def is_done(self) -> bool:
        return self.outcome.stale >= self.config.patience

    def batches(self, start: int) -> Iterator[Any]:
        return self.material.source(start)

    def step(self, index: int, batch: Any) -> Parts | None:
        """One step of every method, in order; None if one could not be taken."""
        source, target = self.material.draw(index, batch)
        parts: dict[str, float] = {}
        with self.material.arithmetic():
            for method in self.methods:
                found = method.step(index, source, target)
                if found is None:
                    self.outcome.skipped += 1
                    return None
                parts |= found
        self.outcome.losses.append(parts)
        return parts

    def validate(self, done: int) -> Iterator[dict[str, Any]]:
        error = self.material.held_out_error()
        if error is not None:
            self.outcome.look(done, error)
            yield {"held_out_error": error}

    def end(self) -> None:
        self.outcome.restore()
        self.material.network.eval()

    def parts(self) -> dict[str, Stateful]:
        of_methods = {f"{i}.{name}": part for i, each in enumerate(self.methods) for name, part in each.parts().items()}
        return {"adapted": self.material.adapted, "outcome": self.outcome, **of_methods}

    def save_weights(self, path: Path) -> nn.Module:
        """The best so far."""
        current = {name: value.clone() for name, value in self.material.adapted.state_dict().items()}
        self.outcome.restore()
        save_weights(path, self.material.network, self.material.settings)
        self.material.adapted.load_state_dict(current)
        return self.material.network

    def records(self) -> dict[str, dict[str, Any]]:
        found = self.outcome
        record = {"held_out_error": found.errors, "skipped_steps": found.skipped, "losses": found.losses}
        return {"adaptation.json": record}


def adapt(
    config: AdaptConfig, method: str, output: str | Path | None = None, resume: bool = False, overwrite: bool = False
) -> tuple[Path, Outcome]:
    """Adapt a network to the keypoints or photos of `config.target`; returns the weights file and how it went.

    Raises InputError for an unknown method, settings of another one, weights that cannot be adapted or a target that
    does not serve, before any step. Resumes, overwrites and raises as `carry_out` does. `output` goes before that of
    the configuration.
    """
    kind = Photos if is_image_backbone(config.weights) else Keypoints
    _refuse_unread(config, method, kind)
    config = config.model_copy(update={"output": str(output)}) if output else config

    def make(group: Processes) -> Adaptation:
        material = kind.load(config, group.device)
        return Adaptation(material, make_methods(material, method))

    task, weights = carry_out(config, make, resume=resume, overwrite=overwrite, method=method)
    return weights, task.outcome


def _refuse_unread(config: AdaptConfig, method: str, kind: type[Material]) -> None:
    """Raises InputError where a setting that differs from its default is of another method or another material."""
    for other in {"key2mesh", "dapa"} - {method}:
        if method in ("key2mesh", "dapa") and getattr(config, other) != AdaptConfig.model_fields[other].default:
            raise InputError(f"{other}: --method {method} reads none of it; leave it out, or take --method both")
    for name in config.changed():
        if any(f"{name}.".startswith(f"{unread}.") for unread in kind.unread):
            raise InputError(f"{name}: the adaptation of {kind.what} reads none of it; leave it out")


def make_methods(material: Material, name: str) -> list[Method]:
    """What `--method` names. Raises InputError."""
    if name not in material.methods:
        raise InputError(f"unknown method {name!r} for {material.what}; choose one of {', '.join(material.methods)}")
    return [make(material.backbone, material.target, material.config) for make in material.methods[name]]


def run_adaptation(material: Material, methods: Sequence[Method]) -> Outcome:
    """Adapt in memory (see `Adaptation`). Raises MachineError after ten bad steps in a row."""
    if not methods:
        return Outcome(material.adapted, material.held_out_error())
    task = Adaptation(material, methods)
    RunLoop(task, material.config).run()
    return task.outcome
