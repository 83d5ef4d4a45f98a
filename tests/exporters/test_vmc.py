"""VMC over loopback, read by a parser written from the OSC 1.0 specification, and posed by forward kinematics."""

import socket
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.live import Puppet
from pose2mesh.errors import InputError
from pose2mesh.exporters.vmc import HUMANOID, Avatar, VmcSender
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Camera, Person

pytest.importorskip("pythonosc", reason="python-osc is not installed; pip install 'pose2mesh[live]'")

BODY = load_anny_body()
Y_UP = np.diag([1.0, -1.0, -1.0])  # before a camera held level
MOTION = walking(BODY, 0.5)


def text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), (end // 4 + 1) * 4


def parse(data: bytes) -> list[tuple[str, list]]:
    """Messages of an OSC packet: a bundle of messages, or one."""
    if data.startswith(b"#bundle\0"):
        messages, at = [], 16
        while at < len(data):
            (size,) = struct.unpack_from(">i", data, at)
            messages += parse(data[at + 4 : at + 4 + size])
            at += 4 + size
        return messages
    address, at = text(data, 0)
    kinds, at = text(data, at)
    values = []
    for kind in kinds[1:]:
        if kind == "s":
            value, at = text(data, at)
        else:
            (value,) = struct.unpack_from(">" + kind, data, at)
            at += 4
        values.append(value)
    return [(address, values)]


@pytest.fixture
def received():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        sender = VmcSender(f"127.0.0.1:{listener.getsockname()[1]}")
        sender.send(Avatar(MOTION.betas[0], BODY).bones(Y_UP @ MOTION.rotations[9], Y_UP @ MOTION.translation[9]), 0.3)
        yield parse(listener.recv(65536))


def test_messages_of_a_frame(received):
    assert received[0] == ("/VMC/Ext/OK", [1])
    assert received[1] == ("/VMC/Ext/T", [pytest.approx(0.3)])
    assert received[2][0] == "/VMC/Ext/Root/Pos" and received[2][1][0] == "root"
    bones = [values for address, values in received if address == "/VMC/Ext/Bone/Pos"]
    assert {values[0] for values in bones} == set(HUMANOID.values()) and len(bones) == 19
    assert all(abs(np.linalg.norm(values[4:]) - 1) < 1e-5 for values in bones)


def heads_of(messages) -> list[np.ndarray]:
    """Where a receiver shows the bones' heads, Unity's axes: local turns chained."""
    bones = {values[0]: values[1:] for address, values in messages if address == "/VMC/Ext/Bone/Pos"}
    places, turns = [], []
    for bone, parent in enumerate(MOTION_PARENTS):
        values = bones[HUMANOID[MOTION_BONES[bone]]]
        local = Rotation.from_quat(values[3:]).as_matrix()
        turns.append(local if parent < 0 else turns[parent] @ local)
        places.append(np.array(values[:3]) if parent < 0 else places[parent] + turns[parent] @ values[:3])
    return places


def test_forward_kinematics_points_the_limbs_where_they_are(received):
    """Directions of limbs as those of the posed body."""
    places = heads_of(received)
    pose = BODY.expand_pose(torch.from_numpy(MOTION.rotations[[9]]))
    heads = BODY(torch.from_numpy(MOTION.betas[[9]]), pose).joints[0].numpy() @ np.diag([-1.0, -1, -1])  # Unity's axes
    rows = [BODY.bone_names.index(name) for name in MOTION_BONES]
    for start, end in (("upperarm01", "lowerarm01"), ("upperleg01", "lowerleg01"), ("lowerleg01", "foot")):
        for side in "LR":
            pair = [MOTION_BONES.index(f"{name}.{side}") for name in (start, end)]
            sent, true = places[pair[1]] - places[pair[0]], heads[rows[pair[1]]] - heads[rows[pair[0]]]
            np.testing.assert_allclose(sent, true, atol=2e-3)


@pytest.mark.parametrize("address", ["nowhere", "host:", ":39539", "127.0.0.1:0", "127.0.0.1:99999"])
def test_addresses_that_are_none(address):
    with pytest.raises(InputError, match="HOST:PORT"):
        VmcSender(address)


def hips_and_feet(motion, lift=0.0) -> np.ndarray:
    """Hips, left and right foot [T, 3, 3] that a receiver shows, Unity's axes; somebody is `lift` m higher, [T]."""
    places = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        sender, avatar = VmcSender(f"127.0.0.1:{listener.getsockname()[1]}"), Avatar(motion.betas[0], BODY)
        shifts = np.broadcast_to(lift, len(motion))[:, None] * [0.0, -1.0, 0.0]  # y down
        for i, place in enumerate(motion.translation + shifts):
            sender.send(avatar.bones(Y_UP @ motion.rotations[i], Y_UP @ place), motion.time[i])
            heads = heads_of(parse(listener.recv(65536)))
            places.append([heads[0], *(heads[MOTION_BONES.index(f"foot.{side}")] for side in "LR")])
    return np.array(places)


def test_avatars_start_at_their_root_and_walk_on_its_floor():
    walk = walking(BODY, 2.0)
    hips, *feet = hips_and_feet(walk).swapaxes(0, 1)
    np.testing.assert_allclose(hips[0, [0, 2]], 0, atol=1e-6)
    moved = (walk.translation - walk.translation[0]) * [-1, -1, -1]  # Unity's axes
    np.testing.assert_allclose(hips[:, [0, 2]], moved[:, [0, 2]], atol=1e-4)
    rest = BODY.rest(torch.zeros(1, 16))
    ankle = rest.joints[0, BODY.bone_names.index("foot.L"), 1] - rest.vertices[0, :, 1].min()
    np.testing.assert_allclose(np.min(feet, 0)[:, 1], ankle, atol=0.02)
    assert np.abs(np.diff(hips[:, 1])).max() < 0.03  # no jumps


def test_who_jumps_leaves_the_floor_and_comes_back():
    walk = walking(BODY, 3.0)
    lift = np.maximum(0, 0.4 - 4.9 * (walk.time - 1) ** 2)  # [T] m
    feet = hips_and_feet(walk, lift)[:, 1:, 1].min(1) - hips_and_feet(walk)[:, 1:, 1].min(1)
    assert feet[lift.argmax()] > 0.33 and abs(feet[walk.time > 2.5]).max() < 0.02


@pytest.mark.parametrize("tilt", [-20, 0, 20])
def test_avatars_stand_upright_before_a_tilted_camera(tilt):
    walk, puppet, sent = walking(BODY, 5.0), Puppet(), []
    turn = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    for i, place in enumerate(walk.translation @ turn.T):
        parameters = {"rotations": turn @ walk.rotations[i], "betas": walk.betas[i]}
        camera, joints = Camera(700.0, (320.0, 240.0), place), walk.joints[i] @ turn.T
        person = Person(np.zeros((0, 3)), BODY.faces.numpy(), joints, walk.joint_names, walk.keypoints[i], camera)
        sent.append(puppet.bones(replace(person, parameters=parameters, track=0), walk.time[i])[0])
    up = np.array([Rotation.from_quat(hips.quaternion).as_matrix()[1, 1] for hips in sent])  # cosine of the lean
    assert np.degrees(np.arccos(up[-1])) < 3 and np.degrees(np.arccos(up).max()) < abs(tilt) + 2
    moved = (walk.translation[-1] - walk.translation[0]) * -1  # Unity's axes
    np.testing.assert_allclose((sent[-1].position - sent[0].position)[[0, 2]], moved[[0, 2]], atol=0.06)
