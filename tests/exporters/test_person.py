import json
import os
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from pose2mesh.errors import InputError, MachineError
from pose2mesh.exporters import SUFFIXES, save_person
from pose2mesh.rendering.shading import SKIN
from pose2mesh.types import Camera, Person

MESHES = (".obj", ".ply", ".glb")


@pytest.fixture
def person() -> Person:
    """An upright egg with its tip up (y down), a camera and one missing keypoint that holds NaN."""
    egg = trimesh.creation.icosphere(subdivisions=3)
    vertices = egg.vertices * [0.3, 0.9, 0.2]
    vertices[vertices[:, 1] > 0] *= [1, 0.5, 1]
    return Person(
        vertices.astype(np.float32),
        egg.faces.astype(np.int32),
        np.array([[0, 0, 0], [0.1, -0.5, 0.02]], np.float32),
        ("pelvis", "neck"),
        np.array([[320, 240, 0.9], [np.nan, np.inf, 0.0]], np.float32),
        Camera(1000.5, (320.0, 240.0), np.array([0.1, 0.2, 3.0]), (640, 480)),
        score=0.9,
        parameters={"shape": np.arange(4, dtype=np.float32)},
    )


@pytest.mark.parametrize("suffix", MESHES)
def test_meshes_come_back_y_up_with_the_same_vertices_faces_and_normals(person, suffix, tmp_path):
    path = save_person(person, tmp_path / f"person{suffix}")
    loaded = trimesh.load(path, process=False)
    mesh = loaded if isinstance(loaded, trimesh.Trimesh) else loaded.geometry["geometry_0"]
    stored = mesh._cache.cache.get("vertex_normals")  # those of the file, before trimesh computes its own
    expected = person.vertices * [1, -1, -1]
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-7)
    np.testing.assert_array_equal(mesh.faces, person.faces)
    assert stored is not None
    mean = np.zeros_like(expected)
    for face, cross in zip(person.faces, mesh.triangles_cross, strict=True):
        mean[face] += cross
    np.testing.assert_allclose(stored, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
    assert mesh.vertices[:, 1].max() == pytest.approx(0.9)  # the tip of the egg
    assert mesh.volume > 0  # turned, not mirrored: the faces still face outward


def test_glb_has_a_matte_skin_material(person, tmp_path):
    path = save_person(person, tmp_path / "person.glb")
    content = path.read_bytes()
    header = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    material = header["materials"][0]["pbrMetallicRoughness"]
    red, green, blue, opacity = material["baseColorFactor"]
    assert opacity == 1
    np.testing.assert_allclose((red, green, blue), np.array(SKIN) ** 2.2, atol=1 / 255)  # glTF wants linear light
    assert material["metallicFactor"] == 0
    primitive = header["meshes"][0]["primitives"][0]
    assert primitive["material"] == 0
    assert {"POSITION", "NORMAL"} <= primitive["attributes"].keys()


def test_json_holds_everything_but_the_mesh_and_no_nan(person, tmp_path):
    def refuse(constant: str):
        raise AssertionError(f"{constant} is not JSON")

    text = save_person(person, tmp_path / "person.json").read_text()
    record = json.loads(text, parse_constant=refuse)
    assert record["joint_names"] == ["pelvis", "neck"]
    np.testing.assert_array_equal(np.array(record["joints"], np.float32), person.joints)
    assert record["keypoints"][1] == [0, 0, 0]
    assert record["camera"] == {
        "focal": 1000.5,
        "center": [320, 240],
        "translation": [0.1, 0.2, 3.0],
        "image_size": [640, 480],
    }
    assert record["parameters"] == {"shape": [0, 1, 2, 3]}
    assert (record["vertex_count"], record["face_count"]) == (642, 1280)
    bare = json.loads(save_person(replace(person, camera=None, parameters=None), tmp_path / "b.json").read_text())
    assert bare["camera"] is None
    assert bare["parameters"] is None


@pytest.mark.parametrize("suffix", [".fbx", "", ".OBJ.txt"])
def test_unknown_suffix_names_the_known_ones(person, suffix, tmp_path):
    with pytest.raises(InputError, match=r"\.obj, \.ply, \.glb, \.npz, \.json"):
        save_person(person, tmp_path / f"person{suffix}")
    assert not list(tmp_path.iterdir())


def test_the_suffix_may_be_upper_case_and_folders_are_made(person, tmp_path):
    path = person.save(tmp_path / "new" / "folder" / "PERSON.GLB")
    assert path.read_bytes()[:4] == b"glTF"


MALFORMED = {
    "vertices.* is not finite": {"vertices": np.full((642, 3), np.nan)},
    "vertices is float64 .642.": {"vertices": np.zeros(642)},
    "vertices is object": {"vertices": np.full((642, 3), None)},
    "vertices.*not finite": {"vertices": np.full((642, 3), 1e300)},
    "faces names vertices 0 to 641, but there are 5": {"vertices": np.zeros((5, 3))},
    "faces is float64": {"faces": np.zeros((4, 3))},
    "faces is int64 .4, 4.": {"faces": np.zeros((4, 4), int)},
    "faces names vertices -1": {"faces": np.array([[0, 1, -1]])},
    "2 joints but 1 joint_names": {"joint_names": ("pelvis",)},
    "joints.1, 2. is not finite": {"joints": np.array([[0, 0, 0], [0, 0, -np.inf]])},
    "keypoints is .17, 2.": {"keypoints": np.zeros((17, 2))},
    r"keypoints.0, 0. is not finite": {"keypoints": np.array([[np.nan, 0, 1.0]])},
    r"keypoints.0, 2. is not finite": {"keypoints": np.array([[0, 0, np.nan]])},
    "score": {"score": float("nan")},
    "camera.focal is -1": {"camera": Camera(-1.0, (0, 0), np.zeros(3))},
    "camera.focal.*finite": {"camera": Camera(float("inf"), (0, 0), np.zeros(3))},
    "camera.center": {"camera": Camera(1.0, (0, 0, 0), np.zeros(3))},
    "camera.translation": {"camera": Camera(1.0, (0, 0), np.zeros(2))},
    "camera.image_size": {"camera": Camera(1.0, (0, 0), np.zeros(3), (0, 5))},
    "parameters.'pose'": {"parameters": {"pose": np.array([np.nan])}},
}


@pytest.mark.parametrize("message", MALFORMED)
def test_malformed_persons_are_refused_before_anything_is_written(person, message, tmp_path):
    malformed = replace(person, **MALFORMED[message])
    for suffix in SUFFIXES:
        with pytest.raises(InputError, match=message):
            save_person(malformed, tmp_path / f"person{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_write_leaves_the_previous_file(person, suffix, tmp_path, monkeypatch):
    path = save_person(person, tmp_path / f"person{suffix}")
    before = path.read_bytes()

    def disk_full(descriptor: int):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(MachineError, match="No space left"):
        save_person(person, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
