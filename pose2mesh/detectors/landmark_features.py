"""What the landmark network sees in a crop, for other heads: its points and the layer before them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pose2mesh.detectors.landmarks import SIDE
from pose2mesh.detectors.sessions import load_session

NETWORK = "pose_landmark_full"
FEATURES = 195 + 288 * 2 * 2  # 39 points of 5 numbers, and the layer before them
_LAYER = "Relu6__1474:0"  # its name in the graph


def landmark_features(images: Tensor) -> Tensor:
    """Crops uint8 [B,H,W,3] of one person each to features [B,1347]; no gradient passes.

    Raises MissingDependencyError without onnxruntime.
    """
    session = load_session(NETWORK, layer=_LAYER)
    pixels = F.interpolate(images.permute(0, 3, 1, 2).float(), (SIDE, SIDE), mode="bilinear")  # [B, 3, 256, 256]
    points, *_, layer = session(np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy() / 255))
    return torch.from_numpy(np.concatenate([points, layer.reshape(len(layer), -1)], 1))
