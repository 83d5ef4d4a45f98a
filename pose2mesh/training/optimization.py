"""How weights move: the optimizer of a stage, its learning rate, safe steps, and the running average of the weights."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import Processes

_EMA_EVERY = 8  # steps; averaging 7 million weights costs as much as a tenth of a step
_EMA_EACH = 64  # steps at the beginning of a stage that count each: eight are no small part of them


def learning_rate(stage: StageConfig, step: int) -> float:
    """Warm-up, then half a cosine down to 1%; or the original's drop to a tenth after four fifths; or Key2Mesh's decay.

    Key2Mesh takes 0.8 after each epoch; samples made on the fly have no epochs, so a stage counts as twenty.
    """
    warm = min(1.0, (step + 1) / max(1, stage.warmup))
    done = step / stage.steps
    if stage.schedule == "step":
        return stage.learning_rate * warm * (stage.drop_factor if done >= stage.drop_at else 1.0)
    if stage.schedule == "decay":
        return stage.learning_rate * warm * 0.8 ** math.floor(20 * done)
    return stage.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(stage: StageConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW decays matrices only; RMSprop is the original's and decays nothing."""
    if stage.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=stage.learning_rate)
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": stage.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.98), fused=True)


def descend(
    losses: Tensor | Iterable[Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    clip_norm: float,
    group: Processes | None = None,
) -> bool:
    """One step of all `optimizers` on a loss or a sum of them, made one by one; each gradient clipped to `clip_norm`.

    False, and nothing changed, where loss or gradient is not finite, on this process or on another of `group`.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    finite = []
    for loss in [losses] if isinstance(losses, Tensor) else losses:
        loss.backward()
        finite.append(torch.isfinite(loss))
    for optimizer in optimizers:
        weights = [p for settings in optimizer.param_groups for p in settings["params"]]
        finite.append(torch.isfinite(nn.utils.clip_grad_norm_(weights, clip_norm)))
    if (group or Processes()).largest(not bool(torch.stack(finite).all())):
        return False
    for optimizer in optimizers:
        optimizer.step()
    return True


class Average:
    """The running average of a network's weights."""

    def __init__(self, network: nn.Module, decay: float):
        self.network, self.decay = network, decay
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network, on each of a stage's first 64 steps and every eighth later.

        `decay` is per step; 0 takes the weights of every step as they are. Early on the memory is shorter: only about
        the last tenth of the stage so far is averaged.
        """
        passed = 1 if step <= _EMA_EACH else _EMA_EVERY  # steps since the last update
        if self.decay and step % passed:
            return
        within = 1 - passed / (passed + 0.1 * step)
        weight = 1 - min(self.decay**passed, within)
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, weight)
            else:
                self.weights[name].copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[nn.Module]:
        """The network with the averaged weights, in evaluation mode; in the end it is as it was."""
        current = {k: v.clone() for k, v in self.network.state_dict().items()}
        was_training = self.network.training
        self.network.load_state_dict(self.weights)
        self.network.eval()
        try:
            yield self.network
        finally:
            self.network.load_state_dict(current)
            self.network.train(was_training)

    def state_dict(self) -> dict[str, Tensor]:
        return self.weights

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Raises KeyError or RuntimeError for those of another network."""
        for name, value in self.weights.items():
            value.copy_(state[name])
