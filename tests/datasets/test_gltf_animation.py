"""glTF characters written here: the same motion as a BVH file of it, in every form in which animations are stored."""

import base64
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded_figure import NAMES, SKELETON, smooth_angles, write_bvh
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.body_models import load_anny_body
from pose2mesh.datasets.gltf_animation import _spline, _Track
from pose2mesh.datasets.motion import load_motion
from pose2mesh.datasets.motion_pack import BONES
from pose2mesh.datasets.recordings import read_clips
from pose2mesh.errors import FormatError
from pose2mesh.synthesis.walk import walking

pytest.importorskip("pybvh", reason="pybvh is not installed; pip install 'pose2mesh[bvh]'")
pytest.importorskip("pygltflib", reason="pygltflib is not installed; pip install 'pose2mesh[motion]'")

FLOAT, SHORT = 5126, 5122


class Writer:
    """Accessors one after the other in one buffer."""

    def __init__(self) -> None:
        self.data, self.views, self.accessors = b"", [], []

    def add(self, values: np.ndarray, kind: str, component: int = FLOAT) -> int:
        raw = np.ascontiguousarray(values, np.int16 if component == SHORT else np.float32).tobytes()
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)})
        self.data += raw + b"\0" * (-len(raw) % 4)
        self.accessors.append(
            {
                "bufferView": len(self.views) - 1,
                "componentType": component,
                "count": len(values),
                "type": kind,
                "normalized": component == SHORT,
            }
        )
        return len(self.accessors) - 1


def character(angles: np.ndarray, *, fps: float = 120.0, form: str = "LINEAR", rest: Rotation | None = None):
    """glTF document and binary part of a skinned figure under a turned armature, with the motion of `write_bvh`."""
    local = Rotation.from_euler("ZXY", angles.reshape(-1, 3), degrees=True).as_quat().reshape(len(angles), -1, 4)
    rest = rest or Rotation.identity(len(SKELETON))
    row = {name: joint for joint, name in enumerate(NAMES)}
    writer, nodes, channels, samplers = Writer(), [], [], []
    times = writer.add(np.arange(len(angles)) / fps, "SCALAR")
    for joint, (name, parent, offset) in enumerate(SKELETON):
        above = rest[row[parent]] if parent else Rotation.identity()
        nodes.append({"name": name, "translation": above.inv().apply(offset).tolist()})
        nodes[-1]["rotation"] = (above.inv() * rest[joint]).as_quat().tolist()
        nodes[-1]["children"] = [row[n] for n, p, _ in SKELETON if p == name]
        turned = (above.inv() * Rotation.from_quat(local[:, joint]) * rest[joint]).as_quat()
        if form == "CUBICSPLINE":
            turned = np.stack([np.ones_like(turned), turned, np.ones_like(turned)], 1).reshape(-1, 4)
        component = SHORT if form == "SHORT" else FLOAT
        values = writer.add(np.rint(turned * 32767) if component == SHORT else turned, "VEC4", component)
        samplers.append({"input": times, "output": values, "interpolation": "LINEAR" if form == "SHORT" else form})
        channels.append({"sampler": joint, "target": {"node": joint, "path": "rotation"}})
    armature = Rotation.from_euler("x", -90, degrees=True).as_quat().tolist()
    nodes.append({"name": "Armature", "rotation": armature, "children": [0]})
    for node in nodes:
        if not node["children"]:
            del node["children"]
    document = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "skins": [{"joints": list(range(len(SKELETON)))}],
        "animations": [{"name": "wave", "channels": channels, "samplers": samplers}],
        "bufferViews": writer.views,
        "accessors": writer.accessors,
        "buffers": [{"byteLength": len(writer.data)}],
    }
    return document, writer.data


def write_glb(path: Path, document: dict, data: bytes) -> Path:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


@pytest.mark.parametrize(("form", "degrees"), [("LINEAR", 1e-3), ("CUBICSPLINE", 1e-3), ("SHORT", 0.02)])
def test_the_same_motion_as_in_bvh(tmp_path: Path, form: str, degrees: float) -> None:
    """Whatever rotations the rest pose has: it is the T-pose, not the one of zero angles."""
    angles = smooth_angles()
    (expected,) = read_clips(write_bvh(tmp_path / "a.bvh", angles))
    rest = Rotation.random(len(SKELETON), rng=np.random.default_rng(5))
    (found,) = read_clips(write_glb(tmp_path / "hero.glb", *character(angles, form=form, rest=rest)))
    assert found.name == "hero_wave"
    np.testing.assert_array_equal(found.frame_120, expected.frame_120)
    turn = Rotation.from_rotvec(found.rotvec.reshape(-1, 3)).inv() * Rotation.from_rotvec(
        expected.rotvec.reshape(-1, 3)
    )
    assert np.degrees(turn.magnitude()).max() < degrees


def test_splines_follow_their_tangents() -> None:
    """Against scipy's Hermite spline, whose tangents are the same on both sides of a key frame."""
    generator = np.random.default_rng(0)
    times, values = np.array([0.0, 0.3, 1.0]), generator.normal(size=(3, 4))
    slopes, wanted = generator.normal(size=(3, 4)), np.linspace(0, 1, 41)
    found = _spline(_Track(times, values, False, np.stack([slopes, slopes], 1)), wanted)
    expected = Rotation.from_quat(CubicHermiteSpline(times, values, slopes)(wanted))
    assert np.degrees((found * expected.inv()).magnitude()).max() < 1e-6


def test_other_rates_and_files_of_text(tmp_path: Path) -> None:
    """30 frames per second; the buffer inside the text, or in a file beside it."""
    document, data = character(smooth_angles(240)[::4], fps=30.0)
    (expected,) = read_clips(write_bvh(tmp_path / "a.bvh", smooth_angles(240)[::4], fps=30.0))
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    (tmp_path / "inline.gltf").write_text(json.dumps(document))
    document["buffers"][0]["uri"] = "hero.bin"
    (tmp_path / "hero.bin").write_bytes(data)
    (tmp_path / "beside.gltf").write_text(json.dumps(document))
    for name in ("inline", "beside"):
        (clip,) = read_clips(tmp_path / f"{name}.gltf")
        np.testing.assert_allclose(clip.rotvec, expected.rotvec, atol=1e-3)  # between frames, the parent turns too
    document["buffers"][0]["uri"] = "../hero.bin"
    (tmp_path / "away.gltf").write_text(json.dumps(document))
    with pytest.raises(FormatError, match=r"away\.gltf: buffer '\.\./hero\.bin' is not in the file's own folder"):
        read_clips(tmp_path / "away.gltf")


def test_every_animation_becomes_a_clip_of_a_pack(tmp_path: Path) -> None:
    document, data = character(smooth_angles(60))
    document["animations"].append({**document["animations"][0], "name": "again"})
    write_glb(tmp_path / "hero.glb", document, data)
    pack = load_motion(tmp_path)
    assert pack.clip_name == ("hero_wave", "hero_again") and set(pack.clip_subject) == {"hero"}


def test_held_poses_stay_held(tmp_path: Path) -> None:
    """STEP: every key until the next."""
    angles = smooth_angles(240)[::4]
    (expected,) = read_clips(write_bvh(tmp_path / "a.bvh", np.repeat(angles, 4, axis=0)[:-3]))
    (found,) = read_clips(write_glb(tmp_path / "hero.glb", *character(angles, fps=30.0, form="STEP")))
    np.testing.assert_array_equal(found.frame_120, expected.frame_120)
    np.testing.assert_allclose(found.rotvec, expected.rotvec, atol=1e-5)


def with_another(document: dict, **names: str) -> dict:
    """The document with its figure twice, the second moved by the same animation; `names` are those of its nodes."""
    count = len(document["nodes"])
    for node in [*document["nodes"]]:
        document["nodes"].append({**node, "name": names.get(node["name"], node["name"])})
        if "children" in node:
            document["nodes"][-1]["children"] = [child + count for child in node["children"]]
    document["skins"].append({"joints": [joint + count for joint in document["skins"][0]["joints"]]})
    animation = document["animations"][0]
    for channel in [*animation["channels"]]:
        target = {**channel["target"], "node": channel["target"]["node"] + count}
        animation["channels"].append({**channel, "target": target})
    return document


@pytest.mark.parametrize("are_first", [False, True])
def test_every_character_becomes_a_clip(tmp_path: Path, are_first: bool) -> None:
    document, data = character(smooth_angles(60))
    (alone,) = read_clips(write_glb(tmp_path / "one.glb", document, data))
    pair, clothes = with_another(document), {"joints": document["skins"][0]["joints"][-3:]}  # of the first
    pair["skins"][:0] = [clothes, {"joints": [NAMES.index("LeftFoot")]}] if are_first else []
    pair["skins"].append(clothes)
    clips = read_clips(write_glb(tmp_path / "two.glb", pair, data))
    assert [clip.name for clip in clips] == ["two_1_wave", "two_2_wave"]
    for clip in clips:
        np.testing.assert_array_equal(clip.rotvec, alone.rotvec)


def test_characters_that_are_no_people_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document, data = character(smooth_angles(60))
    horse = with_another(document, **{name: f"Bone{name}" for name in NAMES})
    (clip,) = read_clips(write_glb(tmp_path / "rider.glb", horse, data))
    assert clip.name == "rider_1_wave" and "rider_2_wave is left out: no joint found for" in caplog.text


def test_two_of_our_own_characters_read_back(tmp_path: Path) -> None:
    """Each as in a file of its own."""
    body = load_anny_body()
    people = [walking(body, 1.0), walking(body, 1.0, heading_degrees=70.0, start=(1.0, 4.0), track=2)]
    names = ("frame", "time", "track", "joints", "translation", "rotations", "betas", "keypoints", "contacts")
    rows = {name: np.stack([getattr(each, name) for each in people], 1) for name in names}
    rows = {name: values.reshape(-1, *values.shape[2:]) for name, values in rows.items()}
    clips = read_clips(replace(people[0], **rows).save(tmp_path / "animation.glb"))
    assert [clip.name for clip in clips] == ["animation_1_motion", "animation_2_motion"]
    for clip, person in zip(clips, people, strict=True):
        (alone,) = read_clips(person.save(tmp_path / "alone.glb"))
        np.testing.assert_allclose(clip.rotvec, alone.rotvec, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("animations"), "no skinned character with animations"),
        (lambda d: d.pop("skins"), "no skinned character with animations"),
        (lambda d: d["animations"][0].update(channels=[]), "no animation turns a joint"),
        (lambda d: d["accessors"][1].update(count=10**6), "not a readable glTF file"),
        (lambda d: d["accessors"][1].update(bufferView=999), "not a readable glTF file"),
        (lambda d: d["nodes"][12].update(children=[len(SKELETON)]), "hold themselves"),
        (lambda d: d["nodes"][3].update(matrix=[1.0] * 16), "hold matrices"),
        (lambda d: d["nodes"][-1].update(name="x") or d["nodes"][7].update(name="Tentacle"), "no joint found for"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path: Path, change, message: str) -> None:
    document, data = character(smooth_angles(20))
    change(document)
    with pytest.raises(FormatError, match=rf"hero\.glb: .*{message}"):
        read_clips(write_glb(tmp_path / "hero.glb", document, data))


@pytest.mark.parametrize("content", [b"", b"glTF", b"\0" * 100, b"glTF\2\0\0\0\xff\0\0\0\xff\xff\0\0JSON{"])
def test_foreign_and_cut_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.glb").write_bytes(content)
    with pytest.raises(FormatError, match=r"broken\.glb"):
        read_clips(tmp_path / "broken.glb")


def test_our_own_characters_read_back(tmp_path: Path) -> None:
    """Trunk, head, collars and feet exactly; limbs but for the rest directions of this body, hands by 7 degrees more:
    recordings have none, so they continue the forearm."""
    motion = walking(load_anny_body(), 1.0)
    (clip,) = read_clips(motion.save(tmp_path / "walk.glb"))
    world = motion.world_from_camera[:3, :3] @ motion.rotations  # [T, 19, 3, 3] y up
    to_anny = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    seconds = motion.time - motion.time[0]
    for bone, name in enumerate(BONES):
        true = Slerp(seconds, Rotation.from_matrix(to_anny @ world[:, bone] @ to_anny.T))(clip.frame_120 / 120)
        error = np.degrees((true.inv() * Rotation.from_rotvec(clip.rotvec[:, bone])).magnitude()).max()
        assert error < (8.0 if "wrist" in name else 2.0 if "arm" in name or "leg" in name else 0.02), name
