"""The grid of ablations on a few steps: every row trains and is measured, what is done is not done again."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_pack import write_pack

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.settings import load_config
from pose2mesh.training.config import NetworkConfig
from tools.studies.ablation_grid import Bench, GridConfig, lifter_config, main, mesh_of, row_settings, surface_errors
from tools.studies.ablation_pictures import level_nodes
from tools.studies.small_body import LEVEL, load_small_body, small_graphs

RECIPE = Path(__file__).resolve().parents[2] / "tools" / "studies" / "ablation_grid.yaml"


def small(tmp_path: Path) -> list[str]:
    pack = write_pack(tmp_path / "pack.npz", {"01_01": 40})
    stages = [f"train.stages.{i}.{setting}" for i in range(3) for setting in ("steps=2", "warmup=1", "batch_size=4")]
    classic = "train.network.classic={width: 16, divide_channels: 32}"
    return [*stages, classic, f"train.data.motion=[{pack}]", f"motion=[{pack}]", "limit=3", "seeds=[0]"]


def test_rows_are_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grid.json"
    arguments = ["--config", str(RECIPE), "-o", str(tmp_path / "runs"), "--json", str(out)]
    names = ["graph, vertices", "fully connected, vertices"]
    arguments += [part for name in names for part in ("--row", name)] + small(tmp_path)
    assert main(arguments) == 0
    done, first = json.loads(out.read_text()), capsys.readouterr().out
    assert [*done] == names and "done: graph, vertices, seed 0" in first
    assert done[names[0]]["0"]["errors"][str(tmp_path / "pack.npz")]["exact"]["count"] == 3
    assert len(list((tmp_path / "runs").glob("posenet-*"))) == 1  # both rows start from one PoseNet
    assert main(arguments) == 0
    sheet = tmp_path / "sheet.png"
    assert main([*arguments, "--pictures", str(sheet)]) == 0
    assert "done:" not in capsys.readouterr().out and json.loads(out.read_text()) == done
    both = np.asarray(Image.open(sheet))
    assert both.shape[:2] == (3 * 248 + 8, 6 * 188 + 3 * 368 + 8)  # six views, three meshes twice
    alone = [*arguments[: arguments.index("--row")], "--row", names[1], *small(tmp_path)]
    assert main([*alone, "--pictures", str(sheet)]) == 0  # the perceptron of before alone
    second = both[:, 6 * 188 + 368 : 6 * 188 + 2 * 368]
    np.testing.assert_array_equal(np.asarray(Image.open(sheet))[:, 6 * 188 : 6 * 188 + 368], second)


def test_every_row_of_the_recipe_is_another_network(tmp_path: Path) -> None:
    config = load_config(GridConfig, RECIPE, small(tmp_path))
    settings = [row_settings(config, row, 0, tmp_path) for row in config.rows]
    assert len({json.dumps(each, sort_keys=True) for each in settings}) == len(settings)
    lifters = {lifter_config(config, each, tmp_path).output for each in settings}
    assert len(lifters) == 5  # the recipe's own, two detectors, two more sets of poses
    for network in {json.dumps(each["network"], sort_keys=True): each["network"] for each in settings}.values():
        built = build_network(NetworkConfig.model_validate(network).model_dump(mode="json")).eval()
        assert built(torch.rand(2, 19, 3)).vertices.shape == (2, 431, 3)
        assert not [name for name in built.state_dict() if "decoder" in name]  # the body is no weight
    idle = config.rows[1].model_copy(update={"train": {"precision": config.train["precision"]}})
    with pytest.raises(InputError, match="precision is 'float32' already"):
        row_settings(config, idle, 0, tmp_path)


def test_the_small_body_is_part_of_the_large_one(tmp_path: Path) -> None:
    small, large = load_small_body(), load_anny_body()
    ids = load_hierarchy("anny_body_qem").vertex_ids[LEVEL]
    betas, pose = torch.randn(2, 16), torch.eye(3).expand(2, 104, 3, 3)
    torch.testing.assert_close(small(betas, pose).vertices, large(betas, pose).vertices[:, ids])
    joints = [torch.as_tensor(b.joint_regressor("coco19")).float() @ b.v_template for b in (small, large)]
    assert (joints[0] - joints[1]).norm(dim=-1).max() < 0.02
    hierarchy = load_hierarchy(str(small_graphs(tmp_path, "coco19")))
    assert hierarchy.num_vertices == len(ids) and hierarchy.num_levels == 9


def test_the_truth_has_no_error(tmp_path: Path) -> None:
    """A network that knows the answer: what is left is what the small body's regressor makes of its own mesh."""
    config = load_config(GridConfig, RECIPE, small(tmp_path))
    bench = Bench(config)
    batch = bench.people[config.motion[0]][0]

    class Knowing:
        joint_set = "coco19"
        joint_regressor = torch.as_tensor(bench.body.joint_regressor("coco19")).float()

        def __call__(self, keypoints: torch.Tensor):
            assert keypoints.shape == (3, 19, 3)
            return batch._replace(vertices=batch.vertices + 1.0)  # wherever it stands

    joints, vertices = mesh_of(Knowing(), batch.clean)
    torch.testing.assert_close(joints, batch.joints, rtol=0, atol=1e-4)
    torch.testing.assert_close(vertices, batch.vertices, rtol=0, atol=1e-4)


def test_smoothness_is_that_of_the_surface_alone() -> None:
    body = load_small_body()
    truth = body.v_template[None]  # [1, V, 3]
    turned = 1.1 * truth[..., [1, 2, 0]] + 3.0
    errors = surface_errors(torch.cat([truth, turned]), torch.cat([truth, truth[..., [1, 2, 0]]]), body.faces)
    torch.testing.assert_close(errors["edge"], torch.tensor([0.0, 0.1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(errors["normal"], torch.zeros(2), atol=0.1, rtol=0)
    corner, face = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]), torch.tensor([[0, 1, 2]])
    assert surface_errors(corner[:, [0, 2, 1]], corner, face)["normal"].item() == pytest.approx(180, abs=0.1)


def test_nodes_lie_in_the_mean_of_their_vertices(tmp_path: Path) -> None:
    hierarchy = load_hierarchy(str(small_graphs(tmp_path, "coco19")))
    vertices = load_small_body().v_template.numpy()
    levels = list(level_nodes(hierarchy, vertices))
    for level, real in zip(levels, hierarchy.real_sizes, strict=True):
        assert np.isfinite(level[0]).all(1).sum() == real
    counted = np.zeros(hierarchy.sizes[2])
    np.add.at(counted, hierarchy.inverse // 4, 1)
    first = int(np.flatnonzero(counted > 1)[0])
    np.testing.assert_allclose(levels[2][0][first], vertices[hierarchy.inverse // 4 == first].mean(0), atol=1e-6)
