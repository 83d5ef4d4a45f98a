"""Made-up checkpoints in the layout of the Pose2Mesh release: names, shapes, wrapping, old file format."""

from collections import Counter, OrderedDict
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch


def shapes(joints: int, coarse: int, plan: tuple, width: int = 4096) -> dict[str, tuple[int, ...]]:
    """Names and shapes of both stages, as the published files have them."""
    names = {"pose_lifter.w1": (width, 2 * joints), "pose_lifter.w2": (3 * joints, width)}
    norms = {"pose_lifter.batch_norm1": width}
    for stage in (0, 1):
        for k in (1, 2):
            names[f"pose_lifter.linear_stages.{stage}.w{k}"] = (width, width)
            norms[f"pose_lifter.linear_stages.{stage}.batch_norm{k}"] = width
    names["pose2mesh.fc"] = (coarse * plan[1][0], joints * plan[0][-1])
    pairs = [pair for block in plan for pair in pairwise(block)]
    for layer, (fan_in, fan_out) in enumerate(pairs):
        names[f"pose2mesh.cl.{layer}"] = (fan_out, 3 * fan_in)
        if layer < len(pairs) - 1:
            norms[f"pose2mesh.bn.{layer}"] = fan_out
    out: dict[str, tuple[int, ...]] = {}
    for name, shape in names.items():
        out |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, channels in norms.items():
        out |= {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
        out[f"{name}.num_batches_tracked"] = ()
    return out


def random_state(wanted: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights that keep the size of what flows through; variances positive."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in wanted.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.1
            state[name] = scale * torch.randn(shape, generator=generator)
    return state


def write_official(path: Path, state: dict, *, is_old_format: bool = True) -> Path:
    """As the release saves: the network of a parallel run beside optimizer, schedule and logs with NumPy numbers."""
    content = {
        "epoch": 15,
        "model_state_dict": OrderedDict((f"module.{name}", value) for name, value in state.items()),
        "optim_state_dict": {"state": {0: {"square_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
        "scheduler_state_dict": {"milestones": Counter([12]), "gamma": 0.1, "_step_count": 16},
        "train_log": [0.5, np.float64(0.25), np.float32(0.125)],
        "test_log": {"surface": [np.float64(88.9)], "joint": [64.9, np.int64(3)]},
    }
    torch.save(content, path, _use_new_zipfile_serialization=not is_old_format)
    return path
