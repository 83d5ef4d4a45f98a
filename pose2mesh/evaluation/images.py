"""What an image backbone sees in pictures, and its errors in millimetres."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pose2mesh.evaluation.evaluator import measure
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.networks.spin import ImagePrediction, Spin, normalize_images


def predict_images(network: Spin, images: Tensor, precision: str) -> ImagePrediction:
    """The network on pictures uint8 [B,224,224,3]; with `bfloat16` its convolutions only, the head stays exact."""
    device = next(network.parameters()).device
    inputs = normalize_images(images.to(device), network.shrink)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        features = network.features(inputs)
    return network.estimate(features.float())


@torch.inference_mode()
def predict_bodies(
    network: Spin, images: Tensor, decoder: AnnyDecoder, precision: str, size: int = 32
) -> Iterator[tuple[slice, BodyPrediction, Tensor]]:
    """Of pictures [N,224,224,3], a part at a time: which they are, their bodies and cameras [B,3], on the CPU."""
    for start in range(0, len(images), size):
        found = predict_images(network, images[start : start + size], precision)
        parameters = BodyParameters(*(tensor.cpu() for tensor in found.parameters))
        yield slice(start, start + len(parameters.betas)), decoder(parameters), found.camera.cpu()


def measure_images(
    network: Spin, images: Tensor, decoder: AnnyDecoder, truth: BodyParameters, precision: str
) -> dict[str, Any]:
    """Mean errors in millimetres of a network in evaluation mode; `decoder` makes the whole mesh."""
    accumulator = MetricAccumulator()
    for rows, found, _ in predict_bodies(network, images, decoder, precision):
        true = decoder(BodyParameters(truth.rotations[rows], truth.betas[rows]))
        accumulator.update(measure(found, true.joints, true.vertices), ["all"] * len(true.joints))
    return accumulator.summary()
