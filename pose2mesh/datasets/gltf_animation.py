"""Animations of glTF characters (.glb, .gltf) as recordings; FBX files convert to glTF in any 3D program."""

import base64
import binascii
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.datasets.recorded_skeleton import Skeleton, forward
from pose2mesh.datasets.recording import Recording, check_numbers
from pose2mesh.errors import FormatError, optional_import

_FPS = 120.0
_ROUNDING = 1e-6  # s, of times in single precision
# Of glTF 2.0, 3.6.2.2: component types, and what normalized integers are divided by.
_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_gltf(path: Path) -> list[Recording]:
    """Every animation of every skinned character, each character as a recording of its own.

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
    files = _Buffers(gltf, path)
    moving = []  # characters and what moves them
    for nodes in _characters(gltf.skins, above):
        tracks = [_tracks(animation, nodes, files) for animation in gltf.animations]
        if any(tracks):
            moving.append((nodes, tracks))
    if not moving:
        raise FormatError("no animation turns a joint; export the baked motion of the skeleton")
    found = []
    for number, (nodes, tracks) in enumerate(moving, 1):
        skeleton, rest = _skeleton(gltf, nodes, above)
        world = forward(skeleton, rest[None])[0]  # [S, 3, 3]
        who = f"{path.stem}_{number}" if len(moving) > 1 else path.stem
        for index, own in enumerate(tracks):
            if own:
                local = _animate(own, rest)  # [N, S, 3, 3]
                check_numbers(local, skeleton, _FPS)
                name = gltf.animations[index].name or index
                found.append(Recording(f"{who}_{name}", skeleton, local, _FPS, world))
    return found


def _characters(skins: list[Any], above: dict[int, int]) -> list[list[int]]:
    """Nodes of each character's skeleton with all that carries it, parents first.

    Body, hair and clothes have skins of their own: where joints hang on each other they are one character's.
    """
    found: list[tuple[set[int], list[int]]] = []  # joints, and the nodes with what carries them
    for skin in skins:
        joints, nodes = set(skin.joints), [node for joint in skin.joints for node in _down_to(joint, above)]
        same = [each for each in found if each[0] & set(nodes) or joints & set(each[1])]
        place = found.index(same[0]) if same else len(found)
        found = [each for each in found if each not in same]
        nodes = [*(node for each in same for node in each[1]), *nodes]
        found.insert(place, (joints.union(*(each[0] for each in same)), nodes))
    return [list(dict.fromkeys(nodes)) for _, nodes in found]


def _down_to(joint: int, above: dict[int, int]) -> list[int]:
    """The nodes from the root down to a joint."""
    chain = [joint]
    while chain[-1] in above:
        chain.append(above[chain[-1]])
        if len(chain) > len(above) + 1:
            raise ValueError("nodes that hold themselves")
    return chain[::-1]


def _skeleton(gltf: Any, nodes: list[int], above: dict[int, int]) -> tuple[Skeleton, np.ndarray]:
    """The skeleton of nodes [S] and its local rotations [S, 3, 3] at rest."""
    if any(gltf.nodes[node].matrix for node in nodes):
        raise FormatError("its joints hold matrices, which cannot be animated; export translations and rotations")
    parents = tuple(nodes.index(above[node]) if node in above else -1 for node in nodes)
    names = tuple(gltf.nodes[node].name or f"node{node}" for node in nodes)
    offsets = np.array([gltf.nodes[node].translation or (0, 0, 0) for node in nodes], float)
    rest = np.array([gltf.nodes[node].rotation or (0, 0, 0, 1) for node in nodes], float)  # [S, 4] x y z w
    return Skeleton(names, parents, offsets), Rotation.from_quat(rest).as_matrix()


class _Track(NamedTuple):
    """Rotations of a joint at its key frames."""

    times: np.ndarray  # [T] seconds
    quaternions: np.ndarray  # [T, 4] x y z w
    is_held: bool  # each until the next; else turned between them, evenly unless there are tangents
    tangents: np.ndarray | None = None  # [T, 2, 4] into and out of each key frame, a second


def _tracks(animation: Any, nodes: list[int], files: "_Buffers") -> dict[int, _Track]:
    """What an animation does to the joints that it turns, by their place among the nodes."""
    tracks = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        if channel.target.path == "rotation" and channel.target.node in nodes:
            times, values = files.read(sampler.input)[:, 0], files.read(sampler.output)  # [T], [T, 4]
            times, kept = np.unique(times, return_index=True)
            tangents = None
            if sampler.interpolation == "CUBICSPLINE":
                parts = values.reshape(-1, 3, 4)[kept]
                values, tangents = parts[:, 1], parts[:, ::2]
            else:
                values = values[kept]
            tracks[nodes.index(channel.target.node)] = _Track(times, values, sampler.interpolation == "STEP", tangents)
    return tracks


def _animate(tracks: dict[int, _Track], rest: np.ndarray) -> np.ndarray:
    """Local rotations [N, S, 3, 3] at 120 Hz; joints without a track rest, [S, 3, 3]."""
    start, end = (pick([track.times[side] for track in tracks.values()]) for pick, side in ((min, 0), (max, -1)))
    wanted = start + np.arange(int((end - start) * _FPS + _ROUNDING) + 1) / _FPS  # [N] seconds
    local = np.tile(rest, (len(wanted), 1, 1, 1))
    for joint, track in tracks.items():
        times, turned = track.times, Rotation.from_quat(track.quaternions)
        if track.is_held:
            turned = turned[(np.searchsorted(times, wanted + _ROUNDING, "right") - 1).clip(0)]
        elif len(times) > 1:
            within = np.clip(wanted, times[0], times[-1])
            turned = Slerp(times, turned)(within) if track.tangents is None else _spline(track, within)
        local[:, joint] = turned.as_matrix()
    return local


def _spline(track: _Track, wanted: np.ndarray) -> Rotation:
    """Hermite's cubic through the quaternions at times [N] within the track (glTF 2.0, appendix C.5)."""
    assert track.tangents is not None  # asked before
    key = np.searchsorted(track.times, wanted, "right").clip(1, len(track.times) - 1) - 1  # [N]
    seconds = (track.times[key + 1] - track.times[key])[:, None]
    t = (wanted - track.times[key])[:, None] / seconds
    ends = track.quaternions[key], track.quaternions[key + 1]
    out, into = track.tangents[key, 1] * seconds, track.tangents[key + 1, 0] * seconds
    held = (2 * t**3 - 3 * t**2 + 1) * ends[0] + (3 * t**2 - 2 * t**3) * ends[1]
    return Rotation.from_quat(held + (t**3 - 2 * t**2 + t) * out + (t**3 - t**2) * into)


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
