"""Adapting both kinds of networks: what changes, what is never read, what happens to bad numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted_runs import digest, stop_after
from tiny_adaptation import adapt_config, people

from pose2mesh.adaptation import AdaptConfig, Keypoints, adapt, load_backbone, load_target, run_adaptation
from pose2mesh.checkpoints import load_network, read_weights
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError, MachineError
from pose2mesh.training.run_loop import Interrupted


@pytest.mark.parametrize("kind", ["key2mesh", "compact"])
def test_only_the_extractor_changes_and_the_held_out_error_falls(tmp_path: Path, kind: str):
    weak = {"hidden": 16, "critic_steps": 1, "features": 0.1}  # fresh heads hardly answer to small changes of features
    config = adapt_config(tmp_path, kind, steps=20, validate_every=5, learning_rate=5e-3, key2mesh=weak)
    weights, outcome = adapt(config, "key2mesh")
    before, after = read_weights(config.weights)[0], read_weights(weights)[0]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("lifter.") and ".head." not in name for name in changed)
    assert outcome.best[1] < 0.97 * outcome.errors[0][1]
    assert outcome.skipped == 0 and load_network(weights).joint_set == "coco17"
    record = json.loads((tmp_path / "adapted" / "adaptation.json").read_text())
    assert record["method"] == "key2mesh" and record["held_out_error"][0][0] == 0


@pytest.mark.parametrize("critic", ["gradient_reversal", "bce", "none"])
def test_the_other_critics_adapt_too(tmp_path: Path, critic: str):
    weak = {"critic": critic, "hidden": 16, "critic_steps": 1, "features": 0.1, "supervision": 0.1}
    config = adapt_config(tmp_path, steps=20, validate_every=5, learning_rate=5e-3, key2mesh=weak)
    _, outcome = adapt(config, "key2mesh")
    assert outcome.best[1] < 0.97 * outcome.errors[0][1]


def test_no_3d_label_of_the_target_is_read(tmp_path: Path):
    """Labels of NaN beside the keypoints change nothing, not a bit."""
    plain, _ = adapt(adapt_config(tmp_path), "key2mesh", tmp_path / "plain")
    poison = {name: np.full((40, 19, 3), np.nan) for name in ("joints", "vertices", "rotations", "betas", "joints3d")}
    np.savez(tmp_path / "target.npz", keypoints=people(), **poison)
    poisoned, _ = adapt(adapt_config(tmp_path), "key2mesh", tmp_path / "poisoned")
    assert plain.read_bytes() == poisoned.read_bytes()
    assert all(tensor.isfinite().all() for tensor in read_weights(poisoned)[0].values())


def test_the_same_seed_gives_the_same_weights(tmp_path: Path):
    first = adapt(adapt_config(tmp_path), "key2mesh", tmp_path / "a")[0].read_bytes()
    assert first == adapt(adapt_config(tmp_path), "key2mesh", tmp_path / "b")[0].read_bytes()
    assert first != adapt(adapt_config(tmp_path, seed=1), "key2mesh", tmp_path / "c")[0].read_bytes()


@pytest.mark.parametrize("stop", [1, 3, 5, 6])
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("key2mesh", {"key2mesh": {"hidden": 16, "critic_steps": 2, "dropout": 0.3}}),
        ("key2mesh", {"key2mesh": {"critic": "gradient_reversal", "hidden": 16}}),
        ("both", {"dapa": {"latent": {"kind": "add"}}}),
    ],
)
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, monkeypatch, method: str, stop: int, changes):
    """Before, at and after a look at the people held out."""
    whole, outcome = adapt(adapt_config(tmp_path, **changes), method, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, stop)
        with pytest.raises(Interrupted, match=f"saved at step {stop}"):
            adapt(adapt_config(tmp_path, **changes), method, tmp_path / "parts")
    resumed, again = adapt(adapt_config(tmp_path, **changes), method, tmp_path / "parts", resume=True)
    assert digest(tmp_path / "whole") == digest(tmp_path / "parts")
    assert whole.read_bytes() == resumed.read_bytes() and outcome.errors == again.errors
    records = [json.loads((tmp_path / name / "adaptation.json").read_text()) for name in ("whole", "parts")]
    assert records[0]["held_out_error"] == records[1]["held_out_error"]


def test_another_method_or_another_look_does_not_resume(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Interrupted):
            adapt(adapt_config(tmp_path), "key2mesh")
    with pytest.raises(InputError, match="method: key2mesh there, both here"):
        adapt(adapt_config(tmp_path), "both", resume=True)
    with pytest.raises(InputError, match="validate_every: 3 there, 2 here"):
        adapt(adapt_config(tmp_path, validate_every=2), "key2mesh", resume=True)


class _Drifting:
    """Moves the extractor at every step; the held-out error is told by `errors`, one for each look."""

    def __init__(self, backbone):
        self.backbone = backbone

    def step(self, index, source, target):
        with torch.no_grad():
            for weight in self.backbone.trainable():
                weight.fill_(index + 1.0)
        return {"loss": 0.0}

    def parts(self):
        return {}


def test_the_backbone_ends_with_the_weights_of_the_smallest_error(tmp_path, monkeypatch):
    """The errors after 0, 1, 2, ... steps are known, so the weights that have to come out are: those of step 3."""
    config = adapt_config(tmp_path, steps=6, validate_every=1, patience=10)
    backbone = load_backbone(config.weights, torch.device("cpu"))
    target = load_target(config.target, "coco17")
    errors = iter([5.0, 4.0, 6.0, 1.0, 2.0, 1.5, 3.0])
    monkeypatch.setattr("pose2mesh.adaptation.materials.held_out_error", lambda *_: next(errors))
    outcome = run_adaptation(Keypoints(backbone, target, config), [_Drifting(backbone)])
    assert outcome.best == (3, 1.0) and [error for _, error in outcome.errors] == [5, 4, 6, 1, 2, 1.5, 3]
    assert all((weight == 3.0).all() for weight in backbone.trainable())


class _Sometimes:
    """A method that fails on some steps."""

    def __init__(self, bad: set[int]):
        self.bad = bad

    def step(self, index, source, target):
        return None if index in self.bad else {"loss": 0.0}

    def parts(self):
        return {}


def run_with(tmp_path: Path, bad: set[int], steps: int):
    config = adapt_config(tmp_path, steps=steps, validate_every=100)
    backbone = load_backbone(config.weights, torch.device("cpu"))
    target = load_target(config.target, "coco17")
    return run_adaptation(Keypoints(backbone, target, config), [_Sometimes(bad)])


def test_bad_steps_are_skipped_and_counted(tmp_path: Path):
    assert run_with(tmp_path, {1, 2, 5}, 8).skipped == 3


def test_ten_bad_steps_in_a_row_end_the_run_and_name_the_batch(tmp_path: Path):
    with pytest.raises(MachineError, match=r"adaptation: .* 10 times in a row up to step 11"):
        run_with(tmp_path, set(range(2, 14)), 20)


def test_a_loss_of_nan_changes_no_weight_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = adapt_config(tmp_path, steps=12)
    (tmp_path / "adapted").mkdir()
    (tmp_path / "adapted" / "weights.safetensors").write_bytes(b"as it was")
    nowhere = "pose2mesh.adaptation.adversarial.reprojection_loss"
    monkeypatch.setattr(nowhere, lambda backbone, features, *_: features.sum() * torch.nan)
    with pytest.raises(InputError, match="finished run"):
        adapt(config, "key2mesh")
    with pytest.raises(MachineError, match="10 times in a row"):
        adapt(config, "key2mesh", overwrite=True)
    assert (tmp_path / "adapted" / "weights.safetensors").read_bytes() == b"as it was"


def test_early_stopping(tmp_path: Path):
    config = adapt_config(tmp_path, steps=50, validate_every=1, patience=3)
    backbone = load_backbone(config.weights, torch.device("cpu"))
    target = load_target(config.target, "coco17")
    outcome = run_adaptation(Keypoints(backbone, target, config), [_Sometimes(set())])
    assert outcome.errors[-1][0] == 3  # nothing gets better, so three looks are enough


def test_what_cannot_be_adapted_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="unknown method"):
        adapt(adapt_config(tmp_path), "magic")
    target = {"keypoints": "a.npz", "images": "photos"}
    with pytest.raises(InputError, match=r"target\.images: the adaptation of a network of keypoints reads none of it"):
        adapt(AdaptConfig.model_validate({"target": target, "output": str(tmp_path / "out")}), "dapa")
    with pytest.raises(InputError, match="dapa: --method key2mesh reads none of it; leave it out"):
        adapt(adapt_config(tmp_path, dapa={"supervision": 2.0}), "key2mesh")
    assert "key2mesh" in Keypoints.methods
    settings = read_weights(adapt_config(tmp_path, "compact").weights)[1]
    settings["kind"] = "other"
    from pose2mesh.adaptation import backbone_of

    with pytest.raises(InputError, match="no features to adapt"):
        backbone_of(torch.nn.Linear(2, 2), settings)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture):
    config = adapt_config(tmp_path)
    keypoints = people()
    keypoints[..., :2] /= [1280, 720]
    np.savez(tmp_path / "target.npz", keypoints=keypoints)
    path = tmp_path / "config.yaml"
    path.write_text(config.model_dump_json(exclude={"target"}))
    target = f"target.keypoints={config.target.keypoints}"
    arguments = ["adapt", "--method", "key2mesh", "--config", str(path), target, "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "--image-size" in capsys.readouterr().err
    assert main([*arguments, "--image-size", "1280x720", "--focal", "900"]) == 0
    assert "held-out re-projection error" in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "adaptation.json").read_text())["config"]["target"]
    assert told["image_size"] == [1280, 720] and told["intrinsics"] == {"focal": 900}
    assert main([*arguments, "--focal", "900", "--intrinsics", "camera.json"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(arguments[:5]) == 2
    assert "target.keypoints=FILE" in capsys.readouterr().err
