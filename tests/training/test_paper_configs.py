"""Every row of the paper's tables: its file is valid, and both stages train on files in the published formats."""

import dataclasses
import json
import shlex
from pathlib import Path

import pytest
import torch
from interrupted_runs import digest, stop_after
from protocol_numbers import body_errors, mean_mm
from protocol_people import pw3d_people, regressors

from pose2mesh.checkpoints import load_network, official
from pose2mesh.cli import build_graphs
from pose2mesh.cli import train as train_command
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.settings import load_config
from pose2mesh.synthesis.batches import batches
from pose2mesh.training import annotated_data, trainer
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import Interrupted, RunLoop

PAPER = Path(__file__).resolve().parents[2] / "assets" / "configs" / "paper"
# The least that a training stage can be.
SMALL = ("network.classic.width=16", "network.classic.divide_channels=32", "data.workers=0", "threads=1")
ROWS = sorted(path.stem for path in PAPER.glob("*.yaml"))


def config_of(row: str, *more: str) -> TrainConfig:
    """A row with two steps a stage and few channels; data, models and graphs stay where the file says."""
    small = [f"stages.{i}.{setting}" for i in (0, 1) for setting in ("epochs=0", "steps=2", "batch_size=3")]
    return load_config(TrainConfig, PAPER / f"{row}.yaml", [*SMALL, *small, *more])


def test_there_is_a_file_for_each_row() -> None:
    tables = {"human36m", "human36m_coco", "pw3d_human36m", "pw3d_human36m_coco", "pw3d_human36m_coco_amass"}
    ablations = {"parameters_fully_connected", "parameters_graph", "vertices_fully_connected", "direct"}
    assert {*ROWS} == tables | {"freihand", "surreal", "pw3d_human36m_coco_muco", *(f"ablation_{a}" for a in ablations)}


@pytest.mark.parametrize("row", ROWS)
def test_the_file_has_the_paper_s_weights_and_schedule(row: str) -> None:
    config = load_config(TrainConfig, PAPER / f"{row}.yaml", [])
    lifting, mesh = config.stages
    assert lifting.lifting_only and not mesh.lifting_only and not mesh.flips
    for stage in (lifting, mesh):
        assert (stage.optimizer, stage.learning_rate, stage.batch_size) == ("rmsprop", 1e-3, 64)
        assert stage.drop_at * stage.epochs == pytest.approx(round(stage.drop_at * stage.epochs), abs=1e-3)
    assert lifting.loss.joint == 1000  # per metre; the release takes millimetres here
    loss = mesh.loss
    assert (loss.vertex, loss.joint, loss.mesh_joint, loss.normal, loss.edge) == (1, 1, 1, 0.1, 20)  # per metre
    epochs_without_edges = 15 if row == "freihand" else 7
    assert round(mesh.edges_from * mesh.epochs, 3) == epochs_without_edges
    assert config.network.classic.width == 4096 and config.network.classic.divide_channels == 1


@pytest.mark.parametrize("row", ROWS)
def test_both_stages_train_on_the_published_formats(here: Path, row: str, tmp_path: Path) -> None:
    config = config_of(row, f"output={tmp_path}")
    run = trainer.Trainer(config, Processes())
    before = {name: p.detach().clone() for name, p in run.network.named_parameters() if p.requires_grad}
    RunLoop(run, run.config).run()
    after = dict(run.network.named_parameters())
    still = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert still == []
    assert all(torch.isfinite(value).all() for value in after.values())


def test_the_documented_commands_and_the_weights_they_write(here: Path, tmp_path: Path) -> None:
    """Graphs and training as docs/data.md has them, from a folder with models/ and data/."""
    graph = "models/graphs/mano_hand21.npz"
    Path(graph).unlink()
    options = "--body mano-right --joint-set hand21 --pooling hem --levels 6 --order legacy -o"
    assert build_graphs.run([*options.split(), graph]) == 0
    small = ["network.classic.width=16", "network.classic.divide_channels=32", "data.workers=0", f"output={tmp_path}"]
    small += [f"stages.{i}.{setting}" for i in (0, 1) for setting in ("epochs=0", "steps=2", "batch_size=3")]
    assert train_command.run(["--config", str(PAPER / "freihand.yaml"), *small]) == 0
    network = load_network(tmp_path / "weights.safetensors")
    prediction = network(torch.rand(2, 21, 3) + 0.1)
    assert prediction.vertices.shape == (2, 778, 3) and prediction.joints.shape == (2, 21, 3)


def test_workers_change_nothing(here: Path, tmp_path: Path) -> None:
    config = config_of("freihand", f"output={tmp_path}")
    samples = annotated_data.load_material(config).stage(config, 1).samples
    alone, together = (list(batches(samples, 1, 4, workers)) for workers in (0, 2))
    assert len(alone) == 3
    for ours, theirs in zip(alone, together, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_resumed_run_repeats_an_uninterrupted_one(here: Path, tmp_path: Path, monkeypatch) -> None:
    trainer.train(config_of("freihand", f"output={tmp_path}/whole", "stages.1.steps=4"))
    config = config_of("freihand", f"output={tmp_path}/parts", "stages.1.steps=4")
    with monkeypatch.context() as patch:
        stop_after(patch, 4)  # in the middle of the second stage
        with pytest.raises(Interrupted):
            trainer.train(config)
    trainer.train(config, resume=True)
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")


def test_epochs_become_steps(here: Path, tmp_path: Path) -> None:
    """An epoch draws as many people as the largest dataset has, times the number of datasets."""
    config = config_of("pw3d_human36m_coco", f"output={tmp_path}", "stages.1.steps=0", "stages.1.epochs=2")
    run = trainer.Trainer(config, Processes())
    assert [stage.steps for stage in run.config.stages] == [2, 2 * 60 * 2 // 3]  # 60 people of Human3.6M, batches of 3
    four = run.material.with_steps(config.model_copy(update={"streams": 4}))  # type: ignore[union-attr]
    assert four.stages[1].steps == 2 * 10


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        ("human36m", "network.body=anny-body", "SMPL or MANO parameters, not those of anny-body"),
        ("human36m", "network={kind: compact}", "train the classic network, not network.kind=compact"),
        ("human36m", "network.joint_set=coco17", "with data.sources it is one of human36m17, coco19"),
        ("human36m", "network.joint_set=coco19", "holds the joint graph of human36m17, not of coco19; build it"),
        ("human36m", "validation=[mocap_val.npz]", "mocap_val.npz is motion, which is put on anny-body only"),
        ("human36m", "validation=[{dataset: coco, folder: data/COCO}]", "validation.0"),
        (
            "human36m",
            "validation=[{dataset: freihand, folder: data/FreiHAND}]",
            "validation: freihand does not go with",
        ),
        (
            "human36m",
            "validation=[{dataset: pw3d, folder: data/PW3D}]",
            "are coco17 and lack 'torso'.*exact_input=true",
        ),
        ("surreal", "validation=[{dataset: surreal, folder: nowhere}]", "nowhere/data/val.json not found"),
        (
            "freihand",
            "validation=[{dataset: freihand, folder: nowhere}]",
            "nowhere/data/evaluation_verts.json not found",
        ),
        (
            "surreal",
            "validation=[{dataset: surreal, folder: data/SURREAL, split: validation}]",
            "no split 'validation'",
        ),
        ("freihand", "data.sources.0.dataset=surreal", "surreal does not go with network.body=mano-right"),
        ("human36m", "data.sources.0.folder=nowhere", "nowhere/annotations/Human36M_subject1_data.json not found"),
        ("human36m", "data.sources=[]", "flips and edges_from go with data.sources"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(here: Path, row, change, message, tmp_path) -> None:
    with pytest.raises(InputError, match=message):
        trainer.Trainer(config_of(row, f"output={tmp_path}", change), Processes())


def test_validation_on_a_dataset(here: Path, tmp_path: Path) -> None:
    """The lifted joints in the first stage, the mesh in the second."""
    people = "validation=[{dataset: pw3d, folder: data/PW3D, split: validation, people: 4}]"
    config = config_of("pw3d_human36m", f"output={tmp_path}", people, "validate_every=1", "stages.1.learning_rate=1e-5")
    weights = trainer.train(config)
    lines = [json.loads(line) for line in (tmp_path / "validation.jsonl").read_text().splitlines()]
    assert [line["stage"] + str(line["step"]) for line in lines] == ["posenet1", "posenet2", "pose2mesh1", "pose2mesh2"]
    assert all(line["dataset"] == "pw3d validation" for line in lines)
    assert [*lines[1]] == ["stage", "step", "dataset", "detections_pa_mpjpe", "detections_mpjpe"]
    names = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe", "smpl_mpjpe")
    chosen = [list(pw3d_people(here / "data" / "PW3D", "validation"))[i] for i in (0, 2, 3, 5)]  # of six
    keypoints = torch.tensor([one.keypoints.tolist() for one in chosen])
    with torch.inference_mode():
        meshes = load_network(weights)(keypoints).vertices.double().numpy()
    rows = [body_errors(mesh, one.mesh, *regressors()) for mesh, one in zip(meshes, chosen, strict=True)]
    assert {name: lines[-1][f"detections_{name}"] for name in names} == pytest.approx(
        {name: mean_mm(rows)[name] for name in names}, abs=0.02
    )


def test_true_2d_joints_need_no_detections(here: Path, tmp_path: Path) -> None:
    path = here / "data" / "SURREAL" / "data" / "hrnet_output_on_trainset.json"
    content = path.read_bytes()
    path.unlink()
    try:
        config = config_of("surreal", f"output={tmp_path}", "data.exact_input=true")
        batch = annotated_data.load_material(config).stage(config, 0).samples[0]
        with pytest.raises(MissingFileError, match=r"hrnet_output_on_trainset.json not found"):
            annotated_data.load_material(config_of("surreal", f"output={tmp_path}"))
    finally:
        path.write_bytes(content)
    assert (batch.keypoints[..., 2] == 1).all()


def test_the_second_stage_starts_from_a_converted_posenet(here: Path, tmp_path: Path) -> None:
    variant = dataclasses.replace(official.VARIANTS["mano"], width=16)
    shapes = official._posenet_shapes(variant)
    state = {name: torch.full(value.shape, 0.25).to(value.dtype) for name, value in shapes.items()}
    file = tmp_path / "posenet.safetensors"
    file.write_bytes(official.convert_posenet(tmp_path / "final.pth.tar", state, variant))
    network = trainer.Trainer(config_of("freihand", f"output={tmp_path}", f"initial={file}"), Processes()).network
    started = {name.removeprefix("network.pose_lifter."): value for name, value in network.state_dict().items()}
    assert all(torch.equal(started[name], value) for name, value in state.items())


def test_the_documented_second_stage_from_a_converted_posenet(here: Path, tmp_path: Path) -> None:
    """The very line of docs/licensed-models.md, made small."""
    page = (Path(__file__).parents[2] / "docs" / "licensed-models.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("pose2mesh train") and "initial=" in line]
    config, *overrides = shlex.split(line)[3:]
    row = load_config(TrainConfig, config, [])
    assert load_config(TrainConfig, config, overrides).stages == row.stages[1:]
    variant = dataclasses.replace(official.VARIANTS["human36"], width=16)
    state = {k: torch.full(v.shape, 0.25).to(v.dtype) for k, v in official._posenet_shapes(variant).items()}
    file = tmp_path / "posenet.safetensors"
    file.write_bytes(official.convert_posenet(tmp_path / "final.pth.tar", state, variant))
    small = ["network.classic.width=16", "network.classic.divide_channels=32", "data.workers=0", f"output={tmp_path}"]
    small += [f"initial={file}", "stages.0.epochs=0", "stages.0.steps=1", "stages.0.batch_size=3"]
    assert train_command.run(["--config", config, *overrides, *small]) == 0
    assert load_network(tmp_path / "weights.safetensors").joint_set == "human36m17"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["stages.0.steps=5"], "give either steps or epochs"),
        (["stages.0.epochs=0"], "give either steps or epochs"),
        (["stages.1.flips=true"], "flips needs lifting_only"),
        (["data.sources.0.dataset=mpii"], "sources.0.dataset"),
        (["data.sources.0.share=0"], "sources.0.share"),
    ],
)
def test_contradictory_settings_are_refused(changes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config(TrainConfig, PAPER / "human36m.yaml", changes)
