"""SPIN's loss by value, against its formula written out in NumPy."""

import numpy as np
import pytest
import torch

from pose2mesh.body_models import load_anny_body
from pose2mesh.losses.images import ImageLoss, full_loss
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.spin import ImagePrediction

FOCAL, SIDE = 5000.0, 224  # SPIN's camera and crop


def in_crop(joints: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Joints [B,J,3] by cameras (scale, x, y) [B,3], in half sides."""
    depth = 2 * FOCAL / (SIDE * camera[:, 0] + 1e-9)
    placed = joints + np.stack([camera[:, 1], camera[:, 2], depth], 1)[:, None]
    return FOCAL * placed[..., :2] / placed[..., 2:] / (SIDE / 2)


def test_each_term_has_its_formula_and_its_weight() -> None:
    decoder = AnnyDecoder(load_anny_body(), np.zeros(0, int))
    generator = torch.Generator().manual_seed(0)
    rotations = torch.linalg.qr(torch.randn(2, 3, 19, 3, 3, generator=generator)).Q
    betas = torch.randn(2, 3, 16, generator=generator)
    camera = torch.tensor([[0.3, 0.1, -0.2]]) + 0.2 * torch.rand(2, 3, 3, generator=generator)
    predicted, truth = BodyParameters(rotations[0], betas[0]), BodyParameters(rotations[1], betas[1])
    found, true = (decoder.joints(p).double().numpy() for p in (predicted, truth))
    cameras = camera.double().numpy()
    points = in_crop(found, cameras[0]) - in_crop(true, cameras[1])
    terms = {
        "joints_2d": (points**2).sum(-1).mean(),
        "joints_3d": ((found - true) ** 2).sum(-1).mean(),
        "pose": ((rotations[0] - rotations[1]) ** 2).double().mean().item(),
        "shape": ((betas[0] - betas[1]) ** 2).double().mean().item(),
    }
    penalty = np.mean(np.exp(-10 * cameras[0, :, 0]) ** 2)
    weights = {"joints_2d": 1.7, "joints_3d": 0.6, "pose": 3.1, "shape": 0.2}
    loss = full_loss(
        ImagePrediction(predicted, camera[0]), decoder.joints(truth), truth, camera[1], decoder, ImageLoss(**weights)
    )
    expected = sum(weights[name] * value for name, value in terms.items()) + penalty
    assert loss.item() == pytest.approx(expected, rel=1e-3)
