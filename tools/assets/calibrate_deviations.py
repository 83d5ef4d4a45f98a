"""Calibrate what weights say of their errors: 68 % of the true joints within one deviation, on validation motion.

`python -m tools.assets.calibrate_deviations WEIGHTS.safetensors [--motion mocap2_val.npz]` measures recorded motion
and everyday poses, whole and cut, and writes the factor that all deviations are multiplied by into the settings of the
weights: that of noisy keypoints, as detectors give them; both protocols weigh the same. The card's sha256 changes.
"""

import argparse
import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network, read_weights, save_weights
from pose2mesh.errors import InputError
from pose2mesh.evaluation.evaluator import SURE_JOINTS
from pose2mesh.losses.terms import ONE_DEVIATION
from pose2mesh.networks.prediction import UncertainPrediction
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.mocap import MocapProtocol, ProtocolBatch
from pose2mesh.synthesis.upright import UprightProtocol


def error_ratios(network, batches: Iterable[ProtocolBatch]) -> dict[str, Tensor]:
    """Errors over deviations [N,17] of both inputs, clean and noisy."""
    ratios: dict[str, list[Tensor]] = {"clean": [], "noisy": []}
    with torch.inference_mode():
        for batch in batches:
            for name, found in ratios.items():
                answer = network(conversion(batch.joint_set, network.joint_set)(getattr(batch, name)))
                if not isinstance(answer, UncertainPrediction):
                    raise InputError("these weights do not say how far off they are, so there is nothing to calibrate")
                error = (answer.joints[:, SURE_JOINTS] - batch.joints[:, SURE_JOINTS]).norm(dim=-1)
                found.append(error / answer.deviation[:, SURE_JOINTS])
    return {name: torch.cat(found) for name, found in ratios.items()}


def best_factor(parts: list[Tensor]) -> float:
    """What deviations have to be multiplied by, for ratios [N,J] of several inputs, each with the same weight."""
    values = torch.cat([part.flatten() for part in parts])
    weights = torch.cat([torch.full_like(part.flatten(), 1 / part.numel()) for part in parts])
    order = values.argsort()
    place = torch.searchsorted(weights[order].cumsum(0), ONE_DEVIATION * len(parts))
    return float(values[order][place])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--motion", default="mocap2_val.npz")
    parser.add_argument("--every", type=int, default=25, help="frames of the motion (default: 25)")
    options = parser.parse_args()
    body, network = load_anny_body(), load_network(options.weights)
    protocols = {"motion": MocapProtocol(body, options.motion, options.every), "everyday": UprightProtocol(body, 24)}
    ratios = {
        f"{where}, {name}": found
        for where, protocol in protocols.items()
        for name, found in error_ratios(network, protocol.batches(64)).items()
    }
    factor = best_factor([found for name, found in ratios.items() if name.endswith("noisy")])
    for name, found in ratios.items():
        before, after = ((found <= limit).float().mean() for limit in (1, factor))
        print(f"{name:18s} within one deviation {before:.3f} -> {after:.3f}  ({len(found)} people)")
    tensors, settings = read_weights(options.weights)
    lifter = settings["lifter"]
    lifter["deviation_scale"] = factor * lifter.get("deviation_scale", 1.0)
    dtype = torch.float16 if all((t == t.half()).all() for t in tensors.values() if t.is_floating_point()) else None
    save_weights(options.weights, network, settings, dtype or torch.float32)
    digest = hashlib.sha256(options.weights.read_bytes()).hexdigest()
    print(f"deviation_scale {lifter['deviation_scale']:.3f} in {options.weights}, sha256 {digest}")


if __name__ == "__main__":
    main()
