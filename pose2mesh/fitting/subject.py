"""What a caller knows of a person, as a distribution of body shapes.

Anny's calibrated distribution is at hand as people with age, sex, height and weight (`statistics/anny_shapes.npz`).
Near what is known, shape and these measures are taken as jointly normal: rows close to it decide mean and covariance
(a kernel), and the measures that are given condition the shape. Height and weight are those of the body at rest:
from the lowest to the highest point, and the volume at 980 kg/m³.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh import paths
from pose2mesh.errors import InputError
from pose2mesh.npz import read_arrays
from pose2mesh.types import Keypoints2D, Subject

_MEASURES = ("age", "height", "weight")  # age and weight by their logarithms
_REACH = np.array([0.15, 0.05, 0.12])  # how near rows count: log age, m, log kg
_EXACT = np.array([0.03, 0.005, 0.02])  # deviations of what is said
_LEAST_ROWS = 60.0  # that count; with fewer the reach is doubled
_CHILDREN = 0.02  # share of children where no age is given
_CONTRADICTION = 6.0  # standard deviations
_UNSURE = 0.05  # smallest deviation of a shape coefficient


class KnownShape(NamedTuple):
    """A normal distribution of shape coefficients."""

    mean: Tensor  # [S]
    precision: Tensor  # [S, S]


def known_shapes(frames: list[Keypoints2D], fitter: Any) -> list[KnownShape | None] | None:
    """What is known of the people of all frames; None if nothing. Raises InputError where there is no fit to use it."""
    if not any(frame.subject and len(frame) for frame in frames):
        return None
    if fitter is None:
        raise InputError(
            "a subject needs the fit of a body to its keypoints: take weights with Anny's parameters, such as "
            "anny-body or anny-key2mesh, and leave --no-fit (fit=False) out"
        )
    return [known_shape(f.subject) if f.subject else None for f in frames for _ in range(len(f))]


def parse_subject(text: str) -> Subject:
    """`age=8,height=1.2,gender=female` to a Subject. Raises InputError."""
    values: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (side.strip() for side in part.partition("="))
        if name not in Subject.__dataclass_fields__ or not equals or name in values:
            known = ", ".join(Subject.__dataclass_fields__)
            raise InputError(f"subject {text!r}: {part.strip()!r} is not one of {known}, each once, as in age=8")
        values[name] = value
    numbers: dict[str, float] = {}
    for name in values.keys() - {"gender"}:
        try:
            numbers[name] = float(values[name])
        except ValueError as error:
            raise InputError(f"subject {text!r}: {name} is {values[name]!r}, which is no number") from error
    return Subject(gender=values.get("gender"), **numbers)


@lru_cache(maxsize=256)
def known_shape(subject: Subject) -> KnownShape:
    """The shapes that people like this have. Raises InputError for contradictions."""
    given = np.array([getattr(subject, name) is not None for name in _MEASURES])  # [3]
    said = np.array([getattr(subject, name) or 1.0 for name in _MEASURES])
    said[[0, 2]] = np.log(said[[0, 2]])
    measures, betas, weights = _people(subject)
    _check(subject, measures, weights, said, given)
    weights = weights * _nearness(measures, said, given, weights)
    mean, covariance = _moments(np.concatenate([betas, measures[:, given]], 1), weights)
    count = betas.shape[1]
    about = covariance[count:, count:] + np.diag(_EXACT[given] ** 2)  # [G, G]
    gain = np.linalg.solve(about, covariance[count:, :count]).T  # [S, G]
    left = covariance[:count, :count] - gain @ covariance[count:, :count] + _UNSURE**2 * _across(gain)
    precise = np.linalg.inv(left)
    middle = mean[:count] + gain @ (said[given] - mean[count:])
    return KnownShape(torch.from_numpy(middle).float(), torch.from_numpy((precise + precise.T) / 2).float())


def _across(gain: np.ndarray) -> np.ndarray:
    """Projection [S,S] onto the shapes that do not change what is known; `gain` [S,G]."""
    basis, _ = np.linalg.qr(gain) if gain.size else (gain, None)
    return np.eye(len(gain)) - (1 - 1e-3) * basis @ basis.T


def _people(subject: Subject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measures [N,3], betas [N,S] and weights [N] of the people who may be meant (tests have the other rows)."""
    names = ("age_years", "height", "weight", "betas", "is_female")
    table = read_arrays(paths.asset("statistics/anny_shapes.npz"), names, remedy="restore it")
    age, height, weight, betas, is_female = (table[name][1::2].astype(np.float64) for name in names)
    weights = np.ones(len(age))
    if subject.age is None:
        is_child = age < 18
        weights = np.where(is_child, _CHILDREN / is_child.sum(), (1 - _CHILDREN) / (~is_child).sum())
    if subject.gender is not None:
        weights = weights * (is_female == (subject.gender == "female"))
    return np.stack([np.log(age), height, np.log(weight)], 1), betas, weights


def _nearness(measures: np.ndarray, said: np.ndarray, given: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kernel [N] around what is given, as wide as it takes to hold enough rows; beyond all rows: their edge."""
    inside = np.clip(said, measures.min(0), measures.max(0))
    squared = (((measures - inside) / _REACH)[:, given] ** 2).sum(1)  # [N]
    reach = 1.0
    while True:
        near = np.exp(-(squared - squared.min()) / (2 * reach**2))
        all_weights = near * weights
        if all_weights.sum() ** 2 >= _LEAST_ROWS * (all_weights**2).sum() or reach > 1e3:
            return near
        reach *= 2


def _moments(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D,D] of weighted rows [N,D]."""
    share = weights / weights.sum()
    mean = share @ values
    return mean, (share[:, None] * (values - mean)).T @ (values - mean)


def _check(subject: Subject, measures: np.ndarray, weights: np.ndarray, said: np.ndarray, given: np.ndarray) -> None:
    """Raise InputError where the height does not go with the age, or the weight with both."""
    for index in (1, 2):
        before = given & (np.arange(3) < index)
        if not given[index] or not before.any():
            continue
        mean, covariance = _moments(measures, weights * _nearness(measures, said, before, weights))
        slope = np.linalg.solve(covariance[np.ix_(before, before)], covariance[before, index])
        expected = mean[index] + slope @ (said - mean)[before]
        deviation = np.sqrt(covariance[index, index] - slope @ covariance[before, index])
        if abs(said[index] - expected) > _CONTRADICTION * deviation:
            text = f"about {expected:.2f} m tall" if index == 1 else f"about {np.exp(expected):.0f} kg"
            others = " and ".join(name for name, known in zip(_MEASURES, before, strict=True) if known)
            raise InputError(
                f"subject {subject} contradicts itself: people of that {others} are {text}; correct what is wrong, or "
                "leave it out"
            )
