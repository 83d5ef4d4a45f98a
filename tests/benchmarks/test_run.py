"""The benchmark from settings to report, on networks of toy size."""

import json
from dataclasses import replace

import pytest
import torch
from many_processes import in_processes
from small_classic import PLAN, SMALL_DIRECT_PLAN, ball_hierarchy, benchmark_as_told, check_paths, small_classic

from pose2mesh.benchmarks import Report, Row, Settings, run_benchmark, workloads
from pose2mesh.errors import InputError, Pose2MeshError

CPU = torch.device("cpu")
CONTRACT = {"network", "path", "pass", "batch", "ms", "peak_mb", "ratio_to_original", "ratio_to_floor"}


@pytest.fixture
def toys(monkeypatch):
    """The networks and the operators in toy size."""
    small = workloads.classic(CPU, has_pyg=True, network=small_classic())
    other = workloads.Workload("compact", {"cpu": small.paths["cpu"]}, small.modules, small.make_input)
    direct = replace(workloads.classic(CPU, network=small_classic(SMALL_DIRECT_PLAN)), name="direct")
    made = {"classic": [small], "classic-train": [small], "compact": [other]}
    made |= {"direct": [direct], "direct-train": [direct]}
    layers = workloads.operators(CPU, hierarchy=ball_hierarchy())
    monkeypatch.setattr(workloads, "build", lambda name, *a, **k: made.get(name, layers))


@pytest.mark.parametrize("mode", ["network", "train"])
def test_networks(toys, mode, tmp_path):
    settings = Settings(mode, (1, 2) if mode == "network" else (2,), is_quick=True)
    report = run_benchmark(settings)
    report.write_json(tmp_path / "b.json")
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["machine"]["threads"] == torch.get_num_threads() and document["machine"]["cpu"]
    rows = document["rows"]
    assert all(set(row) >= CONTRACT for row in rows)
    expected = {("classic", p) for p in ("original", "pyg", "cpu", "cpu-torch", "reference")} | {("compact", "cpu")}
    assert {(row["network"], row["path"]) for row in rows} == expected
    originals = {row["batch"]: row["ms"] for row in rows if row["path"] == "original"}
    for row in rows:
        assert row["pass"] == ("forward" if mode == "network" else "train")
        assert row["ratio_to_original"] == pytest.approx(originals[row["batch"]] / row["ms"])
        assert row["samples_per_s"] == pytest.approx(1000 * row["batch"] / row["ms"])
    for line in ("classic", "compact", "threads"):
        assert line in report.table()


def test_processes_of_torchrun_tell_the_rate_of_one(tmp_path):
    """The mean of theirs, told once."""
    printed = in_processes(2, benchmark_as_told, tmp_path / "b.json", (10.0, 30.0))
    assert "samples/s" in printed[0] and printed[1] == ""
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["machine"]["processes"] == 2
    assert {(row["ms"], row["samples_per_s"]) for row in document["rows"]} == {(20.0, 200.0)}


def test_operators_and_a_choice_of_paths(toys):
    report = run_benchmark(Settings("ops", (1,), paths=("original", "cpu"), is_quick=True))
    assert {row.path for row in report.rows} == {"original", "cpu"}
    assert [row.ratio_to_floor for row in report.rows if row.network.startswith("product")] == [None, None]


@pytest.mark.parametrize("mode", ["network", "train"])
def test_the_direct_network_is_compared_with_the_coarse_to_fine_original(toys, mode):
    settings = Settings(mode, (1 if mode == "network" else 2,), has_ablation=True, is_quick=True)
    rows = {(row.network, row.path): row for row in run_benchmark(settings).rows}
    assert {"direct", "classic", "compact"} == {network for network, _ in rows}
    original = rows["classic", "original"]
    for row in rows.values():
        assert row.ratio_to_original == pytest.approx(original.ms / row.ms)


def test_the_ablation_is_left_out_unless_it_is_asked_for():
    assert workloads.workload_names("network") == ("classic", "compact")
    assert workloads.workload_names("train", True) == ("classic-train", "direct-train", "compact")


@pytest.mark.parametrize("is_padded", [False, True])
def test_direct_and_coarse_to_fine_networks_share_body_and_joints(monkeypatch, is_padded):
    monkeypatch.setattr(workloads, "classic_hierarchy", ball_hierarchy)
    monkeypatch.setattr(workloads, "DIRECT_PLAN", SMALL_DIRECT_PLAN)
    monkeypatch.setattr(workloads, "BODY_PLAN", PLAN)
    direct, classic = (
        workloads.build(name, CPU)[0]
        for name in (("direct-train", "classic-train") if is_padded else ("direct", "classic"))
    )
    check_paths(direct, "train" if is_padded else "forward", 2)
    x = direct.make_input(2)
    assert torch.equal(x, classic.make_input(2))
    assert direct.paths["original"](x).shape == classic.paths["original"](x).shape == (2, 162, 3)


def test_a_wrong_path_is_not_timed():
    workload = workloads.classic(CPU, network=small_classic())
    right = workload.paths["reference"]
    workload.paths["cpu"] = lambda x: right(x) * 1.001
    with pytest.raises(Pose2MeshError, match=r"'cpu' is off the reference by 1\.0e-03"):
        check_paths(workload, "forward", 2)


def test_a_wrong_gradient_is_not_timed():
    workload = workloads.classic(CPU, network=small_classic())
    right = workload.paths["reference"]

    def wrong(x):
        y = right(x)
        return y.detach() + 0.9 * (y - y.detach())

    workload.paths["cpu"] = wrong
    check_paths(workload, "forward", 2)
    with pytest.raises(Pose2MeshError, match=r"the gradient of path 'cpu' is off the reference by 1\.0e-01"):
        check_paths(workload, "train", 2)


def test_unknown_paths_are_refused_with_the_choices(toys):
    with pytest.raises(InputError, match=r"--paths fast: unknown here; choose from .*cpu-torch"):
        run_benchmark(Settings("network", (1,), paths=("cpu", "fast"), is_quick=True))


def test_an_unknown_workload_is_refused():
    with pytest.raises(InputError, match="direct-train, compact or operators"):
        workloads.build("hand", CPU)


def test_a_row_without_anything_to_compare_with():
    row = Row("compact", "cpu", "forward", 1, 5.0, 200.0, None, None, None)
    assert Report({"cpu": "x"}, [row]).table().splitlines()[-1].split()[-3:] == ["-", "-", "-"]
    assert row.to_json()["pass"] == "forward"
