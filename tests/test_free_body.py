"""A free body that the package does not know touches its own file, here this one, and one registration."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_network import tiny_settings
from tiny_pack import write_pack

from pose2mesh import Pose2Mesh, plugins
from pose2mesh.body_models import AnnyBody, load_anny_body, load_body_model
from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.fitting.quick_fit import quick_fit_of
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.samplers import sampler_of

SMALLER = 0.5
NAME = "anny-halved"


def load_halved(path: str | Path | None = None) -> AnnyBody:
    """Anny at half of the size: every length is another one, so nobody can take the one for the other."""
    body = load_anny_body()
    for length in (body.v_template, body.shapedirs, body.heads):
        length.mul_(SMALLER)
    return body


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict:
    for kind in plugins.KINDS:
        plugins.names(kind)  # the package's own are there to stay
    monkeypatch.setattr(plugins, "_registered", {kind: dict(of) for kind, of in plugins._registered.items()})
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))
    plugins.register("body", NAME, load_halved)
    settings = tiny_settings() | {"body": NAME, "joint_set": "body32", "output_set": "body32"}
    return settings | {"lifter": {**settings["lifter"], "heads": True}}


def height(vertices: torch.Tensor | np.ndarray) -> float:
    return float(np.ptp(np.asarray(vertices)[..., 1]))


def test_it_is_trained_on_and_measured_with(settings: dict, tmp_path: Path):
    pack = str(write_pack(tmp_path / "pack.npz"))
    stage = {"name": "s", "steps": 1, "batch_size": 8}
    config = TrainConfig.model_validate(
        {"network": settings, "data": {"motion": [pack]}, "stages": [stage], "validation": [pack]}
    )
    body = load_body_model(NAME)
    sampler = sampler_of(config, body, [pack])
    batch = sampler.samples(config.data, np.arange(len(body.v_template)), batch_size=8, seed=0)[0]
    assert np.ptp(batch.vertices[:, :, 1].numpy(), axis=1).max() < 1.2 * SMALLER * 2
    torch.manual_seed(0)
    network = build_network(settings).eval()
    assert evaluate(network, sampler.protocol(pack))["clean"]["count"] == 2


def test_its_own_shape_is_what_people_are_fitted_with(settings: dict, tmp_path: Path):
    torch.manual_seed(0)
    network = build_network(settings).eval()
    fit = quick_fit_of(network)
    assert fit is not None
    assert height(fit.body.v_template) == pytest.approx(SMALLER * height(load_anny_body().v_template), rel=1e-5)
    save_weights(tmp_path / "halved.safetensors", network, settings)
    model = Pose2Mesh.from_pretrained(tmp_path / "halved.safetensors")
    keypoints = np.random.default_rng(0).uniform(100, 400, (32, 3)).astype(np.float32)
    keypoints[:, 2] = 1
    (person,) = model.predict(keypoints, joint_set="body32")
    builder = model.motion_builder()
    motion = builder.build(builder.rows([(0, 0.0, [replace(person, track=0)])]), 30.0, smooth="off", fit=False)
    assert (builder.body_name, motion.body) == (NAME, NAME)
    meshes = MotionBodies(motion).vertices(slice(None))
    np.testing.assert_allclose(meshes[0], person.vertices, atol=2e-3)
