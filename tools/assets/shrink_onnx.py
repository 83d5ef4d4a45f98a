"""ONNX networks for downloads: large weights as whole numbers of a few bits with a scale for each output.

Bits above the eighth lie in an array of their own, which compresses to what they tell. Runtimes put the numbers
together when they load a network, so that it runs in float32 as it did, with rounded weights.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LARGE = 4096  # entries from which an array is worth rounding
_SPARSE = 0.5  # share of zeros from which an array is no weight of a layer: fixed maps of meshes keep float16
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def shrink(model: onnx.ModelProto, bits: int) -> bytes:
    """The model with its weights rounded to `bits` (8 to 16), fixed sparse maps to float16."""
    graph = model.graph
    casts = _casts_of_weights(graph)
    weights, nodes = [], []
    for tensor in graph.initializer:
        if tensor.data_type not in _FLOATS or np.prod(tensor.dims) < _LARGE:
            weights.append(tensor)
            continue
        values = numpy_helper.to_array(tensor).astype(np.float32)
        name = casts.get(tensor.name, tensor.name)  # what the layers read, float32
        is_weight = values.ndim > 1 and (values == 0).mean() < _SPARSE
        parts = _rounded(values, bits) if is_weight else [values.astype(np.float16)]
        weights += [numpy_helper.from_array(part, f"{name}/{i}") for i, part in enumerate(parts)]
        nodes += _together(name, len(parts))
    made = {output for node in nodes for output in node.output}
    nodes += [node for node in graph.node if not made & set(node.output)]
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


def _casts_of_weights(graph: onnx.GraphProto) -> dict[str, str]:
    """Of arrays that only one cast to float32 reads, the cast's name."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return {
        tensor.name: node.output[0]
        for tensor in graph.initializer
        for node in readers.get(tensor.name, [])
        if len(readers[tensor.name]) == 1 and node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT
    }


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
