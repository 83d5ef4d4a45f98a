"""The motion protocol: what is true of its runs, and its numbers for answers whose errors are known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tiny_pack import write_pack

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.evaluation import motion
from pose2mesh.evaluation.motion import MotionProtocol, evaluate_motion, frame_network
from pose2mesh.fitting.camera import fit_perspective
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.temporal import FrameAnswers
from pose2mesh.tracking import steady

BODY = load_anny_body()
LENGTHS = {"01_01": 12, "01_02": 2, "02_01": 9, "03_01": 5}  # the second is too short to have an acceleration


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return write_pack(tmp_path_factory.mktemp("pack") / "p.npz", LENGTHS)


def joints_of(run, name: str) -> np.ndarray:
    """True joints [T, J, 3] from the pelvis."""
    groups = BODY.expand_groups(run.rotations)
    joints = ReducedBody(BODY, np.arange(1), name).joints(run.betas.expand(len(groups), -1), groups)
    return (joints - joints[:, 17:18]).double().numpy()


def test_runs_are_the_packs_and_seen_by_one_camera_that_stands(pack):
    runs = list(MotionProtocol(BODY, pack).runs())
    assert [len(run.times) for run in runs] == [12, 9, 5]
    for run in runs:
        joints, seen = joints_of(run, "coco19")[:, :17], run.keypoints["clean"].double().numpy()
        assert (seen[..., 2] > 0).all()
        place = fit_perspective(joints, seen[..., :2], seen[..., 2], 1.0, (0.0, 0.0))  # [T, 3]
        points = (joints + place[:, None])[..., :2] / (joints + place[:, None])[..., 2:]
        np.testing.assert_allclose(points, seen[..., :2], atol=2e-4)
        assert np.abs(run.keypoints["noisy"][..., :2].numpy() - seen[..., :2]).max() > 1e-3


def test_a_run_follows_from_the_seed_and_its_number(pack):
    first, again, other, one = (
        list(MotionProtocol(BODY, pack, seed=seed, limit=limit).runs())
        for seed, limit in ((0, None), (0, None), (1, None), (0, 2))
    )
    for a, b, c in zip(first, again, other, strict=True):
        assert all(torch.equal(a.keypoints[name], b.keypoints[name]) for name in a.keypoints)
        assert not torch.equal(a.keypoints["noisy"], c.keypoints["noisy"])
    assert torch.equal(one[0].rotations, first[0].rotations) and torch.equal(one[1].rotations, first[2].rotations)


def aligned(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Points [J, 3] after the best similarity transform, by scipy's rotation."""
    a, b = found - found.mean(0), true - true.mean(0)
    turn, _ = Rotation.align_vectors(b, a)
    a = turn.apply(a)
    return a * (a * b).sum() / (a * a).sum() + true.mean(0)


def test_numbers_of_answers_whose_errors_are_known(pack, monkeypatch):
    """Joints that are off by known amounts; rotations that are true, which no mode may spoil on exact keypoints."""
    protocol = MotionProtocol(BODY, pack)
    runs = list(protocol.runs())
    noise = [np.random.default_rng(i).normal(0, 0.02, (len(run.times), 32, 3)) for i, run in enumerate(runs)]
    told = [  # of each run's two inputs, to keypoints as they are, steady (two looks), and steady by the past alone
        (run, off) for run, off in zip(runs, noise, strict=True) for _ in range(4 * len(run.keypoints))
    ]

    class Told:
        def __init__(self, *_):
            pass

        def __call__(self, keypoints, rays):
            run, off = told.pop(0)
            joints = torch.from_numpy(joints_of(run, "body32") + off).float()
            columns = (keypoints[0], joints, torch.full(joints.shape[:2], 0.02), run.rotations)
            betas = run.betas.expand(len(joints), -1)
            return FrameAnswers(*(column[None] for column in (*columns, betas, torch.zeros(*joints.shape[:2], 2))))

    monkeypatch.setattr(steady, "AnsweringNetwork", Told)
    # This pack's frames know nothing of one another, as jitter does not.
    monkeypatch.setattr(motion, "steady_keypoints", lambda keypoints, _: keypoints)
    monkeypatch.setattr(motion, "KeypointStream", lambda: lambda keypoints, _: keypoints)
    monkeypatch.setattr(steady, "steady_motion", lambda _, answers, *more: BodyParameters(*answers[3:5]))
    frames = SimpleNamespace(joint_set="union48")
    result = evaluate_motion(frames, None, protocol, with_mesh=False)  # pyright: ignore[reportArgumentType]
    assert not told and result.keys() == {"single", "one_euro", "centered", "causal"}
    offs = [off[:, :18] for off in noise]
    true = [joints_of(run, "body32")[:, :18] for run in runs]
    apart = [
        np.linalg.norm(aligned(t + o, t) - t, axis=-1).mean()
        for run, off in zip(true, offs, strict=True)
        for t, o in zip(run, off, strict=True)
    ]
    expected = {
        "mpjpe": np.concatenate([np.linalg.norm(off, axis=-1).mean(1) for off in offs]).mean(),
        "accel": np.concatenate([np.linalg.norm(np.diff(off, 2, axis=0), axis=-1).mean(1) for off in offs]).mean(),
        "pa_mpjpe": np.mean(apart),
    }
    for name, value in expected.items():
        assert result["single"]["clean"][name] == pytest.approx(1000 * value, rel=2e-3)
    assert result["single"]["noisy"]["mpjpe"] == pytest.approx(result["single"]["clean"]["mpjpe"])
    assert all(values["count"] == 26 for mode in result.values() for values in mode.values())
    assert result["centered"]["clean"]["mpjpe"] < 1 and result["centered"]["clean"]["accel"] < 1
    # Motion without any rest from frame to frame: what filters takes some of it, the light filter less.
    assert result["causal"]["clean"]["mpjpe"] < result["one_euro"]["clean"]["mpjpe"] / 2


def test_the_shipped_networks_by_the_command(pack, tmp_path, capsys):
    """Table and file agree; every mode is there."""
    config, out = str(paths.asset("configs/test_motion.yaml")), tmp_path / "metrics.json"
    assert main(["test", "--config", config, f"data.motion={pack}", "limit=2", "--json", f"{out}"]) == 0
    metrics, table = json.loads(out.read_text()), capsys.readouterr().out.splitlines()
    assert metrics.keys() == {"single", "fitted", "one_euro", "centered", "causal"}
    assert table[0].split() == ["mm", "PA-MPJPE", "MPJPE", "MPVPE", "ACCEL", "frames"]
    assert len(table) == 1 + 2 * len(metrics)
    for line in table[1:]:
        name, mode, *cells, count = line.split()
        told = metrics[mode][name]
        assert [float(cell) for cell in cells] == [round(told[c], 1) for c in ("pa_mpjpe", "mpjpe", "mpvpe", "accel")]
        assert int(count) == told["count"] == 17
    for name in ("clean", "noisy"):
        assert all(1 < metrics[mode][name]["mpvpe"] < 2000 for mode in metrics)


def test_networks_that_none_over_time_knows_are_refused(pack, capsys):
    with pytest.raises(InputError, match=r"anny-hand.*lifter\.heads"):
        frame_network("anny-hand")
    config = str(paths.asset("configs/test_motion.yaml"))
    assert main(["test", "--config", config, f"data.motion={pack}", "weights=anny-key2mesh"]) == 2
    assert "lifter.heads" in capsys.readouterr().err


def test_single_poses_are_no_motion(tmp_path, capsys):
    pack = write_pack(tmp_path / "pack.npz", {"01_01": 2, "02_01": 1})
    config = str(paths.asset("configs/test_motion.yaml"))
    assert main(["test", "--config", config, f"data.motion={pack}"]) == 2
    assert "holds no run of three frames" in capsys.readouterr().err
