"""People as avatars' bones over the network: the VMC protocol (OSC over UDP) of VSeeFace, Warudo, Unity and Unreal.

Bones have the names of Unity's humanoid and turn against a T-pose. Unity's axes are left-handed: y up, z forward, x to
the right of somebody who looks along z, so x is negated against the package's body axes. Hips are where the avatar's
root is when somebody is first seen, over its floor, and go from there as the person does.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.body_models.soles import sole_vertices
from pose2mesh.errors import InputError, optional_import
from pose2mesh.exporters.bvh import straight_limbs
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS

_TRUNK = {"root": "Hips", "spine03": "Spine", "spine01": "Chest", "neck01": "Neck", "head": "Head"}
_LIMBS = {
    **{"clavicle": "Shoulder", "upperarm01": "UpperArm", "lowerarm01": "LowerArm", "wrist": "Hand"},
    **{"upperleg01": "UpperLeg", "lowerleg01": "LowerLeg", "foot": "Foot"},
}
HUMANOID = _TRUNK | {f"{b}.{s}": side + n for b, n in _LIMBS.items() for s, side in (("L", "Left"), ("R", "Right"))}
_MIRROR = np.array([-1.0, 1.0, 1.0])
_SINKS, _RISES = 0.3, 1.0  # seconds in which the floor follows feet that are below it, or above
_MOST_ABOVE = 0.1  # metres: feet that are higher are in the air, so the floor hardly follows a jump


class Bone(NamedTuple):
    """One bone as VMC sends it: against its parent, Unity's axes."""

    name: str
    position: np.ndarray  # [3] metres
    quaternion: np.ndarray  # [4] x, y, z, w
    height: float = 0.0  # metres above the lower sole, of the hips


class Avatar:
    """The T-pose of a shape, and the bones of its poses."""

    def __init__(self, betas: np.ndarray, body: AnnyBody | None = None) -> None:
        """`betas` [S] of the person."""
        body = body or load_anny_body()
        rest = body.rest(torch.from_numpy(betas.astype(np.float32))[None])
        heads = rest.joints[0].numpy()  # [K, 3]
        rows = [body.bone_names.index(name) for name in MOTION_BONES]
        self._heads = heads[rows]  # [19, 3]
        self._straight = straight_limbs(MOTION_BONES, body.bone_names, heads)  # [19, 3, 3]
        self._feet = [MOTION_BONES.index(f"foot.{side}") for side in "LR"]
        self._soles = rest.vertices[0].numpy()[sole_vertices(body)] - self._heads[self._feet, None]  # [2, 2, 3]

    def bones(self, rotations: np.ndarray, place: np.ndarray) -> list[Bone]:
        """Of one frame: rotations [19, 3, 3] and where the pelvis is [3] m, x to the right, y up, z to the camera."""
        turns = rotations @ self._straight.swapaxes(-1, -2)  # [19, 3, 3] against the T-pose
        bones = []
        for bone, parent in enumerate(MOTION_PARENTS):
            x, y, z, w = Rotation.from_matrix(turns[bone] if parent < 0 else turns[parent].T @ turns[bone]).as_quat()
            offset = place if parent < 0 else self._offset(bone)
            bones.append(Bone(HUMANOID[MOTION_BONES[bone]], offset * _MIRROR, np.array([x, -y, -z, w])))
        return [bones[0]._replace(height=-self.soles(rotations)[..., 1].min()), *bones[1:]]

    def soles(self, rotations: np.ndarray) -> np.ndarray:
        """Heels and toes [2, 2, 3] m of both feet, from the hips, in the axes of the rotations [19, 3, 3]."""
        turns, heads = rotations @ self._straight.swapaxes(-1, -2), np.zeros((len(rotations), 3))
        for bone, parent in enumerate(MOTION_PARENTS[1:], 1):
            heads[bone] = heads[parent] + turns[parent] @ self._offset(bone)
        return heads[self._feet, None] + self._soles @ rotations[self._feet].swapaxes(-1, -2)

    def _offset(self, bone: int) -> np.ndarray:
        """Head [3] of a bone from its parent's, in the T-pose."""
        parent = MOTION_PARENTS[bone]
        return self._straight[parent] @ (self._heads[bone] - self._heads[parent])


class Floor:
    """Moves hips from where a camera sees them to an avatar's root: it follows the lower foot slowly, so that the
    avatar neither jumps when a foot lifts, nor sinks when somebody jumps.
    """

    def __init__(self) -> None:
        self._origin = np.zeros(3)  # of the avatar's root, as Unity has it
        self._time: float | None = None

    def __call__(self, hips: Bone, time: float) -> np.ndarray:
        """Position [3] of the hips at `time` s, which ascends."""
        above = hips.position[1] - hips.height - self._origin[1]  # of the lower sole over the floor
        if self._time is None:
            self._origin = hips.position - [0.0, hips.height, 0.0]
        else:
            seconds = _SINKS if above < 0 else _RISES
            self._origin[1] += min(above, _MOST_ABOVE) * (1 - np.exp((self._time - time) / seconds))
        self._time = time
        return hips.position - self._origin


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
            self._client, self._floor = SimpleUDPClient(host, int(port)), Floor()
        except OSError as error:
            raise InputError(f"--vmc {address!r}: {error.strerror}; give a host that is there") from error

    def send(self, bones: list[Bone], time: float) -> None:
        """All bones of a frame `time` seconds after the start; the root of the avatar stays where somebody began."""
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        bundle = OscBundleBuilder(IMMEDIATELY)  # pyright: ignore[reportArgumentType]
        root = ("root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        messages = [("/VMC/Ext/OK", (1,)), ("/VMC/Ext/T", (float(time),)), ("/VMC/Ext/Root/Pos", root)]
        hips = bones[0]._replace(position=self._floor(bones[0], time))
        for bone in (hips, *bones[1:]):
            values = (float(value) for value in (*bone.position, *bone.quaternion))
            messages.append(("/VMC/Ext/Bone/Pos", (bone.name, *values)))
        for address, arguments in messages:
            message = OscMessageBuilder(address)
            for argument in arguments:
                message.add_arg(argument)
            bundle.add_content(message.build())
        self._client.send(bundle.build())
