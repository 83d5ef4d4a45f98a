"""Means over samples, in total and per group."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from torch import Tensor

_LENGTHS = ("mpjpe", "mpvpe", "acceleration")  # endings of the metrics that are reported in millimetres


class MetricAccumulator:
    """Collects per-sample values, so that a short last batch weighs no more than its samples.

    NaN marks a sample on which a metric is undefined; it is left out of that metric's mean.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._counts: dict[str, int] = defaultdict(int)

    def update(self, values: dict[str, Tensor], groups: Sequence[str]) -> None:
        """Add a batch: each metric [B], lengths in metres, and the group of each sample."""
        for name, per_sample in values.items():
            for group, value in zip(groups, per_sample.double().tolist(), strict=True):
                self._values[group][name].append(value)
        for group in groups:
            self._counts[group] += 1

    def summary(self) -> dict[str, Any]:
        """{metric: mean, ..., "count": samples, "groups": {group: {...}}}, in mm.

        Shares such as f-scores and areas stay in [0, 1]. A metric without a defined value is NaN.
        """
        pooled: dict[str, list[float]] = defaultdict(list)
        for by_name in self._values.values():
            for name, values in by_name.items():
                pooled[name] += values
        groups = {
            group: {**_means(self._values[group]), "count": self._counts[group]} for group in sorted(self._counts)
        }
        return {**_means(pooled), "count": sum(self._counts.values()), "groups": groups}


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: _mean(each) * (1000 if name.endswith(_LENGTHS) else 1) for name, each in values.items()}


def _mean(values: list[float]) -> float:
    defined = [value for value in values if value == value]
    return sum(defined) / len(defined) if defined else float("nan")
