"""Skinned, animated characters as binary glTF 2.0, for Blender, three.js, Unity and Unreal.

One character per person: a mesh of that person's shape bound to Anny's 104 bones, all in one animation with the time
stamps of the video, counted from the motion's first frame. Bones keep Anny's names. In the rest pose every bone is
upright (no rotation), as Anny's rotations count from there. A person who is out of the picture stays as last seen, or
as first seen before that.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh import __version__
from pose2mesh.errors import InputError, optional_import
from pose2mesh.exporters.character import Character, characters
from pose2mesh.exporters.skin import skin_of
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.paths import write_bytes
from pose2mesh.rendering.shading import SKIN, linear_from_srgb
from pose2mesh.types import Motion

_FLOAT, _UNSIGNED_BYTE, _UNSIGNED_INT = 5126, 5121, 5125  # component types
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_ROUGHNESS = 0.7


def write_glb(motion: Motion, path: Path, weights_per_vertex: int = 4) -> None:
    """Write a .glb atomically. Four weights a vertex are what every engine takes, eight are exact to 0.3 mm.

    Four are fitted to the motion (`exporters.skin`), for which some vertices move at rest by a few millimetres.
    Raises MissingDependencyError without pygltflib, InputError for another body than Anny.
    """
    if path.suffix.lower() != ".glb":
        raise InputError(f"{path}: a character is written as .glb")
    write_bytes(path, glb_bytes(motion, weights_per_vertex))


def glb_bytes(motion: Motion, weights_per_vertex: int = 4) -> bytes:
    """What `write_glb` writes."""
    scene = _Scene()
    for character in characters(motion):
        scene.add(character, weights_per_vertex)
    return scene.content(motion.fps)


class _Scene:
    """A glTF document that grows by characters."""

    def __init__(self) -> None:
        with optional_import("writing a GLB needs pygltflib: pip install 'pose2mesh[motion]'"):
            import pygltflib
        self.make: Any = pygltflib
        self.document = pygltflib.GLTF2(scene=0)
        self.document.asset = pygltflib.Asset(version="2.0", generator=f"pose2mesh {__version__}")
        color = [*linear_from_srgb(np.array(SKIN)).tolist(), 1.0]
        surface = pygltflib.PbrMetallicRoughness(baseColorFactor=color, metallicFactor=0.0, roughnessFactor=_ROUGHNESS)
        self.document.materials = [pygltflib.Material(name="skin", pbrMetallicRoughness=surface)]
        self.animation = pygltflib.Animation(name="motion")
        self.roots: list[int] = []
        self.blob = bytearray()

    def content(self, fps: float) -> bytes:
        """The document as a GLB file."""
        self.document.animations = [self.animation]
        self.document.extras = {"fps": fps}
        self.document.scenes = [self.make.Scene(nodes=self.roots)]
        self.document.buffers = [self.make.Buffer(byteLength=len(self.blob))]
        self.document.set_binary_blob(bytes(self.blob))
        return b"".join(self.document.save_to_bytes())

    def add(self, character: Character, weights_per_vertex: int) -> None:
        """One person: mesh, bones, skin and the animation of the bones."""
        nodes, body = self.document.nodes, character.body
        mesh_node, first = len(nodes), len(nodes) + 1
        nodes.append(self.make.Node(name=f"person_{character.track}", mesh=len(self.document.meshes)))
        nodes[mesh_node].skin = len(self.document.skins)
        self._add_bones(character, first)
        inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(body.parents), 1, 1))  # [K, 4, 4]
        inverse_bind[:, 3, :3] = -character.heads  # column-major: the last column of each matrix
        joints = list(range(first, first + len(body.parents)))
        accessor = self._accessor(inverse_bind.reshape(-1, 16), "MAT4")
        skin = self.make.Skin(joints=joints, skeleton=first, inverseBindMatrices=accessor)
        self.document.skins.append(skin)
        self._add_mesh(character, weights_per_vertex)
        self._animate(character, first)
        self.roots += [mesh_node, first]

    def _add_bones(self, character: Character, first: int) -> None:
        parents = character.body.parents.tolist()
        standing = character.heads - [0.0, character.vertices[:, 1].min(), 0.0]  # the rest pose, on the ground
        for bone, (name, parent) in enumerate(zip(character.body.bone_names, parents, strict=True)):
            place = standing[bone] - (standing[parent] if parent >= 0 else 0.0)
            children = [first + child for child, other in enumerate(parents) if other == bone]
            self.document.nodes.append(self.make.Node(name=name, translation=place.tolist(), children=children))

    def _add_mesh(self, character: Character, weights_per_vertex: int) -> None:
        (bones, weights), vertices = skin_of(character, weights_per_vertex)
        faces = character.body.faces.numpy()
        attributes = self.make.Attributes(
            POSITION=self._accessor(vertices, "VEC3", _ARRAY_BUFFER, has_bounds=True),
            NORMAL=self._accessor(vertex_normals(vertices, faces), "VEC3", _ARRAY_BUFFER),
        )
        bones = np.where(weights > 0, bones, 0).astype(np.uint8)  # the validator wants 0 where the weight is 0
        weights = weights.astype(np.float32)
        for part in range(weights_per_vertex // 4):
            columns = slice(4 * part, 4 * part + 4)
            setattr(attributes, f"JOINTS_{part}", self._accessor(bones[:, columns], "VEC4", _ARRAY_BUFFER))
            setattr(attributes, f"WEIGHTS_{part}", self._accessor(weights[:, columns], "VEC4", _ARRAY_BUFFER))
        indices = self._accessor(faces.astype(np.uint32).reshape(-1, 1), "SCALAR", _ELEMENT_ARRAY_BUFFER)
        primitive = self.make.Primitive(attributes=attributes, indices=indices, material=0)
        self.document.meshes.append(self.make.Mesh(name=f"person_{character.track}", primitives=[primitive]))

    def _animate(self, character: Character, first: int) -> None:
        """Rotations of the bones that move by themselves, and where the root is."""
        seconds = character.times - character.times[0]  # [T], the same first one for everybody
        times = self._accessor(seconds.astype(np.float32)[:, None], "SCALAR", has_bounds=True)
        body = character.body
        leading = [body.bone_names.index(name) for name in body.groups]
        root = self._accessor(character.root.astype(np.float32), "VEC3")
        self._channel(first, "translation", times, root)
        for node, rotations in zip(leading, character.relative().swapaxes(0, 1), strict=True):
            quaternions = continuous(Rotation.from_matrix(rotations).as_quat()).astype(np.float32)  # [T, 4]
            self._channel(first + node, "rotation", times, self._accessor(quaternions, "VEC4"))

    def _channel(self, node: int, path: str, times: int, values: int) -> None:
        sampler = len(self.animation.samplers)
        self.animation.samplers.append(self.make.AnimationSampler(input=times, output=values, interpolation="LINEAR"))
        target = self.make.AnimationChannelTarget(node=node, path=path)
        self.animation.channels.append(self.make.AnimationChannel(sampler=sampler, target=target))

    def _accessor(self, array: np.ndarray, kind: str, target: int | None = None, has_bounds: bool = False) -> int:
        """Append array [N, width] to the buffer; returns the accessor's number."""
        component = {np.float32: _FLOAT, np.uint8: _UNSIGNED_BYTE, np.uint32: _UNSIGNED_INT}[array.dtype.type]
        content = np.ascontiguousarray(array).tobytes()
        view = self.make.BufferView(buffer=0, byteOffset=len(self.blob), byteLength=len(content), target=target)
        self.document.bufferViews.append(view)
        self.blob += content + bytes(-len(content) % 4)
        accessor = self.make.Accessor(
            bufferView=len(self.document.bufferViews) - 1, componentType=component, count=len(array), type=kind
        )
        if has_bounds:
            accessor.min, accessor.max = array.min(0).tolist(), array.max(0).tolist()
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """Unit quaternions [T, 4] with signs such that neighbors are near: q and −q are the same rotation."""
    flips = np.sign((quaternions[1:] * quaternions[:-1]).sum(1))
    return quaternions * np.concatenate([[1.0], np.cumprod(np.where(flips == 0, 1.0, flips))])[:, None]
