"""`pose2mesh build-motion`: folders of recordings to a pack that trains, its table, and what it leaves out."""

import json
from pathlib import Path

import numpy as np
import pytest
from recorded_figure import NAMES, smooth_angles, write_bvh

from pose2mesh import paths
from pose2mesh.cli.main import main
from pose2mesh.datasets.calibration import straighten_knees
from pose2mesh.datasets.motion import load_motion

pytest.importorskip("pybvh", reason="pybvh is not installed; pip install 'pose2mesh[bvh]'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two takes of CMU's performer 05, one that is not listed, and a broken file."""
    place = tmp_path / "recordings"
    (place / "05").mkdir(parents=True)
    for seed, name in enumerate(("05/05_01", "05/05_02", "05/05_99", "waltz")):
        angles = smooth_angles(80, seed)
        angles[:, NAMES.index("LeftLeg"), 1] += 45.0  # about x: that knee is never straight
        write_bvh(place / f"{name}.bvh", angles)
    (place / "broken.bvh").write_text("HIERARCHY")
    return place


def test_a_folder_becomes_a_pack(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pack.npz"
    assert main(["build-motion", str(folder), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    pack = load_motion(out)
    assert pack.clip_name == ("05_01", "05_02", "05_99", "waltz") and pack.clip_subject == ("05", "05", "05", "waltz")
    assert "left out:" in text and "broken.bvh" in text and f"wrote {out}" in text
    counts = [int(line.split()[2]) for line in text.splitlines() if line.startswith(("05 ", "waltz "))]
    assert counts == [sum(np.bincount(pack.clip_id)[:3]), np.bincount(pack.clip_id)[3]]


def test_names_that_performers_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recordings of a name are one take with CMU's names alone."""
    place, out = tmp_path / "recordings", tmp_path / "pack.npz"
    for seed, name in enumerate(("anna/run_01_02", "anna/05_01", "ben/run_01_02", "ben/05_01")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        write_bvh(place / f"{name}.bvh", smooth_angles(80 + 40 * seed, seed))
    assert main(["build-motion", str(place), "-o", str(out)]) == 0
    pack, text = load_motion(out), capsys.readouterr().out
    assert sorted(zip(pack.clip_name, pack.clip_subject, strict=True)) == [
        ("05_01", "05"), ("run_01_02", "anna"), ("run_01_02", "ben"),
    ]  # fmt: skip
    frames = dict(zip(pack.clip_subject, np.bincount(pack.clip_id).tolist(), strict=True))
    told = [line.split()[:3] for line in text.splitlines() if line.startswith(("05 ", "anna ", "ben "))]
    assert {name: (takes, int(count)) for name, takes, count in told} == {n: ("1", c) for n, c in frames.items()}


def test_knees_are_calibrated_unless_told_otherwise(folder: Path, tmp_path: Path) -> None:
    for name, options in (("a", []), ("b", ["--as-recorded"])):
        assert main(["build-motion", str(folder), "-o", str(tmp_path / f"{name}.npz"), *options]) == 0
    pack, recorded = (load_motion(tmp_path / f"{name}.npz") for name in "ab")
    straight, taken_out = straighten_knees(recorded.rotvec, [recorded.clip_subject[c] for c in recorded.clip_id])
    assert max(max(bend) for bend in taken_out.values()) > 1  # so that the comparison says something
    np.testing.assert_allclose(pack.rotvec, straight, atol=1e-6)


def test_takes_of_a_split(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pack.npz"
    assert main(["build-motion", str(folder), "-o", str(out), "--takes", "train"]) == 0
    assert load_motion(out).clip_name == ("05_01", "05_02")
    text = capsys.readouterr().out
    assert "broken" not in text  # it is none of the takes
    listed = json.loads(paths.asset("statistics/cmu_takes.json").read_text())["train"]
    assert f"{len(listed) - 2} of the {len(listed)} listed takes are missing: 05_03" in text
    assert f"have other frame counts: 05_01 (19, listed {listed['05_01']})" in text


def test_no_take_is_in_two_splits() -> None:
    splits = json.loads(paths.asset("statistics/cmu_takes.json").read_text())
    performers = [{name.split("_")[0] for name in takes} for takes in splits.values()]
    assert len(set.union(*performers)) == sum(map(len, performers))
    assert all(count > 0 for takes in splits.values() for count in takes.values())


@pytest.mark.data
def test_the_lists_count_what_the_packs_hold() -> None:
    splits = json.loads(paths.asset("statistics/cmu_takes.json").read_text())
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test_public")):
        path = paths.data_dir() / f"mocap2_{name}.npz"
        if not path.is_file():
            pytest.skip(f"no {path.name} in the data folder")
        pack = load_motion(path)
        frames = dict(zip(pack.clip_name, np.bincount(pack.clip_id).tolist(), strict=True))
        assert {take: frames[take] for take in splits[split]} == splits[split]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "-o", "pack.npz"], "nowhere not found"),
        (["{folder}", "-o", "pack.zip"], "stored as .npz"),
        (["{folder}/05", "-o", "{tmp}/pack.npz", "--takes", "validation"], "none of the takes of this split"),
        (["{folder}/broken.bvh", "-o", "{tmp}/pack.npz"], "no recording could be read"),
        (["{tmp}/empty", "-o", "{tmp}/pack.npz"], "holds no .bvh"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    folder: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["build-motion", *[a.format(folder=folder, tmp=tmp_path) for a in arguments]]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pose2mesh: error")]
    assert len(error) == 1 and message in error[0]
    assert not (tmp_path / "pack.npz").exists()
