"""The training loop: it learns, skips what is not finite, and finds faults before the first step."""

import hashlib
import json
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_network import tiny_settings
from tiny_pack import write_pack
from tiny_run import STEPS, tiny_run

from pose2mesh.checkpoints import load_network
from pose2mesh.errors import InputError, MachineError, MissingFileError
from pose2mesh.losses.compact import CompactObjective
from pose2mesh.synthesis.batches import Streams
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import RunLoop, carry_out
from pose2mesh.training.stage_data import stage_data
from pose2mesh.training.trainer import Trainer, train


def config_of(folder: Path, **changes) -> TrainConfig:
    return TrainConfig.model_validate(tiny_run(folder, **changes))


def trainer_of(config: TrainConfig) -> Trainer:
    torch.manual_seed(config.seed)
    return Trainer(config, Processes())


def run(trainer: Trainer) -> None:
    """To the end, in memory."""
    RunLoop(trainer, trainer.config).run()


def total_loss(trainer: Trainer) -> float:
    """The last stage's loss on a batch that training never sees."""
    index, stage = len(trainer.config.stages) - 1, trainer.config.stages[-1]
    data = stage_data(trainer.config, index, trainer.sampler)
    objective = CompactObjective(trainer.network, stage.loss, data.rows, data.faces, stage.lifting_only)
    with torch.inference_mode():
        return objective(Streams(data.samples, [5])[0])[0].item()


def test_it_learns_and_writes_what_it_promises(tmp_path: Path) -> None:
    stages = tiny_run(tmp_path)["stages"]
    stages[0] |= {"steps": 60, "batch_size": 32, "learning_rate": 1e-2}
    stages[1] |= {"steps": 25, "batch_size": 8, "learning_rate": 1e-2}
    validation = write_pack(tmp_path / "validation.npz", {"09_01": 30}, seed=5)
    config = config_of(tmp_path, stages=stages, validation=[str(validation)], validate_every=60)
    before = total_loss(trainer_of(config))
    trainer, weights = carry_out(config, partial(Trainer, config))
    assert total_loss(trainer) < 0.6 * before
    assert weights == tmp_path / "run" / "weights.safetensors"
    assert load_network(weights).joint_set == "coco17"
    lines = [json.loads(line) for line in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [("lifting", 60), ("mesh", 25)]
    assert lines[0]["clean_mpjpe"] < 300 and lines[1]["clean_mpvpe"] < 400  # a meter at the start
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert TrainConfig.model_validate(record["config"]) == config
    assert record["versions"].keys() == {"pose2mesh", "torch", "python"}
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card["parameters"] == sum(p.numel() for p in trainer.network.parameters())
    assert card["config"] == record["config"] and card["machine"]["device"] == "cpu" and card["finished"]
    assert card["seed"] == 0 and 0 <= card["hours"] < 1 and card["command"]
    assert card["validation"] == lines[-1:]


def test_the_direct_network_trains(tmp_path: Path) -> None:
    stages = tiny_run(tmp_path)["stages"][1:]
    stages[0] |= {"steps": 3}
    trainer = trainer_of(config_of(tmp_path, network=tiny_settings("direct"), stages=stages))
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    run(trainer)
    assert [name for name, p in trainer.network.named_parameters() if torch.equal(p, before[name])] == []


def test_a_stage_may_draw_everyday_poses_in_its_own_share(tmp_path: Path) -> None:
    lifting, mesh = tiny_run(tmp_path)["stages"]
    drawn = []
    for of_run, of_stage in ((0.0, None), (0.0, 0.7), (0.7, None)):
        stages = [lifting, mesh | {"everyday": of_stage}]
        trainer = trainer_of(config_of(tmp_path, stages=stages, data={"everyday": of_run}))
        data = (stage_data(trainer.config, index, trainer.sampler) for index in (0, 1))
        drawn.append([Streams(part.samples, [0])[0].joints for part in data])
    recorded, mixed, everyday = drawn
    assert torch.equal(recorded[0], mixed[0]) and torch.equal(mixed[1], everyday[1])
    assert not torch.equal(recorded[1], mixed[1])


def test_lifting_leaves_the_graph_layers_alone(tmp_path: Path) -> None:
    trainer = trainer_of(config_of(tmp_path, stages=tiny_run(tmp_path)["stages"][:1]))
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    run(trainer)
    changed = {name for name, p in trainer.network.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name in before if name.startswith(("lifter.", "mesh_head.base."))}


def test_frozen_lifters_stay_frozen(tmp_path: Path) -> None:
    """Neither a loss on its joints nor weight decay moves it; without the flag it moves."""
    for is_frozen in (True, False):
        stages = tiny_run(tmp_path)["stages"][1:]
        stages[0] |= {"steps": 3, "frozen_lifter": is_frozen, "weight_decay": 0.5, "loss": {}}
        trainer = trainer_of(config_of(tmp_path, stages=stages))
        before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
        run(trainer)
        for name, p in trainer.network.named_parameters():
            assert torch.equal(p, before[name]) == (is_frozen and name.startswith("lifter.")), name


def spoil(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """NaN in the ground truth of some steps."""
    make = SyntheticBodies.__getitem__

    def made(self: SyntheticBodies, step: int):
        batch = make(self, step)
        return batch._replace(joints=batch.joints * float("nan")) if step in steps else batch

    monkeypatch.setattr(SyntheticBodies, "__getitem__", made)


def test_losses_that_are_not_finite_are_skipped_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, {3, 4})
    weights = train(config_of(tmp_path))
    assert all(torch.isfinite(value).all() for value in load_network(weights).state_dict().values())
    said = capsys.readouterr().out
    for stage, steps in (("lifting", STEPS[0]), ("mesh", STEPS[1])):
        skipped = [step for step in range(steps) if f"{stage}: step {step} skipped" in said]
        assert skipped == [3, 4]


def test_gradients_that_are_not_finite_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The slope of a square root at zero is infinite while the loss is finite."""
    forward, calls = CompactObjective.forward, []

    def bent(self: CompactObjective, batch):
        calls.append(1)
        total, parts = forward(self, batch)
        first = next(self.network.parameters())
        return total + ((first * 0).sum().sqrt() if len(calls) == 4 else 0), parts

    monkeypatch.setattr(CompactObjective, "forward", bent)
    weights = train(config_of(tmp_path))
    assert all(torch.isfinite(value).all() for value in load_network(weights).state_dict().values())
    assert "lifting: step 3 skipped" in capsys.readouterr().out


def test_hopeless_runs_give_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = tiny_run(tmp_path)["stages"]
    stages[0]["steps"] = 40
    spoil(monkeypatch, set(range(2, 40)))
    with pytest.raises(MachineError, match="not finite 10 times in a row up to step 11"):
        train(config_of(tmp_path, stages=stages))


def test_missing_files_are_found_before_training(tmp_path: Path) -> None:
    for changes in ({"validation": [str(tmp_path / "absent.npz")]}, {"initial": str(tmp_path / "absent.safetensors")}):
        with pytest.raises(MissingFileError, match="absent"):
            train(config_of(tmp_path, **changes))
    assert not (tmp_path / "run").exists()


def test_initial_weights_are_taken_where_they_fit(tmp_path: Path) -> None:
    weights = train(config_of(tmp_path))
    other = tiny_settings("direct")
    trainer = trainer_of(config_of(tmp_path, network=other, initial=str(weights)))
    source = load_network(weights).state_dict()
    own = trainer.network.state_dict()
    assert all(torch.equal(own[name], source[name]) for name in own if name.startswith("lifter."))
    assert any(not name.startswith("lifter.") for name in own)
    joints = {**other, "joint_set": "human36m17"}  # as many, in another order
    with pytest.raises(InputError, match=r"initial: .* was trained with joint_set coco17, this network has human36m17"):
        trainer_of(config_of(tmp_path, network=joints, initial=str(weights)))
    other["lifter"] = {"width": 40, "blocks": 1}
    with pytest.raises(InputError, match=r"the lifter of .* does not fit"):
        trainer_of(config_of(tmp_path, network=other, initial=str(weights)))


def test_a_stage_begins_with_the_averaged_weights_of_the_one_before(tmp_path: Path, monkeypatch) -> None:
    trainer = trainer_of(config_of(tmp_path, ema_decay=0.99))
    begin, end, seen = Trainer.begin, Trainer.end, []

    def ended(self: Trainer) -> None:
        raw = {name: value.clone() for name, value in self.network.state_dict().items()}
        seen.append((raw, {name: value.clone() for name, value in self.average.weights.items()}))
        end(self)

    def begun(self: Trainer, stage: int) -> None:
        if stage == 1:
            raw, averaged = seen[0]
            now = self.network.state_dict()
            assert all(torch.equal(now[name], value) for name, value in averaged.items())
            assert any(not torch.equal(now[name], value) for name, value in raw.items())
        begin(self, stage)

    monkeypatch.setattr(Trainer, "end", ended)
    monkeypatch.setattr(Trainer, "begin", begun)
    run(trainer)
    assert len(seen) == 2
