"""Bodies: shape and pose to vertices, and the joints of every joint set."""

from functools import partial
from pathlib import Path

from pose2mesh.body_models.anny import AnnyBody, load_anny_body
from pose2mesh.body_models.hand import HandBody, body_vertices, load_hand_body
from pose2mesh.body_models.licensed import LicensedBody, load_licensed_body
from pose2mesh.body_models.licensed_files import FAMILIES
from pose2mesh.body_models.linear_blend import BodyOutput, LinearBlendBody
from pose2mesh.body_models.mesh import MeshBody, load_mesh_body
from pose2mesh.plugins import make, register

__all__ = [
    "AnnyBody",
    "BodyOutput",
    "HandBody",
    "LicensedBody",
    "LinearBlendBody",
    "MeshBody",
    "body_vertices",
    "load_anny_body",
    "load_body_model",
    "load_hand_body",
]

register("body", "anny-body", load_anny_body)
register("body", "anny-hand", partial(load_hand_body, "right"))
register("body", "anny-hand-left", partial(load_hand_body, "left"))
for _name in FAMILIES:
    register("body", _name, partial(load_licensed_body, _name))


def load_body_model(name: str, path: str | Path | None = None) -> LinearBlendBody:
    """Load a body by name; `path` is its file, or for SMPL and MANO a folder to look in first.

    A name that ends in .npz is the file of a mesh without a body model (`MeshBody`). Raises InputError for an unknown
    name, MissingFileError where a licensed file is not there, FormatError.
    """
    if name.endswith(".npz"):
        return load_mesh_body(name)  # pyright: ignore[reportReturnType]
    body = make("body", name, path)
    body.name = name  # motions and networks say whose parameters they hold
    return body
