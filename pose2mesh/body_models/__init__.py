"""Bodies: shape and pose to vertices, and the joints of every joint set."""

from pose2mesh.body_models.anny import AnnyBody, load_anny_body
from pose2mesh.body_models.linear_blend import BodyOutput, LinearBlendBody, world_to_relative
from pose2mesh.errors import InputError

__all__ = [
    "AnnyBody",
    "BodyOutput",
    "LinearBlendBody",
    "load_anny_body",
    "load_body_model",
    "world_to_relative",
]

_LOADERS = {"anny-body": load_anny_body}


def load_body_model(name: str) -> LinearBlendBody:
    """Load a body by name. Raises InputError for an unknown name."""
    if name not in _LOADERS:
        raise InputError(f"unknown body model {name!r}; known: {', '.join(_LOADERS)}")
    return _LOADERS[name]()
