"""People as avatars' bones over the network: the VMC protocol (OSC over UDP) of VSeeFace, Warudo, Unity and Unreal.

Bones have the names of Unity's humanoid and turn against a T-pose. Unity's axes are left-handed: y up, z forward, x to
the right of somebody who looks along z, so x is negated against the package's body axes.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.errors import InputError, optional_import
from pose2mesh.exporters.bvh import straight_limbs
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS

_TRUNK = {"root": "Hips", "spine03": "Spine", "spine01": "Chest", "neck01": "Neck", "head": "Head"}
_LIMBS = {
    **{"clavicle": "Shoulder", "upperarm01": "UpperArm", "lowerarm01": "LowerArm", "wrist": "Hand"},
    **{"upperleg01": "UpperLeg", "lowerleg01": "LowerLeg", "foot": "Foot"},
}
HUMANOID = _TRUNK | {f"{b}.{s}": side + n for b, n in _LIMBS.items() for s, side in (("L", "Left"), ("R", "Right"))}
_Y_UP = np.diag([1.0, -1.0, -1.0])  # camera axes to y up
_MIRROR = np.array([-1.0, 1.0, 1.0])


class Bone(NamedTuple):
    """One bone as VMC sends it: against its parent, Unity's axes."""

    name: str
    position: np.ndarray  # [3] metres
    quaternion: np.ndarray  # [4] x, y, z, w


class Avatar:
    """The T-pose of a shape, and the bones of its poses."""

    def __init__(self, betas: np.ndarray, body: AnnyBody | None = None) -> None:
        """`betas` [S] of the person."""
        body = body or load_anny_body()
        heads = body.rest(torch.from_numpy(betas.astype(np.float32))[None]).joints[0].numpy()  # [K, 3]
        rows = [body.bone_names.index(name) for name in MOTION_BONES]
        self._heads = heads[rows]  # [19, 3]
        self._straight = straight_limbs(MOTION_BONES, body.bone_names, heads)  # [19, 3, 3]

    def bones(self, rotations: np.ndarray, translation: np.ndarray) -> list[Bone]:
        """Of one frame: rotations [19, 3, 3] as the camera sees them, and where the pelvis is [3] in camera axes."""
        world = _Y_UP @ rotations @ self._straight.swapaxes(-1, -2)  # [19, 3, 3] against the T-pose
        bones = []
        for bone, parent in enumerate(MOTION_PARENTS):
            turn = world[bone] if parent < 0 else world[parent].T @ world[bone]
            offset = self._straight[parent] @ (self._heads[bone] - self._heads[parent])  # [3]
            place = _Y_UP @ translation if parent < 0 else offset
            x, y, z, w = Rotation.from_matrix(turn).as_quat()
            bones.append(Bone(HUMANOID[MOTION_BONES[bone]], place * _MIRROR, np.array([x, -y, -z, w])))
        return bones


class VmcSender:
    """Sends one avatar to HOST:PORT, one bundle a frame."""

    def __init__(self, address: str) -> None:
        """Raises InputError for an address that is none, MissingDependencyError without python-osc."""
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise InputError(f"--vmc {address!r} is not HOST:PORT, for example 127.0.0.1:39539")
        with optional_import("VMC needs python-osc: pip install 'pose2mesh[live]'"):
            from pythonosc.udp_client import SimpleUDPClient
        try:
            self._client = SimpleUDPClient(host, int(port))
        except OSError as error:
            raise InputError(f"--vmc {address!r}: {error.strerror}; give a host that is there") from error

    def send(self, bones: list[Bone], time: float) -> None:
        """All bones of a frame `time` seconds after the start; the root of the avatar stays at the origin."""
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        bundle = OscBundleBuilder(IMMEDIATELY)  # pyright: ignore[reportArgumentType]
        root = ("root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        messages = [("/VMC/Ext/OK", (1,)), ("/VMC/Ext/T", (float(time),)), ("/VMC/Ext/Root/Pos", root)]
        for bone in bones:
            values = (float(value) for value in (*bone.position, *bone.quaternion))
            messages.append(("/VMC/Ext/Bone/Pos", (bone.name, *values)))
        for address, arguments in messages:
            message = OscMessageBuilder(address)
            for argument in arguments:
                message.add_arg(argument)
            bundle.add_content(message.build())
        self._client.send(bundle.build())
