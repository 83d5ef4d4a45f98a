"""The weights of all terms of a stage of training."""

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.settings import Strict


class LossConfig(Strict):
    """Weights; lengths in metres."""

    joint: NotNegative = 1.0  # lifted joints
    coarse: NotNegative = 1.0  # vertices of every level but the finest
    vertex: NotNegative = 1.0  # vertices of the finest level
    mesh_joint: NotNegative = 0.5  # joints regressed from the mesh
    normal: NotNegative = 0.0
    edge: NotNegative = 0.0
    deviation: NotNegative = 0.1  # how far off lifted joints may be
    rotation: NotNegative = 0.1  # parameter network: entries of the bones' rotation matrices
    shape: NotNegative = 0.002  # parameter network: shape coefficients
    weigh_limbs: bool = False  # parameter network: joints count 8, 4, 2 towards the ends of the limbs, as in the paper
