"""The objectives of all trainings by value, against formulas written out in NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_network import tiny_settings
from tiny_run import tiny_run

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network
from pose2mesh.losses.compact import CompactObjective
from pose2mesh.losses.parameters import ParameterLoss
from pose2mesh.losses.targets import Batch
from pose2mesh.losses.terms import LossConfig
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.compact_hand import _ALONG
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import joint_set
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.stage_data import stage_data
from pose2mesh.training.trainer import Trainer

# No two alike, so that a weight in another's place is seen.
WEIGHTS = {"joint": 1.3, "coarse": 0.7, "vertex": 2.1, "mesh_joint": 0.4, "normal": 0.9, "edge": 11.0}
# The body's parameters count their own two as well.
PARAMETERS = {"joint": 1.3, "vertex": 2.1, "rotation": 0.6, "shape": 0.05}


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).sum(-1)).mean())


def mean_cosine(predicted: np.ndarray, target: np.ndarray, faces: np.ndarray) -> float:
    """Of the predicted edges and the true normals, face by face."""
    corners, true = predicted[:, faces], target[:, faces]  # [B, F, 3, 3]
    normal = np.cross(true[:, :, 1] - true[:, :, 0], true[:, :, 2] - true[:, :, 0])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    values = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, :, j] - corners[:, :, i]
        values.append(np.abs((edge * normal).sum(-1)) / np.linalg.norm(edge, axis=-1))
    return float(np.mean(values))


def mean_edge_error(predicted: np.ndarray, target: np.ndarray, faces: np.ndarray) -> float:
    def lengths(points: np.ndarray) -> np.ndarray:
        return np.stack([np.linalg.norm(points[:, faces[:, i]] - points[:, faces[:, j]], axis=-1)
                         for i, j in ((0, 1), (1, 2), (2, 0))])  # fmt: skip

    return float(np.abs(lengths(predicted) - lengths(target)).mean())


def expected_parts(network, batch: Batch, rows: list[np.ndarray], faces: np.ndarray) -> dict[str, float]:
    """Of a graph network on samples as it sees them."""
    lifted = network.lifter(batch.keypoints)
    levels = [numpy(level) for level in network.mesh_head(lifted.features)]
    vertices, joints = numpy(batch.vertices), numpy(batch.joints)
    rows = rows[-len(levels) :]
    finest, target = levels[-1], vertices[:, rows[-1]]
    errors = [mean_distance(level, vertices[:, ids]) for level, ids in zip(levels, rows, strict=True)]
    regressed = np.einsum("jv,bvc->bjc", numpy(network.joint_regressor), finest)
    return {
        **expected_lifting(network, batch, lifted),
        "coarse": float(np.mean(errors[:-1])),
        "vertex": errors[-1],
        "mesh_joint": mean_distance(regressed, joints),
        "normal": mean_cosine(finest, target, faces),
        "edge": mean_edge_error(finest, target, faces),
    }


def expected_lifting(network, batch: Batch, lifted) -> dict[str, float]:
    """Of the lifter: its joints and, where it has them, how far off it says they are, and its body."""
    found, joints = numpy(lifted.joints), numpy(batch.joints)
    parts = {"joint": mean_distance(found, joints)}
    deviation, body = network.lifter.deviation(lifted.features), network.lifter.body(lifted.features)
    if deviation is None or body is None:
        return parts
    beyond = np.linalg.norm(found - joints, axis=-1) - numpy(deviation)  # [B, J]
    share = 0.6827  # of errors below one deviation; Koenker's quantile regression
    return parts | {
        "deviation": float(np.where(beyond > 0, share * beyond, (share - 1) * beyond).mean()),
        "rotation": float(np.abs(numpy(body.rotations) - numpy(batch.rotations)).mean()),
        "shape": float(np.abs(numpy(body.betas) - numpy(batch.betas)).mean()),
    }


LOSS = LossConfig.model_validate(WEIGHTS)
OF_LIFTING = LossConfig(joint=WEIGHTS["joint"], coarse=WEIGHTS["coarse"])


def check(objective: CompactObjective, seen: Batch, given: Batch, rows: list[np.ndarray], faces: np.ndarray) -> None:
    """The objective of what it is given is the formula of what the network sees."""
    total, parts = objective(given)
    expected = expected_parts(objective.network, seen, rows, faces)
    assert parts.keys() == expected.keys()
    for name, value in expected.items():
        assert parts[name].item() == pytest.approx(value, rel=2e-4, abs=1e-6), name
    assert total.item() == pytest.approx(sum(WEIGHTS[name] * value for name, value in expected.items()), rel=2e-4)


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    torch.manual_seed(0)
    trainer = Trainer(TrainConfig.model_validate(tiny_run(tmp_path)), Processes())
    trainer.network.eval()
    return trainer


def test_the_graph_network_s_loss(trainer: Trainer) -> None:
    data = stage_data(trainer.config, 1, trainer.sampler)  # type: ignore[arg-type]
    objective = CompactObjective(trainer.network, LOSS, data.rows, data.faces)  # type: ignore[arg-type]
    batch = data.samples[0]
    assert len(data.rows) > 3  # several coarse levels, or their mean could be their sum
    check(objective, batch, batch, data.rows, data.faces)


def test_lifting_alone_counts_joints_and_the_coarsest_level(trainer: Trainer) -> None:
    data = stage_data(trainer.config, 0, trainer.sampler)  # type: ignore[arg-type]
    objective = CompactObjective(trainer.network, OF_LIFTING, data.rows, data.faces, True)  # type: ignore[arg-type]
    batch = data.samples[0]
    network = trainer.network
    lifted = network.lifter(batch.keypoints)
    expected = expected_lifting(network, batch, lifted)
    expected["coarse"] = mean_distance(numpy(network.mesh_head.coarsest(lifted.features)), numpy(batch.vertices))
    total, parts = objective(batch)
    assert {name: value.item() for name, value in parts.items()} == pytest.approx(expected, rel=1e-4)
    assert total.item() == pytest.approx(sum(WEIGHTS[name] * value for name, value in expected.items()), rel=1e-4)


def test_hands_are_compared_upright() -> None:
    """Samples in any turn: the formula on the same samples, each turned by its own angle, known from arctan."""
    mesh = {"hierarchy": "anny_hand", "channels": [4, 4], "blocks": [1, 1], "order": 2, "latent": 8}
    network = build_hand(mesh)
    count = network.to_full.shape[1]
    generator = torch.Generator().manual_seed(3)
    batch = Batch(
        torch.rand(5, 21, 3, generator=generator), torch.randn(5, 21, 3, generator=generator),
        torch.randn(5, count, 3, generator=generator), torch.zeros(0), torch.zeros(0),
    )  # fmt: skip
    sizes = [level.shape[1] for level in network.mesh_head(network.lifter(batch.keypoints).features)]
    rows = [np.random.default_rng(size).permutation(count)[:size] for size in sizes]
    faces = np.random.default_rng(0).permutation(count)[: 3 * (count // 3)].reshape(-1, 3)
    check(CompactObjective(network, LOSS, rows, faces), upright(batch), batch, rows, faces)


def build_hand(mesh: dict):
    torch.manual_seed(1)
    settings = {"joint_set": "hand21", "body": "anny-hand", "mesh": {**tiny_settings()["mesh"], **mesh}}
    return build_network({**tiny_settings(), **settings}).eval()


def upright(batch: Batch) -> Batch:
    """Everything turned in the picture until the palm, from the wrist to the knuckles, points to -y."""
    keypoints, joints, vertices = (numpy(x) for x in batch[:3])
    for i, (points, along) in enumerate(zip(keypoints.copy(), np.tile(_ALONG, (len(keypoints), 1)), strict=True)):
        x, y = (along[:, None] * (points[:, :2] - points[:, :2].mean(0))).sum(0)
        angle = -np.pi / 2 - np.arctan2(y, x)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for part in (keypoints, joints, vertices):
            part[i, :, :2] = part[i, :, :2] @ turn.T
    return batch._replace(**{
        name: torch.from_numpy(part).float()
        for name, part in (("keypoints", keypoints), ("joints", joints), ("vertices", vertices))
    })  # fmt: skip


@pytest.mark.parametrize("weigh_limbs", [False, True])
def test_the_parameter_network_s_loss(weigh_limbs: bool) -> None:
    ids = np.arange(0, 13000, 400)
    weights = LossConfig.model_validate({**PARAMETERS, "weigh_limbs": weigh_limbs})
    loss = ParameterLoss(AnnyDecoder(load_anny_body(), ids), weights)
    generator = torch.Generator().manual_seed(0)
    rotations = torch.linalg.qr(torch.randn(4, 19, 3, 3, generator=generator)).Q
    parameters = BodyParameters(rotations, torch.randn(4, 16, generator=generator))
    true = BodyParameters(rotations.flip(0), torch.randn(4, 16, generator=generator))
    body, truth = loss.decoder(parameters), loss.decoder(true)
    batch = Batch(torch.zeros(0), truth.joints, truth.vertices, true.rotations, true.betas)
    by_end = {"wrist": 8, "ankle": 8, "elbow": 4, "knee": 4, "shoulder": 2, "hip": 2}  # Key2Mesh, section 4
    share = np.array([by_end.get(name.split("_")[-1], 1) for name in joint_set("coco19").joints], float)
    share = share / share.mean() if weigh_limbs else np.ones(19)
    distances = np.linalg.norm(numpy(body.joints) - numpy(truth.joints), axis=-1)  # [B, 19]
    expected = {
        "joint": float((distances * share).mean()),
        "vertex": mean_distance(numpy(body.vertices), numpy(truth.vertices)),
        "rotation": float(np.abs(numpy(parameters.rotations) - numpy(true.rotations)).mean()),
        "shape": float(np.abs(numpy(parameters.betas) - numpy(true.betas)).mean()),
    }
    total, parts = loss(parameters, batch)
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected, rel=1e-4)
    assert total.item() == pytest.approx(sum(PARAMETERS[name] * part for name, part in expected.items()), rel=1e-4)
