"""What every network returns."""

from typing import NamedTuple

from torch import Tensor


class BodyParameters(NamedTuple):
    """Pose and shape of a body model. The root's rotation turns the body's axes (y up) to those of the camera.

    Anny: world rotations of the 19 captured bones, each seen by the camera. SMPL and MANO: every joint against its
    parent, the root seen by the camera.
    """

    rotations: Tensor  # [B, R, 3, 3]
    betas: Tensor  # [B, S]


class MeshPrediction(NamedTuple):
    """Pelvis-relative (hand: wrist-relative), camera axes (x right, y down, z forward)."""

    vertices: Tensor  # [B, V, 3] metres
    joints: Tensor  # [B, J, 3] metres


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
