"""`pose2mesh test`: the table, the metrics file and its keys, which scripts depend on."""

import json
import math
from pathlib import Path

import pytest
from tiny_network import tiny_settings
from tiny_pack import write_pack

from pose2mesh import paths
from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.cli.main import main

CONFIG = str(paths.asset("configs/test_mocap.yaml"))
METRICS = {"pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe"}


@pytest.fixture(scope="module")
def overrides(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Fresh tiny weights and a pack of two subjects."""
    folder = tmp_path_factory.mktemp("test")
    save_weights(folder / "w.safetensors", build_network(tiny_settings()), tiny_settings())  # pyright: ignore
    pack = write_pack(folder / "pack.npz", {"03_01": 9, "07_02": 7})
    return [f"weights={folder / 'w.safetensors'}", f"data.motion={pack}", "batch_size=4", "device=cpu"]


def test_metrics_file_and_table(overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "metrics.json"
    assert main(["test", "--config", CONFIG, *overrides, "--json", str(out)]) == 0
    metrics = json.loads(out.read_text())
    assert metrics.keys() == {"clean", "noisy"}
    for values in metrics.values():
        assert values.keys() == METRICS | {"count", "groups"}
        assert values["count"] == 6 and {g: v["count"] for g, v in values["groups"].items()} == {"03": 3, "07": 3}
        for name in METRICS:
            assert 10 < values[name] < 5000  # millimetres, from weights that know nothing
            of_groups = [values["groups"][group][name] for group in ("03", "07")]
            assert math.isclose(values[name], sum(of_groups) / 2, rel_tol=1e-6)
        assert values["pa_mpjpe"] < values["mpjpe"]
    table = capsys.readouterr().out
    assert "PA-MPJPE" in table and "03" in table and f"{metrics['clean']['mpjpe']:.1f}" in table


def test_same_numbers_again_in_other_batches(overrides: list[str], tmp_path: Path) -> None:
    results = []
    for name, size in (("a", 4), ("b", 5)):
        out = tmp_path / f"{name}.json"
        assert main(["test", "--config", CONFIG, *overrides, f"batch_size={size}", "--json", str(out)]) == 0
        results.append(json.loads(out.read_text()))
    for kind in ("clean", "noisy"):
        for name in METRICS:
            assert results[0][kind][name] == pytest.approx(results[1][kind][name], abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["weights=absent.safetensors"], "no weights at absent.safetensors"),
        (["data.motion=absent.npz"], "absent.npz"),
        (["data.ages=[90, 99]"], "4 to 75 years"),
        (["data.ages=[60, 50]"], "put the younger age first"),
        (["data.every=0"], "data.every"),
        (["limit=0"], "limit"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    overrides: list[str], changes: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--config", CONFIG, *overrides, *changes]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pose2mesh: error")]
    assert len(error) == 1 and message in error[0]


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        ("mocap", ["smoothing.beta=1"], "smoothing.beta: protocol=mocap has none of it"),
        ("mocap", ["data.samples=7"], "data.samples: protocol=mocap"),
        ("upright", ["data.every=2"], "data.every: protocol=upright"),
        ("hand", ["input=truth"], "input: protocol=hand"),
        ("hand_closed_loop", ["data.variants=3"], "data.variants: protocol=hand_closed_loop"),
        ("human36m", ["data.ages=[4, 9]"], "data.ages.0: protocol=human36m"),
        ("hand", ["data.families=[]"], "data.families"),
        ("hand_closed_loop", ["weights=anny-body"], "protocol=hand_closed_loop does not fit weights anny-body"),
        ("closed_loop", ["weights=anny-hand"], "protocol=closed_loop does not fit weights anny-hand"),
        ("mocap", ["protocol=motion"], "give --config assets/configs/test_motion.yaml instead"),
        ("hand", ["protocol=photos"], "give --config assets/configs/test_photos.yaml instead"),
        ("motion", ["protocol=mocap"], "give --config assets/configs/test_mocap.yaml instead"),
        ("motion", ["protocol=nonsense"], "protocol: Input should be 'motion'"),
        (
            "mocap",
            ["weights=anny-motion"],
            "anny-motion holds a network over time, which answers no single frame",
        ),
        ("motion", ["weights=anny-motion"], "such as anny-body (videos use these by themselves; "),
        ("upright", ["weights=pose-prior-body"], "pose-prior-body holds a prior of poses, which takes no keypoints"),
        ("motion", ["--pictures", "pictures"], "--pictures belongs to"),
        ("motion", ["--predictions", "found.json"], "--predictions writes"),
        ("photos", ["--keypoints", "found.json"], "--keypoints writes"),
    ],
)
def test_what_would_be_ignored_is_refused(
    config: str, changes: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--config", str(paths.asset(f"configs/test_{config}.yaml")), *changes]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("config", ["photos", "closed_loop"])
def test_a_folder_of_pictures_that_cannot_be_is_told_before_the_work(config: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "taken").touch()
    command = ["test", "--config", str(paths.asset(f"configs/test_{config}.yaml")), f"data.folder={tmp_path}"]
    assert main([*command, "--pictures", str(tmp_path / "taken" / "x")]) == 2
    assert f"--pictures: {tmp_path / 'taken'} is a file, not a folder" in capsys.readouterr().err
