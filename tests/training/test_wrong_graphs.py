"""Networks, weights and graphs that do not belong together are told before a run, not at its end or never."""

import dataclasses
import math
import shutil
from pathlib import Path

import pytest
import torch
from lenient_fits import set_misfits
from test_paper_configs import config_of

from pose2mesh.checkpoints import build_network, load_network, official, read_weights, save_weights
from pose2mesh.checkpoints.build import DIGEST
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.hierarchy import Hierarchy, build_hierarchy, load_hierarchy, save_hierarchy
from pose2mesh.plugins import find
from pose2mesh.training import annotated_data, trainer
from pose2mesh.training.distributed import Processes
from pose2mesh.training.initial import load_initial

HAND_GRAPHS = "models/graphs/mano_hand21.npz"


def prepared(config) -> trainer.Trainer:
    return trainer.Trainer(config, Processes())


def other_order() -> Hierarchy:
    """The hand's graphs in an order of its own: as many vertices, other rows."""
    known = load_hierarchy(HAND_GRAPHS)
    points = torch.randn(known.num_vertices, 3, generator=torch.Generator().manual_seed(0)).numpy()
    made = build_hierarchy(points, known.faces, "hem", levels=6)
    return dataclasses.replace(made, joint_set=known.joint_set, joint_laplacian=known.joint_laplacian)


def test_a_graph_of_another_mesh(here: Path, tmp_path: Path) -> None:
    body, hand = load_hierarchy("models/graphs/smpl_human36m17.npz"), load_hierarchy(HAND_GRAPHS)
    mixed = dataclasses.replace(body, joint_set=hand.joint_set, joint_laplacian=hand.joint_laplacian)
    file = save_hierarchy(tmp_path / "mixed.npz", mixed)
    message = (
        r"mixed.npz is of another mesh \(6890 vertices\) than mano-right \(778\); build it with `pose2mesh build-gr"
    )
    with pytest.raises(InputError, match=message):
        prepared(config_of("freihand", f"output={tmp_path}", f"network.mesh.hierarchy={file}"))


def test_fits_of_which_none_agrees(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As files in other units would show it."""
    set_misfits(monkeypatch, 1e-6, "coco")
    with pytest.raises(InputError, match=r"of 3 fitted bodies of coco in data/COCO none comes within"):
        annotated_data.load_material(config_of("human36m_coco", f"output={tmp_path}"))


def test_the_share_of_fits_is_told(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    config = config_of("human36m_coco", f"output={tmp_path}")
    dataset = find("dataset", "coco")
    table = annotated_data.load_material(config).tables[1]
    surfaces = annotated_data.load_material(config).surfaces
    targets_of = annotated_data.make_targets(table, surfaces, "human36m17", needs_mesh=True)
    assert targets_of.vertices_valid.all() and not math.isinf(dataset.largest_misfit_px)
    prepared(config)
    assert "human36m 100 %, coco 100 %" in capsys.readouterr().out


def test_weights_and_other_graphs(here: Path, tmp_path: Path) -> None:
    """Graphs of equal sizes in another order give another mesh, so weights know theirs."""
    graphs = tmp_path / "graphs.npz"
    shutil.copy(HAND_GRAPHS, graphs)
    config = config_of("freihand", f"output={tmp_path}/run", f"network.mesh.hierarchy={graphs}")
    weights = trainer.train(config)
    vertices = load_network(weights)(torch.ones(1, 21, 3)).vertices
    assert torch.isfinite(vertices).all()
    save_hierarchy(graphs, other_order())
    with pytest.raises(InputError, match=r"trained on other graphs than those in .*graphs.npz"):
        load_network(weights)
    graphs.unlink()
    with pytest.raises(
        MissingFileError, match=r"--body mano-right --joint-set hand21 --pooling hem --levels 6 --order"
    ):
        load_network(weights)


def test_graph_layers_do_not_start_on_other_graphs(here: Path, tmp_path: Path) -> None:
    config = config_of("freihand", f"output={tmp_path}/run")
    weights = trainer.train(config)
    other = save_hierarchy(tmp_path / "other.npz", other_order())
    changes = [f"network.mesh.hierarchy={other}", f"initial={weights}", f"output={tmp_path}/second"]
    with pytest.raises(InputError, match=r"initial: the graph layers .* were trained on other graphs"):
        prepared(config_of("freihand", *changes))
    network = prepared(config_of("freihand", *changes, "initial_part=lifter")).network
    key = "network.pose_lifter.w1.weight"
    assert torch.equal(network.state_dict()[key], read_weights(weights)[0][key])


def test_published_graph_layers_do_not_start_on_other_graphs(here: Path, tmp_path: Path, monkeypatch) -> None:
    """A converted file holds its graph instead of a digest."""
    settings = config_of("freihand", f"output={tmp_path}").network.model_dump(mode="json")
    network = build_network(settings)
    tensors = dict(network.state_dict())
    inverse = torch.as_tensor(load_hierarchy(HAND_GRAPHS).inverse)
    for change, is_same in ((inverse, True), (inverse.flip(0), False)):
        found = {**tensors, "graph.inverse": change}, {"kind": official.KIND}
        monkeypatch.setattr("pose2mesh.training.initial.read_weights", lambda name, found=found: found)
        if is_same:
            assert load_initial(network, settings, "final.safetensors") == ""
        else:
            with pytest.raises(InputError, match="--order legacy"):
                load_initial(network, settings, "final.safetensors")


def test_what_is_left_out_of_initial_weights_is_told(here: Path, tmp_path: Path) -> None:
    settings = config_of("freihand", f"output={tmp_path}").network.model_dump(mode="json")
    network = build_network(settings)
    save_weights(tmp_path / "lifter.safetensors", network, settings)
    tensors, _ = read_weights(tmp_path / "lifter.safetensors")
    left = [name for name in tensors if "pose2mesh.fc" in name]
    wider = {**settings, "classic": {**settings["classic"], "divide_channels": 16}}
    notice = load_initial(build_network(wider), wider, str(tmp_path / "lifter.safetensors"))
    assert left and f"of {len(tensors)} tensors are not in" in notice and "start afresh" in notice


def test_digest_of_what_is_trained(here: Path, tmp_path: Path) -> None:
    run = prepared(config_of("freihand", f"output={tmp_path}"))
    assert len(run.settings[DIGEST]) == 64


@pytest.mark.parametrize("name", ["file", "file/run", "/proc/none/run"])
def test_an_output_that_cannot_be_written(here: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="output="):
        trainer.train(config_of("freihand", f"output={tmp_path / name}"))


def test_batches_of_one(here: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch_size of at least 2"):
        prepared(config_of("freihand", f"output={tmp_path}", "stages.0.batch_size=1"))
