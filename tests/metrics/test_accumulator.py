import math

import pytest
import torch

from pose2mesh.metrics import MetricAccumulator


def test_means_are_over_samples_not_batches():
    accumulator = MetricAccumulator()
    accumulator.update({"mpjpe": torch.tensor([0.1, 0.1, 0.1])}, ["a", "a", "b"])
    accumulator.update({"mpjpe": torch.tensor([0.5])}, ["b"])
    summary = accumulator.summary()
    assert summary["mpjpe"] == pytest.approx(200)  # millimetres; the mean of the batch means would be 300
    assert summary["count"] == 4
    assert summary["groups"]["a"] == pytest.approx({"mpjpe": 100, "count": 2})
    assert summary["groups"]["b"] == pytest.approx({"mpjpe": 300, "count": 2})


def test_batching_does_not_change_the_summary():
    values = {"pa_mpvpe": torch.rand(7), "f_at_5": torch.rand(7)}
    groups = list("abcabca")
    whole, parts = MetricAccumulator(), MetricAccumulator()
    whole.update(values, groups)
    for part in (slice(0, 4), slice(4, 5), slice(5, 7)):
        parts.update({name: value[part] for name, value in values.items()}, groups[part])
    assert parts.summary() == whole.summary()


def test_only_lengths_become_millimetres():
    accumulator = MetricAccumulator()
    names = ["mpjpe", "pa_mpjpe", "mpvpe", "pa_mpvpe", "f_at_5", "f_at_15", "auc", "pck"]
    accumulator.update({name: torch.tensor([0.5]) for name in names}, ["x"])
    summary = accumulator.summary()
    assert [summary[name] for name in names] == [500, 500, 500, 500, 0.5, 0.5, 0.5, 0.5]


def test_undefined_values_are_left_out_of_their_mean_only():
    accumulator = MetricAccumulator()
    accumulator.update({"pck": torch.tensor([0.5, math.nan]), "mpjpe": torch.tensor([0.1, 0.3])}, ["a", "b"])
    summary = accumulator.summary()
    assert summary["pck"] == 0.5
    assert summary["mpjpe"] == pytest.approx(200)
    assert math.isnan(summary["groups"]["b"]["pck"])


def test_each_sample_needs_a_group():
    with pytest.raises(ValueError):
        MetricAccumulator().update({"mpjpe": torch.rand(3)}, ["a", "b"])


def test_an_empty_accumulator_counts_nothing():
    assert MetricAccumulator().summary() == {"count": 0, "groups": {}}
