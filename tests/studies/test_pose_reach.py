"""How far DAPA's augmentation reaches: angles, and a table whose rows can be told from what they are made of."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tiny_pack import write_pack

from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.synthesis.bodies import pose_pool
from tools.studies.pose_reach import WAYS, angles, main, reach


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_pack(tmp_path_factory.mktemp("reach") / "pack.npz", {"01_01": 30, "02_01": 10}))


@pytest.fixture(scope="module")
def rows(pack: str) -> dict[str, dict]:
    return {str(row["way"]): row for row in reach(pack)}


def test_angles_are_the_rotation_between():
    rng = np.random.default_rng(0)
    first, second = (Rotation.from_rotvec(rng.normal(size=(count, 3))) for count in (12, 20))
    found = angles(*(torch.from_numpy(r.as_matrix()).view(-1, 4, 3, 3) for r in (first, second)))
    assert found.shape == (3, 5)
    between = (first[8:12].inv() * second[4:8]).magnitude()
    assert float(found[2, 1]) == pytest.approx(np.rad2deg(between).mean(), abs=1e-6)


def test_what_is_not_moved_is_what_the_prior_answers(pack: str, rows: dict[str, dict]):
    still = rows["DAPA, s = 0"]
    assert still["moved"] == pytest.approx(0, abs=0.05)  # degrees; arccos rounds
    pool = Rotation.from_rotvec(pose_pool([pack], 0.2)[:, 1:].flatten(0, 1).numpy()).as_matrix()
    given = torch.from_numpy(pool).float().view(-1, 18, 3, 3)[::2]  # of 40, those with even numbers
    prior, generator = load_pose_prior("pose-prior-body"), torch.Generator().manual_seed(0)
    with torch.no_grad():
        mean, deviation = prior.encode(given)
        answer = prior.decode(mean + deviation * torch.randn(mean.shape, generator=generator))
    turns = Rotation.from_matrix(given.flatten(0, 1).numpy()).inv() * Rotation.from_matrix(answer.flatten(0, 1).numpy())
    assert still["coded"] == pytest.approx(np.rad2deg(turns.magnitude()).mean(), rel=1e-3)


def test_more_strength_moves_more_and_random_draws_forget_the_pose(rows: dict[str, dict]):
    assert [*rows] == [*WAYS] and len({row["coded"] for row in rows.values()}) == 1  # all begin with the same answer
    moved = [rows[name]["moved"] for name in ("DAPA, s = 0", "DAPA, s = 0.1", "DAPA, s = 0.5", "DAPA, s = 2")]
    assert moved == sorted(moved) and moved[1] > 0.1
    narrow, wide = rows["random, N(0, 0.5²)"], rows["random, N(0, 1)"]
    assert narrow["spread"] < wide["spread"]
    assert min(narrow["left"], wide["left"]) > rows["DAPA, s = 0"]["left"]  # the others are like those given


def test_the_command(pack: str, rows: dict[str, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.json"
    assert main([pack, "--json", str(out)]) == 0
    assert f"| {pack} | DAPA, s = 2 |" in capsys.readouterr().out
    assert json.loads(out.read_text())["rows"] == [*rows.values()]
