"""The detectors' networks: ONNX files in assets/detectors, checked against its manifest, run by onnxruntime."""

import gzip
import hashlib
import json
import os
from functools import cache
from typing import Any

import numpy as np

from pose2mesh import paths
from pose2mesh.errors import FormatError, MissingFileError, optional_import

FOLDER = "detectors"


class Session:
    """One network: `session(values)` gives its outputs."""

    def __init__(self, content: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads cost nothing
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._input: values})  # pyright: ignore[reportReturnType]


def load_session(name: str, threads: int | None = None, layer: str = "") -> Session:
    """The network `name`, shared by all who ask for it with as many threads (default: `default_threads`).

    `layer`: a value within its graph that it gives as well, last.

    Raises MissingDependencyError without onnxruntime, MissingFileError when there is no such file, FormatError when it
    is damaged.
    """
    return _load(name, threads or default_threads(), layer)


def default_threads() -> int:
    """`OMP_NUM_THREADS` where it is set, else the processors that this process may use, at most 4."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 4)


def manifest() -> dict[str, dict[str, Any]]:
    """What the manifest says of each network that ships or can be built: digest, bytes, source."""
    return json.loads(paths.asset(f"{FOLDER}/manifest.json").read_text())


@cache
def _load(name: str, threads: int, layer: str) -> Session:
    with optional_import("no onnxruntime is installed; pip install 'pose2mesh[detect]'"):
        import onnxruntime  # noqa: F401 - asked for here, so that its absence is told before a file's
    content = read_network(name)
    return Session(with_output(content, layer) if layer else content, threads)


def read_network(name: str) -> bytes:
    """Content of a network's file. Raises MissingFileError, FormatError when its digest is not the manifest's."""
    try:
        path = paths.asset(f"{FOLDER}/{name}.onnx.gz")
    except MissingFileError as error:
        if not name.endswith("heavy"):
            raise MissingFileError(f"{error} Or make it: tools/assets/convert_detectors.py") from error
        make = "make it with tools/assets/convert_detectors.py --heavy of the repository, or take --detector blazepose"
        raise MissingFileError(f"{FOLDER}/{name}.onnx.gz does not ship with the package; {make}") from error
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != manifest()[name]["sha256"]:
        raise FormatError(f"{path}: damaged (its digest is not that of manifest.json); reinstall the package")
    return gzip.decompress(packed)


def with_output(content: bytes, layer: str) -> bytes:
    """An ONNX model that gives one more of its values, last.

    Serialized messages that follow each other are merged, so a model with nothing but an output adds it:
    ModelProto.graph is field 7, GraphProto.output field 12, ValueInfoProto.name field 1.
    """
    message = layer.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    assert len(message) < 128  # a longer one writes its length in several bytes
    return content + message
