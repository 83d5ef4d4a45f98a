"""Animations of glTF characters (.glb, .gltf) as recordings; FBX files convert to glTF in any 3D program."""

import base64
import binascii
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.datasets.recorded_skeleton import Skeleton, forward
from pose2mesh.datasets.recording import Recording, check_numbers
from pose2mesh.errors import FormatError, optional_import

_FPS = 120.0
# Of glTF 2.0, 3.6.2.2: component types, and what normalized integers are divided by.
_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_gltf(path: Path) -> list[Recording]:
    """Every animation of the first skinned character.

    Raises FormatError for a malformed file or one without a skin or animations; MissingDependencyError.
    """
    with optional_import("reading glTF needs pygltflib: pip install 'pose2mesh[motion]'"):
        from pygltflib import GLTF2
    try:
        gltf = GLTF2().load(str(path))
        return _recordings(gltf, path)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OSError,
        binascii.Error,
        struct.error,
    ) as error:
        raise FormatError(f"not a readable glTF file ({error!r}); export it again") from error


def _recordings(gltf: Any, path: Path) -> list[Recording]:
    if not gltf.skins or not gltf.animations:
        raise FormatError("has no skinned character with animations; export both, with the skeleton")
    above = {child: node for node, each in enumerate(gltf.nodes) for child in each.children or ()}
    nodes: list[int] = []  # the skeleton with all that carries it, parents first
    for joint in gltf.skins[0].joints:
        chain = [joint]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
            if len(chain) > len(gltf.nodes):
                raise ValueError("nodes that hold themselves")
        nodes += [node for node in reversed(chain) if node not in nodes]
    parents = tuple(nodes.index(above[node]) if node in above else -1 for node in nodes)
    names = tuple(gltf.nodes[node].name or f"node{node}" for node in nodes)
    offsets = np.array([gltf.nodes[node].translation or (0, 0, 0) for node in nodes], float)
    rest = np.array([gltf.nodes[node].rotation or (0, 0, 0, 1) for node in nodes], float)  # [S, 4] x y z w
    if any(gltf.nodes[node].matrix for node in nodes):
        raise FormatError("its joints hold matrices, which cannot be animated; export translations and rotations")
    skeleton = Skeleton(names, parents, offsets)
    world = forward(skeleton, Rotation.from_quat(rest).as_matrix()[None])[0]  # [S, 3, 3]
    files = _Buffers(gltf, path)
    found = []
    for number, animation in enumerate(gltf.animations):
        local = _animate(animation, nodes, rest, files)  # [N, S, 3, 3]
        check_numbers(local, skeleton, _FPS)
        name = animation.name or str(number)
        found.append(Recording(f"{path.stem}_{name}", skeleton, local, _FPS, world))
    return found


def _animate(animation: Any, nodes: list[int], rest: np.ndarray, files: "_Buffers") -> np.ndarray:
    """Local rotations [N, S, 3, 3] at 120 Hz; joints without a track rest, [S, 4]."""
    tracks = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        if channel.target.path == "rotation" and channel.target.node in nodes:
            times, values = files.read(sampler.input)[:, 0], files.read(sampler.output)  # [T], [T, 4]
            if sampler.interpolation == "CUBICSPLINE":
                values = values[1::3]  # between two tangents
            tracks[nodes.index(channel.target.node)] = (times, values)
    if not tracks:
        raise FormatError("an animation turns no joint; export the baked motion of the skeleton")
    start, end = (pick([t[side] for t, _ in tracks.values()]) for pick, side in ((min, 0), (max, -1)))
    wanted = start + np.arange(int((end - start) * _FPS + 1e-6) + 1) / _FPS  # [N] seconds
    local = np.tile(Rotation.from_quat(rest).as_matrix(), (len(wanted), 1, 1, 1))
    for joint, (times, values) in tracks.items():
        times, kept = np.unique(times, return_index=True)
        turned = Rotation.from_quat(values[kept])
        if len(times) > 1:
            turned = Slerp(times, turned)(np.clip(wanted, times[0], times[-1]))
        local[:, joint] = turned.as_matrix()
    return local


class _Buffers:
    """Arrays out of a file's binary parts."""

    def __init__(self, gltf: Any, path: Path):
        self.gltf, self.path = gltf, path
        self.parts = [self._load(buffer.uri) for buffer in gltf.buffers]

    def _load(self, uri: str | None) -> bytes:
        if uri is None:
            return self.gltf.binary_blob()
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2], validate=True)
        if Path(uri).name != uri:
            raise FormatError(f"buffer {uri!r} is not in the file's own folder; export one .glb file")
        return (self.path.parent / uri).read_bytes()

    def read(self, accessor: int) -> np.ndarray:
        """[N, width] of an accessor, normalized integers as floats."""
        found = self.gltf.accessors[accessor]
        view = self.gltf.bufferViews[found.bufferView]
        kind, width = np.dtype(_TYPES[found.componentType]), _WIDTH[found.type]
        start = (view.byteOffset or 0) + (found.byteOffset or 0)
        stride = view.byteStride or kind.itemsize * width
        raw = np.frombuffer(self.parts[view.buffer], np.uint8)
        rows = start + stride * np.arange(found.count)[:, None] + np.arange(kind.itemsize * width)  # [N, bytes]
        values = np.ascontiguousarray(raw[rows]).view(kind).reshape(found.count, width)
        if kind.kind == "f":
            return values.astype(np.float64)
        return np.maximum(values / np.iinfo(kind).max, -1.0)
