"""What every network takes and returns."""

from typing import Any, NamedTuple

from torch import Tensor

from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set as find_joint_set


class BodyParameters(NamedTuple):
    """Pose and shape of a body model. The root's rotation turns the body's axes (y up) to those of the camera.

    Anny: world rotations of the 19 captured bones, each seen by the camera. SMPL and MANO: every joint against its
    parent, the root seen by the camera.
    """

    rotations: Tensor  # [B, R, 3, 3]
    betas: Tensor  # [B, S]


class MeshPrediction(NamedTuple):
    """Pelvis-relative (hand: wrist-relative), axes of a camera that looks at the person: x right, y down, z forward.

    `Pose2Mesh.predict` turns them to those of the picture's camera (`fitting.aiming`).
    """

    vertices: Tensor  # [B, V, 3] metres
    joints: Tensor  # [B, J, 3] metres

    @property
    def parameters(self) -> None:
        """None: the network knows a mesh alone."""

    @property
    def deviation(self) -> None:
        """None: the network does not say how sure it is."""


class UncertainPrediction(NamedTuple):
    """A mesh with what its network knows besides; frames as in MeshPrediction."""

    vertices: Tensor  # [B, V, 3] metres
    joints: Tensor  # [B, J, 3] metres
    deviation: Tensor  # [B, J] metres: the radius that holds the true joint in 68 of 100 cases
    parameters: BodyParameters  # of a body near the mesh, estimated beside it


class BodyPrediction(NamedTuple):
    """A mesh together with the parameters that it was made from; frames as in MeshPrediction."""

    vertices: Tensor  # [B, V, 3] metres
    joints: Tensor  # [B, J, 3] metres
    parameters: BodyParameters

    @property
    def deviation(self) -> None:
        """None, as of MeshPrediction."""


_SUREST = 1.001  # confidence, rounded
Prediction = MeshPrediction | BodyPrediction | UncertainPrediction


def check_keypoints(keypoints: Any, joint_set: str) -> None:
    """Raise InputError unless this is a batch of keypoints [B, J, 3] of a joint set."""
    joints = find_joint_set(joint_set).joints
    wanted = f"a floating-point tensor [B, {len(joints)}, 3] of x, y, confidence in {joint_set}"
    if not isinstance(keypoints, Tensor) or not keypoints.is_floating_point():
        found = keypoints.dtype if isinstance(keypoints, Tensor) else type(keypoints).__name__
        raise InputError(f"the network takes {wanted}; this is {found} (`predict` takes anything else)")
    if keypoints.ndim != 3 or tuple(keypoints.shape[1:]) != (len(joints), 3):
        raise InputError(f"the network takes {wanted}; this has the shape {list(keypoints.shape)}")
    values = keypoints.detach()
    bad = ~values[..., 2].isfinite() | ((values[..., 2] > 0) & ~values[..., :2].isfinite().all(-1))  # [B, J]
    if bad.any():
        person, joint = (int(i) for i in bad.nonzero()[0])
        raise InputError(f"keypoints of person {person}, joint {joints[joint]} are not finite; give it confidence 0")
    if (most := values[..., 2].amax().item() if len(values) else 0.0) > _SUREST:
        raise InputError(
            f"confidences go up to {most:g}, and the network knows 0 to 1; scale or cut them (`predict` takes anything "
            "else)"
        )
