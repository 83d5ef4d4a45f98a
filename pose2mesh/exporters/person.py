"""One person as a file; the suffix chooses the format.

Mesh files are y-up, as glTF prescribes and mesh viewers expect: the camera frame (x right, y down, z forward) is turned
by half a turn about x, so the person stands and is seen from the photo's camera. They are in metres and relative to the
root (pelvis, wrist): the camera's translation is not applied. NPZ and JSON keep the camera frame.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.exporters.archive import clean_keypoints, save_people
from pose2mesh.exporters.validation import check_person
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.paths import write_bytes
from pose2mesh.rendering.shading import SKIN, linear_from_srgb
from pose2mesh.types import Camera, Person

Y_UP = np.array([1, -1, -1], np.float32)  # camera frame to mesh files: half a turn about x
_ROUGHNESS = 0.7  # of the GLB material: skin without a shine
_OBJ_VERTEX = "v %.7f %.7f %.7f\n"  # to a tenth of a micrometre
_OBJ_NORMAL = "vn %.6f %.6f %.6f\n"


def save_person(person: Person, path: str | Path) -> Path:
    """Write a person atomically as .obj, .ply, .glb (mesh), .npz (everything) or .json (all but the mesh).

    Returns the path. Raises InputError for another suffix or a malformed person (naming the field),
    MachineError when the disk is full.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"cannot write {path}: suffix {path.suffix!r} is none of {', '.join(SUFFIXES)}, .html")
    check_person(person)
    write(person, path)
    return path


def person_record(person: Person) -> dict:
    """Everything but the mesh as plain types: metres and pixels in the camera frame; no NaN.

    Missing keypoints (confidence 0) are zeros.
    """
    parameters = person.parameters
    return {
        "joint_names": list(person.joint_names),
        "joints": np.asarray(person.joints).tolist(),
        "keypoints": clean_keypoints(person.keypoints).tolist(),
        "keypoint_names": list(person.keypoint_names),
        "camera": None if person.camera is None else _camera_record(person.camera),
        "score": float(person.score),
        "handedness": person.handedness,
        "parameters": parameters and {name: np.asarray(value).tolist() for name, value in parameters.items()},
        "uncertainty": None if person.uncertainty is None else np.asarray(person.uncertainty).tolist(),
        "seen": None if person.seen is None else np.asarray(person.seen).tolist(),
        "vertex_count": len(person.vertices),
        "face_count": len(person.faces),
    }


def _camera_record(camera: Camera) -> dict:
    return {
        "focal": float(camera.focal),
        "center": [float(value) for value in camera.center],
        "translation": np.asarray(camera.translation).tolist(),
        "image_size": None if camera.image_size is None else [int(value) for value in camera.image_size],
    }


def _write_json(person: Person, path: Path) -> None:
    write_bytes(path, json.dumps(person_record(person), allow_nan=False, indent=1).encode() + b"\n")


def _write_npz(person: Person, path: Path) -> None:
    save_people([person], path)


def mesh_bytes(person: Person, suffix: str) -> bytes:
    """The mesh of a well-formed person as a file of a suffix: .obj, .ply or .glb. Raises InputError without a mesh."""
    if not len(person.faces):
        raise InputError("this person has no mesh (predict with outputs='mesh', or save npz or json)")
    vertices = np.asarray(person.vertices, np.float32) * Y_UP  # [V, 3]
    return _MESH_FORMATS[suffix](vertices, np.asarray(person.faces), vertex_normals(vertices, person.faces))


def _write_mesh(person: Person, path: Path) -> None:
    write_bytes(path, mesh_bytes(person, path.suffix.lower()))


def _obj(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> bytes:
    """One formatting call for each kind of line: some 25 ms, where a line at a time takes 200."""
    corners = np.array([f"{i}//{i}" for i in range(1, len(vertices) + 1)], object)[faces]  # [F, 3]
    lines = ((_OBJ_VERTEX, vertices), (_OBJ_NORMAL, normals), ("f %s %s %s\n", corners))
    text = "".join(line * len(rows) % tuple(rows.ravel().tolist()) for line, rows in lines)
    return b"# metres, y up\n" + text.encode()


def _with_trimesh(kind: str, options: dict[str, Any]) -> Callable[[np.ndarray, np.ndarray, np.ndarray], bytes]:
    """Writer of a format that trimesh knows."""

    def write(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> bytes:
        import trimesh
        from trimesh.visual import TextureVisuals
        from trimesh.visual.material import PBRMaterial

        # Without processing, trimesh keeps every vertex in its place.
        mesh = trimesh.Trimesh(vertices, faces, vertex_normals=normals, process=False)
        if kind == "glb":
            color = (*linear_from_srgb(np.array(SKIN)).tolist(), 1.0)
            material = PBRMaterial("skin", baseColorFactor=color, metallicFactor=0.0, roughnessFactor=_ROUGHNESS)
            mesh.visual = TextureVisuals(material=material)
        content: Any = mesh.export(file_type=kind, **options)
        return content

    return write


_MESH_FORMATS = {
    ".obj": _obj,
    ".ply": _with_trimesh("ply", {"vertex_normal": True}),
    ".glb": _with_trimesh("glb", {"include_normals": True}),
}
_WRITERS: dict[str, Callable[[Person, Path], None]] = {
    **dict.fromkeys(_MESH_FORMATS, _write_mesh),
    ".npz": _write_npz,
    ".json": _write_json,
}
SUFFIXES = tuple(_WRITERS)
