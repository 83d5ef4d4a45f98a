"""The benchmark of a GPU, run on the CPU: rows, roofline, what is left out. The times are measured on a GPU alone."""

import json

import pytest
import torch
from small_classic import ball_hierarchy, small_classic

from pose2mesh.benchmarks import Settings, run_benchmark, workloads
from pose2mesh.benchmarks.passes import BF16, FP32, TF32, record_products
from pose2mesh.benchmarks.roofline import DATASHEETS, Rates, Work, layer_work, work_of

CPU = torch.device("cpu")
RATES = Rates({FP32: 1.0, TF32: 2.0, BF16: 4.0}, 0.5)


@pytest.fixture
def toys(monkeypatch):
    small = workloads.classic(CPU, network=small_classic())
    other = workloads.Workload("compact", {"reference": small.paths["reference"]}, small.modules, small.make_input)
    layers = workloads.operators(CPU, hierarchy=ball_hierarchy())
    made = {"classic": [small], "classic-train": [small], "compact": [other], "operators": layers}
    monkeypatch.setattr(workloads, "build", lambda name, *a, **k: made[name])
    return made


def test_all_modes_give_rows_in_three_types(toys, tmp_path):
    said = []
    settings = Settings("all", (2,), paths=("original", "reference", "cpu"), is_quick=True)
    report = run_benchmark(settings, said.append, rates=RATES)
    report.write_json(tmp_path / "b.json")
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    kinds = {(row["network"], row["path"], row["dtype"], row["pass"]) for row in rows}
    assert {("classic", "reference", dtype, "train") for dtype in (FP32, TF32, BF16)} <= kinds
    assert {("classic", "original", dtype, "forward") for dtype in (FP32, TF32)} <= kinds
    assert not any(path == "original" and dtype == BF16 for _, path, dtype, _ in kinds)
    assert any(name.startswith("layer") for name, *_ in kinds) and any(name.startswith("product") for name, *_ in kinds)
    for row in rows:
        assert row["ratio_to_roofline"] == pytest.approx(row["ms"] / row["roofline_ms"])
        assert 0 < row["roofline_ms"] <= row["byte_bound_ms"] and row["error"] < 0.2
    for word in ("classic", "bf16", "tflops", "copy_tb_per_s"):
        assert word in report.table()


def test_a_path_that_fails_or_errs_is_left_out_and_said(toys, monkeypatch):
    (workload,) = toys["classic"]
    right = workload.paths["reference"]
    workload.paths["wrong"] = lambda x: right(x) * 1.5
    workload.paths["broken"] = lambda x: torch.zeros(2) @ torch.zeros(3)
    said = []
    settings = Settings("network", (1,), paths=("reference", "wrong", "broken"), is_quick=True)
    report = run_benchmark(settings, said.append, rates=RATES)
    assert {row.path for row in report.rows} == {"reference"}
    assert any("broken fp32: left out, RuntimeError" in line for line in said)
    assert any("wrong bf16: left out" in line for line in said)


def test_work_is_that_of_the_layers():
    """Operations of the dense products that the reference path does, by their shapes."""
    network = small_classic().eval()
    x = torch.rand(3, 19, 3)
    with torch.no_grad(), workloads.use_backend("reference"):
        products = record_products(lambda: network(x))
    expected = sum(2 * left.numel() * right[-1] for left, right in products)
    work = work_of(lambda: network(x), is_train=False)
    # graph layers may multiply by the weights before they copy nodes to their children, so they need no more
    assert 0.5 * expected <= sum(layer.flops for layer in work) <= expected
    assert "counting" not in workloads.available_backends(x)


def test_a_layer_by_hand():
    layer = layer_work(torch.Size((2, 10, 4)), 10, torch.Size((5, 12)), True, is_train=False)
    assert layer.flops == 2 * 2 * 10 * 12 * 5
    assert layer.least_numbers == 2 * 10 * (4 + 5 + 5) + 60
    # three terms written; then 3 + 1 = u1, b2 -> b1 and u0, b1, b2 -> y; the residual read
    assert layer.unfused_numbers == 2 * 10 * (4 + 5 * (3 + 3 + 4 + 1)) + 60


def test_the_longer_of_both_times_counts_in_each_layer():
    work = [Work(4e9, 1e6, 2e6), Work(1e6, 1e9, 2e9)]
    assert RATES.least_ms(work, FP32) == pytest.approx(4.0 + 4e9 / 0.5e12 * 1e3)
    assert RATES.least_ms(work, BF16) == pytest.approx(1.0 + 2e9 / 0.5e12 * 1e3)
    assert all(set(sheet) == {FP32, TF32, BF16, "bandwidth"} for sheet in DATASHEETS.values())
