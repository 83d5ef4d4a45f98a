"""Bodies: shape and pose to vertices, and the joints of every joint set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pose2mesh.body_models.anny import AnnyBody, load_anny_body
from pose2mesh.body_models.hand import HandBody, body_vertices, load_hand_body
from pose2mesh.body_models.licensed import LicensedBody, load_licensed_body
from pose2mesh.body_models.licensed_files import FAMILIES
from pose2mesh.body_models.linear_blend import BodyOutput, LinearBlendBody
from pose2mesh.errors import InputError

__all__ = [
    "AnnyBody",
    "BodyOutput",
    "HandBody",
    "LicensedBody",
    "LinearBlendBody",
    "body_vertices",
    "load_anny_body",
    "load_body_model",
    "load_hand_body",
]

_LOADERS: dict[str, Callable[[str | Path | None], LinearBlendBody]] = {
    "anny-body": load_anny_body,
    "anny-hand": partial(load_hand_body, "right"),
    "anny-hand-left": partial(load_hand_body, "left"),
    **{name: partial(load_licensed_body, name) for name in FAMILIES},
}


def load_body_model(name: str, path: str | Path | None = None) -> LinearBlendBody:
    """Load a body by name; `path` is its file, or for SMPL and MANO a folder to look in first.

    Raises InputError for an unknown name, MissingFileError where a licensed file is not there, FormatError.
    """
    if name not in _LOADERS:
        raise InputError(f"unknown body model {name!r}; known: {', '.join(_LOADERS)}")
    return _LOADERS[name](path)
