"""VMC over loopback, read by a parser written from the OSC 1.0 specification, and posed by forward kinematics."""

import socket
import struct

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.exporters.vmc import HUMANOID, Avatar, VmcSender
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS
from pose2mesh.synthesis.walk import walking

pytest.importorskip("pythonosc", reason="python-osc is not installed; pip install 'pose2mesh[live]'")

BODY = load_anny_body()
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
        sender.send(Avatar(MOTION.betas[0], BODY).bones(MOTION.rotations[9], MOTION.translation[9]), 0.3)
        yield parse(listener.recv(65536))


def test_messages_of_a_frame(received):
    assert received[0] == ("/VMC/Ext/OK", [1])
    assert received[1] == ("/VMC/Ext/T", [pytest.approx(0.3)])
    assert received[2][0] == "/VMC/Ext/Root/Pos" and received[2][1][0] == "root"
    bones = [values for address, values in received if address == "/VMC/Ext/Bone/Pos"]
    assert {values[0] for values in bones} == set(HUMANOID.values()) and len(bones) == 19
    assert all(abs(np.linalg.norm(values[4:]) - 1) < 1e-5 for values in bones)


def test_forward_kinematics_points_the_limbs_where_they_are(received):
    """Unity's side: chain local turns, mirror back, and compare directions of limbs with the posed body."""
    bones = {values[0]: values[1:] for address, values in received if address == "/VMC/Ext/Bone/Pos"}
    places, turns = [], []
    for bone, parent in enumerate(MOTION_PARENTS):
        values = bones[HUMANOID[MOTION_BONES[bone]]]
        local = Rotation.from_quat(values[3:]).as_matrix()
        turns.append(local if parent < 0 else turns[parent] @ local)
        places.append(np.array(values[:3]) if parent < 0 else places[parent] + turns[parent] @ values[:3])
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
