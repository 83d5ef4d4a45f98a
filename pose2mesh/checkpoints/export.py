"""Networks for other runtimes: the whole chain from keypoints to vertices in one file, for any batch size."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.ops import use_backend, with_tiled_operators
from pose2mesh.paths import write_with
from pose2mesh.skeletons import joint_set

FORMATS = ("onnx", "torch-export")
OUTPUTS = ("vertices", "joints")
TOLERANCE = 1e-5  # metres, between the exported network and this one
Runs = dict[str, Callable[[Tensor], Any]]  # runtime to the exported network in it
_EXAMPLE_BATCH = 2  # a batch of one would be taken for a constant
_CHECKED_BATCHES = (1, 3, 8)  # none of them the example's


def export_network(network: nn.Module, path: str | Path, format: str = "onnx") -> float | None:
    """Write a network on the CPU as ONNX (standard operators only) or as a torch.export program.

    Input `keypoints` [B, J, 3] (x, y in any unit, confidence), outputs `vertices` [B, V, 3] and `joints`
    [B, J', 3] in metres, B dynamic, in the axes of a camera aimed at the person (`fitting.aiming`; who runs the file
    turns). An ONNX file carries this and the names of the joints as metadata. Nothing is written unless the program,
    read back, agrees with the network on batch sizes that it was not traced with, an ONNX file in each of onnxruntime
    and OpenVINO that is installed.

    Returns the largest difference in metres, None where neither is there to measure it. Raises InputError for an
    unknown format or a network that does not come through, MissingDependencyError.
    """
    if format not in FORMATS:
        raise InputError(f"unknown export format {format!r}; choose one of {', '.join(FORMATS)}")
    if abilities_of(network).differentiates:
        raise InputError(f"a {type(network).__name__} differentiates while it runs: it cannot be exported; take others")
    if format == "onnx":
        _need_onnx()
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with _quiet():
            program = _trace(network)
            content, runs = _to_onnx(network, program) if format == "onnx" else _to_torch(program)
        differences = {runtime: _largest_difference(network, run) for runtime, run in runs.items()}
    finally:
        for module, is_training in modes:
            module.training = is_training
    for runtime, difference in differences.items():
        if not difference <= TOLERANCE:
            raise InputError(f"the exported network is off by {difference:.1e} m in {runtime}; {path} was not written")
    write_with(path, content)
    return max(differences.values(), default=None)


class _Chain(nn.Module):
    """A network with a plain tuple as result."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        prediction = self.network(keypoints)
        return prediction.vertices, prediction.joints


def example_keypoints(network: nn.Module, batch: int, seed: int = 0) -> Tensor:
    """Random keypoints [B, J, 3] in pixels with confidences, the last joint of all but the first missing."""
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(batch, len(joint_set(network.joint_set)), 3, generator=generator)  # type: ignore[arg-type]
    keypoints[..., :2] *= 500
    keypoints[1:, -1, 2] = 0
    return keypoints


def _trace(network: nn.Module) -> torch.export.ExportedProgram:
    chain = _Chain(with_tiled_operators(network)).eval()
    shapes = {"keypoints": {0: torch.export.Dim("batch", min=1)}}
    example = (example_keypoints(network, _EXAMPLE_BATCH),)
    try:
        with use_backend("reference"), torch.no_grad():
            program = torch.export.export(chain, example, dynamic_shapes=shapes, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"a {type(network).__name__} cannot be exported ({reason}); take other weights") from error
    program.graph.eliminate_dead_code()  # autocast blocks whose answers nobody reads cannot be loaded
    return program


def _to_torch(program: torch.export.ExportedProgram) -> tuple[Callable[[Any], object], Runs]:
    buffer = io.BytesIO()  # torch ends the process where its own writing fails; plain writing reports a full disk
    torch.export.save(program, buffer)
    buffer.seek(0)
    return lambda stream: stream.write(buffer.getbuffer()), {"torch": torch.export.load(buffer).module()}


def _need_onnx() -> None:
    missing = [name for name in ("onnx", "onnxscript") if not find_spec(name)]
    if missing:
        raise MissingDependencyError(f"ONNX export needs {' and '.join(missing)}: pip install 'pose2mesh[export]'")


def _to_onnx(network: nn.Module, program: torch.export.ExportedProgram) -> tuple[Callable[[Any], object], Runs]:
    onnx_program = torch.onnx.export(program, output_names=list(OUTPUTS), dynamo=True, verbose=False)
    assert onnx_program is not None
    model = onnx_program.model_proto
    for key, value in _metadata(network).items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    runs = {name: load(content) for name, load in RUNTIMES.items() if find_spec(name)}
    return lambda stream: stream.write(content), runs


def _metadata(network: nn.Module) -> dict[str, str]:
    joints = joint_set(network.joint_set)  # type: ignore[arg-type]
    return {
        "input": "keypoints [B, J, 3]: x and y in any unit, y down, then the confidence (0 = missing)",
        "input_joint_names": json.dumps(joints.joints),
        "output": "metres, root-relative; x right, y down, z forward of a camera aimed at the keypoints' box's middle",
        "camera": "turn the keypoints' rays so that the middle of their box lies on the optical axis; turn the answer "
        "back (docs/kernels.md has the lines)",
        "output_joint_names": json.dumps(network.output_joint_names),
    }


def _onnxruntime(model: bytes) -> Callable[[Tensor], list[Tensor]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda keypoints: [
        torch.from_numpy(output) for output in session.run(OUTPUTS, {"keypoints": keypoints.numpy()})
    ]


def _openvino(model: bytes) -> Callable[[Tensor], list[Tensor]]:
    import openvino  # pyright: ignore[reportMissingImports] - optional

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = core.compile_model(core.read_model(model), "CPU", settings)

    def run(keypoints: Tensor) -> list[Tensor]:
        results = compiled(keypoints.numpy())
        return [torch.from_numpy(results[name].copy()) for name in OUTPUTS]

    return run


RUNTIMES = {"onnxruntime": _onnxruntime, "openvino": _openvino}  # an ONNX model to a function that gives `OUTPUTS`


@torch.no_grad()
def _largest_difference(network: nn.Module, run: Callable[[Tensor], Any]) -> float:
    largest = 0.0
    for batch in _CHECKED_BATCHES:
        keypoints = example_keypoints(network, batch, seed=batch)
        prediction = network(keypoints)
        for name, theirs in zip(OUTPUTS, run(keypoints), strict=True):
            ours = getattr(prediction, name)
            largest = max(largest, float((ours - theirs).abs().max()))
    return largest


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters report their progress and torch's own deprecations, on which a user cannot act."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
