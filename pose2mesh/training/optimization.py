"""How weights move: the optimizer of a stage, its learning rate, and the running average of the weights."""

import math

import torch
from torch import Tensor, nn

from pose2mesh.training.config import StageConfig

_EMA_EVERY = 8  # steps; averaging 7 million weights costs as much as a tenth of a step


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
    groups = [
        {"params": matrices, "weight_decay": stage.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.98), fused=True)


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Move a running average of the weights towards those of `network`, in place, on every eighth step of a stage.

    `decay` is per step; 0 takes the weights of every step as they are. Early on the memory is shorter: only about the
    last tenth of the stage so far is averaged.
    """
    if decay and step % _EMA_EVERY:
        return
    within = 1 - _EMA_EVERY / (_EMA_EVERY + 0.1 * step)
    weight = 1 - min(decay**_EMA_EVERY, within)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, weight)
        else:
            average[name].copy_(value)
