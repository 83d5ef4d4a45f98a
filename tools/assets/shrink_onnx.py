"""ONNX networks for downloads: large weights as whole numbers of a few bits with scales.

A scale for each output (`shrink`), bits above the eighth in an array of their own, which compresses to what they tell;
or 8 bits with a scale for each block of inputs (`in_blocks`): larger, and nearer to the network. Runtimes put the
numbers together when they load a network, so that it runs in float32 as it did, with rounded weights.
"""

import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_LARGE = 4096  # entries from which an array is worth rounding
_SPARSE = 0.5  # share of zeros from which an array is no weight of a layer: fixed maps of meshes keep float16
_BLOCK = 16  # most inputs that share a scale
_BLOCKED = 100_000  # entries from which an array is worth blocks: small layers carry more than their share


def shrink(content: bytes, bits: int) -> bytes:
    """The model with its weights rounded to `bits` (8 to 16), fixed sparse maps to float16."""
    model = _put_together(content)
    graph = model.graph
    weights, nodes = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _LARGE:
            weights.append(tensor)
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        is_weight = values.ndim > 1 and (values == 0).mean() < _SPARSE
        parts = _rounded(values, bits) if is_weight else [values.astype(np.float16)]
        weights += [numpy_helper.from_array(part, f"{name}/{i}") for i, part in enumerate(parts)]
        nodes += _together(name, len(parts))
    nodes += graph.node
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _together(name: str, count: int) -> list[onnx.NodeProto]:
    """Nodes that make `name`, float32, of halves, of scale and whole numbers, or of scale, high and low bytes."""
    if count == 1:
        return [helper.make_node("Cast", [f"{name}/0"], [name], to=TensorProto.FLOAT)]
    nodes = [helper.make_node("Cast", [f"{name}/1"], [f"{name}/whole"], to=TensorProto.FLOAT)]
    if count > 2:
        nodes = [
            helper.make_node("Cast", [f"{name}/1"], [f"{name}/high"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{name}/2"], [f"{name}/low"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}/high", f"{name}/3"], [f"{name}/raised"]),
            helper.make_node("Add", [f"{name}/raised", f"{name}/low"], [f"{name}/whole"]),
        ]
    return [*nodes, helper.make_node("Mul", [f"{name}/whole", f"{name}/0"], [name])]


def _put_together(content: bytes) -> onnx.ModelProto:
    """The model with its weights in float32, however they are stored."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/model.onnx"
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _rounded(values: np.ndarray, bits: int) -> list[np.ndarray]:
    """Scale, along the axis, first or last, that loses less, and what `_together` puts together."""
    candidates = []
    for axis in {0, values.ndim - 1}:
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(others, keepdims=True), 1e-12).astype(np.float32) / (2 ** (bits - 1) - 1)
        whole = np.rint(values / scale).astype(np.int32)
        candidates.append((float(np.square(whole * scale - values).sum()), scale, whole))
    _, scale, whole = min(candidates, key=lambda candidate: candidate[0])
    if bits == 8:
        return [scale, whole.astype(np.int8)]
    return [scale, (whole >> 8).astype(np.int8), (whole & 255).astype(np.uint8), np.array([256], np.float32)]


def in_blocks(model: onnx.ModelProto) -> None:
    """Round the float32 weights of large layers [O, I, ...] to 8 bits, with a float16 scale for each block."""
    graph = model.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _BLOCKED:
            kept.append(tensor)
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        inputs = values[0].size
        width = max(size for size in range(1, _BLOCK + 1) if inputs % size == 0)
        blocks = values.reshape(len(values), -1, width)
        scale = np.maximum(np.abs(blocks).max(-1, keepdims=True) / 127, 1e-7).astype(np.float16)  # [O, I / width, 1]
        whole = np.clip(np.rint(blocks / scale.astype(np.float32)), -127, 127).astype(np.int8)
        parts = {"scale": scale, "whole": whole, "shape": np.array(values.shape)}
        kept += [numpy_helper.from_array(part, f"{name}/{word}") for word, part in parts.items()]
        nodes += [
            helper.make_node("Cast", [f"{name}/scale"], [f"{name}/0"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{name}/whole"], [f"{name}/1"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}/0", f"{name}/1"], [f"{name}/2"]),
            helper.make_node("Reshape", [f"{name}/2", f"{name}/shape"], [name]),
        ]
    nodes += [type(node).FromString(node.SerializeToString()) for node in graph.node]
    kept = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
