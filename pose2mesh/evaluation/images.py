"""What an image backbone sees in pictures, and its errors in millimetres."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pose2mesh.evaluation.evaluator import measure
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.networks.spin import ImageBackbone, ImagePrediction


def predict_images(network: ImageBackbone, images: Tensor, precision: str) -> ImagePrediction:
    """The network on pictures uint8 [B,224,224,3]."""
    return predict_seen(network, network.look(images.to(next(network.parameters()).device)), precision)


def predict_seen(network: ImageBackbone, seen: Tensor, precision: str) -> ImagePrediction:
    """The network on what `look` gave it; with `bfloat16` its features only, the head stays exact."""
    with torch.autocast(seen.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        features = network.features(seen)
    return network.estimate(features.float())


@torch.inference_mode()
def predict_bodies(
    network: ImageBackbone, images: Tensor, decoder: AnnyDecoder, precision: str, size: int = 32
) -> Iterator[tuple[slice, BodyPrediction, Tensor]]:
    """Of pictures [N,224,224,3], a part at a time: which they are, their bodies and cameras [B,3], on the CPU."""
    for start in range(0, len(images), size):
        found = predict_images(network, images[start : start + size], precision)
        parameters = BodyParameters(*(tensor.cpu() for tensor in found.parameters))
        yield slice(start, start + len(parameters.betas)), decoder(parameters), found.camera.cpu()


def measure_images(
    network: ImageBackbone, images: Tensor, decoder: AnnyDecoder, truth: BodyParameters, precision: str
) -> dict[str, Any]:
    """Mean errors in millimetres of a network in evaluation mode; `decoder` makes the whole mesh."""
    accumulator = MetricAccumulator()
    for rows, found, _ in predict_bodies(network, images, decoder, precision):
        true = decoder(BodyParameters(truth.rotations[rows], truth.betas[rows]))
        accumulator.update(measure(found, true.joints, true.vertices), ["all"] * len(true.joints))
    return accumulator.summary()
