"""Paths outside eager torch: CUDA graphs; and torch.compile, ONNX Runtime, OpenVINO on tiled sparse products."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.benchmarks.workloads import JOINT_SET, Workload
from pose2mesh.networks.captured import CapturedNetwork
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.ops import use_backend, with_tiled_operators
from pose2mesh.skeletons import joint_set


def add_captured(workload: Workload) -> Workload:
    """With path `cuda-graph`: the network on path `cuda`, captured."""
    captured = CapturedNetwork(workload.modules[0], largest_batch=64)

    def run(x: Tensor) -> Tensor:
        with use_backend("cuda"):
            return captured(x).vertices

    return replace(workload, paths={**workload.paths, "cuda-graph": run})


def add_compiled(workload: Workload) -> Workload:
    """With path `compile`: torch.compile cannot see into sparse tensors, so it gets gathers and small products."""
    compiled = torch.compile(with_tiled_operators(workload.modules[0]).eval(), dynamic=False)  # a copy: inference only

    def run(x: Tensor) -> Tensor:
        with use_backend("reference"):
            return compiled(x).vertices

    return replace(workload, paths={**workload.paths, "compile": run})


def add_exported(workload: Workload) -> Workload:
    """With the paths `onnxruntime` and `openvino`, as far as they are installed."""
    from pose2mesh.checkpoints.export import RUNTIMES

    usable = {name: load for name, load in RUNTIMES.items() if find_spec(name)}
    if not usable or not find_spec("onnxscript"):
        return workload
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{workload.name}.onnx"
        _export(workload, path)
        runs = {name: partial(_vertices, load(path.read_bytes())) for name, load in usable.items()}
    return replace(workload, paths=workload.paths | runs)


def _export(workload: Workload, path: Path) -> None:
    from pose2mesh.checkpoints.export import export_network

    network: Any = workload.modules[0]
    if workload.name != "compact":  # the bare network of the paper
        names = joint_set(JOINT_SET).joints
        unused = {"faces": np.empty((0, 3)), "joint_regressor": np.empty((0, 0))}
        network = ClassicBody(network, joint_set=JOINT_SET, output_joint_names=names, **unused)
    export_network(network, path)


def _vertices(run: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    return run(x)[0]
