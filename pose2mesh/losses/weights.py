"""The weights of all terms of a stage of training."""

from typing import TYPE_CHECKING

from pydantic import ConfigDict, model_validator

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.plugins import check_name
from pose2mesh.settings import Strict, as_value_error


class LossConfig(Strict):
    """Weights; lengths in metres. Other names are losses that plug-ins registered."""

    model_config = ConfigDict(extra="allow")
    if not TYPE_CHECKING:  # checkers take it for a field, pydantic for the type of what is added
        __pydantic_extra__: dict[str, NotNegative]

    joint: NotNegative = 1.0  # lifted joints
    deviation: NotNegative = 0.1  # how far off lifted joints may be
    rotation: NotNegative = 0.1  # parameter network: entries of the bones' rotation matrices
    shape: NotNegative = 0.002  # parameter network: shape coefficients
    vertex: NotNegative = 1.0  # vertices of the finest level
    mesh_joint: NotNegative = 0.5  # joints regressed from the mesh
    coarse: NotNegative = 1.0  # vertices of every level but the finest
    normal: NotNegative = 0.0
    edge: NotNegative = 0.0
    weigh_limbs: bool = False  # parameter network: joints count 8, 4, 2 towards the ends of the limbs, as in the paper

    @model_validator(mode="after")
    def _check(self):
        for name in self.added:
            as_value_error(check_name, "loss", name)
        return self

    @property
    def added(self) -> dict[str, float]:
        """The weights of plug-ins."""
        return dict(self.model_extra or {})

    @property
    def terms(self) -> dict[str, float]:
        """The weights of all terms by name."""
        return self.model_dump(exclude={"weigh_limbs"})
