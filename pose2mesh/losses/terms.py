"""The terms of the training losses, by name in the registry of plug-ins, their weights, and their weighted sum."""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import torch
from pydantic import ConfigDict, model_validator
from torch import Tensor

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.errors import InputError
from pose2mesh.losses.coordinates import distance_loss, quantile_loss
from pose2mesh.losses.surface import edge_loss, normal_loss
from pose2mesh.plugins import check_name, find, register
from pose2mesh.settings import Strict, as_value_error

ONE_DEVIATION = 0.6827  # share of a normal distribution within one deviation
_COSTLY = ("normal", "edge")  # not computed at weight 0


class LossConfig(Strict):
    """Weights; lengths in metres. Other names are losses that plug-ins registered."""

    model_config = ConfigDict(extra="allow")
    if not TYPE_CHECKING:  # checkers take it for a field, pydantic for the type of what is added
        __pydantic_extra__: dict[str, NotNegative]

    joint: NotNegative = 1.0  # lifted joints
    deviation: NotNegative = 0.1  # how far off lifted joints may be
    rotation: NotNegative = 0.1  # parameter network: entries of the bones' rotation matrices
    shape: NotNegative = 0.002  # parameter network: shape coefficients
    vertex: NotNegative = 1.0  # vertices of the finest level
    mesh_joint: NotNegative = 0.5  # joints regressed from the mesh
    coarse: NotNegative = 1.0  # vertices of every level but the finest
    normal: NotNegative = 0.0
    edge: NotNegative = 0.0
    weigh_limbs: bool = False  # parameter network: joints count 8, 4, 2 towards the ends of the limbs, as in the paper

    @model_validator(mode="after")
    def _check(self):
        for name in self.added:
            as_value_error(check_name, "loss", name)
        if not any(self.terms.values()):
            raise ValueError("all weights are 0, by which nothing is learned; give one")
        return self

    def refuse(self, unused: Collection[str]) -> None:
        """Raise InputError where one of `unused` is asked for: a table must not name a loss that was not there."""
        for name, value in self.changed().items():
            if value and name in unused:
                raise InputError(f"loss.{name}: this network and stage have nothing to learn by it; leave it out")

    @property
    def added(self) -> dict[str, float]:
        """The weights of plug-ins."""
        return dict(self.model_extra or {})

    @property
    def terms(self) -> dict[str, float]:
        """The weights of all terms by name."""
        return self.model_dump(exclude={"weigh_limbs"})


class Compared(NamedTuple):
    """What a network says, or what is true, of a batch: metres, root-relative, camera axes. None: nothing is told."""

    joints: Tensor | None = None  # [B, J, 3]
    vertices: Tensor | None = None  # [B, N, 3], the finest that the network computes
    coarse: tuple[Tensor, ...] = ()  # each [B, n, 3], of the coarser levels
    mesh_joints: Tensor | None = None  # [B, J, 3], regressed from the vertices
    deviation: Tensor | None = None  # [B, J], how far off the joints may be
    rotations: Tensor | None = None  # [B, R, 3, 3]
    betas: Tensor | None = None  # [B, S]
    faces: Tensor | None = None  # [F, 3] of the vertices


def weigh(predicted: Compared, true: Compared, weights: dict[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
    """(total, terms by name): every term that has a weight and something to compare."""
    parts: dict[str, Tensor] = {}
    for name, weight in weights.items():
        value = find("loss", name)(predicted, true) if weight or name not in _COSTLY else None
        if value is not None:
            parts[name] = _one_number(value, name)
    total = sum((weights[name] * value for name, value in parts.items()), torch.zeros(()))
    return total, {name: value.detach() for name, value in parts.items()}


def _one_number(value: Tensor, name: str) -> Tensor:
    """The value of a loss. Raises InputError for anything but a tensor of one number, which a plug-in may give."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        is_tensor = isinstance(value, Tensor)
        gave = f"a tensor of shape {[*value.shape]}" if is_tensor else f"a {type(value).__name__}"
        raise InputError(f"loss {name!r} gave {gave}; it must be one number as a tensor, or None")
    return value


def _distance(predicted: Tensor | None, true: Tensor | None) -> Tensor | None:
    return None if predicted is None or true is None else distance_loss(predicted, true)


def _difference(predicted: Tensor | None, true: Tensor | None) -> Tensor | None:
    return None if predicted is None or true is None else (predicted - true).abs().mean()


def _coarse(predicted: Compared, true: Compared) -> Tensor | None:
    errors = [distance_loss(p, t) for p, t in zip(predicted.coarse, true.coarse, strict=True)]
    return torch.stack(errors).mean() if errors else None


def _deviation(predicted: Compared, true: Compared) -> Tensor | None:
    if predicted.deviation is None or predicted.joints is None or true.joints is None:
        return None
    errors = (predicted.joints.detach() - true.joints).norm(dim=-1)  # [B, J]
    return quantile_loss(predicted.deviation, errors, ONE_DEVIATION)


def _normal(predicted: Compared, true: Compared) -> Tensor | None:
    if predicted.vertices is None or true.vertices is None or true.faces is None:
        return None
    return normal_loss(predicted.vertices, true.vertices, true.faces)


def _edge(predicted: Compared, true: Compared) -> Tensor | None:
    if predicted.vertices is None or true.vertices is None or true.faces is None:
        return None
    return edge_loss(predicted.vertices, true.vertices, true.faces)


for _name, _term in {
    "joint": lambda predicted, true: _distance(predicted.joints, true.joints),
    "deviation": _deviation,
    "rotation": lambda predicted, true: _difference(predicted.rotations, true.rotations),
    "shape": lambda predicted, true: _difference(predicted.betas, true.betas),
    "vertex": lambda predicted, true: _distance(predicted.vertices, true.vertices),
    "mesh_joint": lambda predicted, true: _distance(predicted.mesh_joints, true.joints),
    "coarse": _coarse,
    "normal": _normal,
    "edge": _edge,
}.items():
    register("loss", _name, _term)
