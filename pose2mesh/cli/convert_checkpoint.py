"""`pose2mesh convert-checkpoint`: a checkpoint of the Pose2Mesh release to weights that this package loads."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from pose2mesh.checkpoints.official import Variant

KINDS = ("human36", "coco", "smpl", "mano", "key2mesh")


def run(arguments: list[str]) -> int:
    """Convert one file; errors are raised (see `pose2mesh.errors`)."""
    options = _parser().parse_args(arguments)
    if options.output.suffix != ".safetensors":
        raise InputError(f"-o {options.output}: weights are stored as .safetensors")

    from pose2mesh.paths import write_bytes

    content, what = (_key2mesh if options.kind == "key2mesh" else _pose2mesh)(options)
    write_bytes(options.output, content)
    print(f"wrote {options.output} ({len(content) / 1e6:.0f} MB): {what}")
    return 0


def _pose2mesh(options: argparse.Namespace) -> tuple[bytes, str]:
    """The file's content and what it is: both stages or the first."""
    from pose2mesh.checkpoints import official

    variant = official.VARIANTS[options.kind]
    state = official.read_official(options.checkpoint)
    if not official.is_whole_network(state):
        return official.convert_posenet(options.checkpoint, state, variant), "PoseNet alone"
    faces, source = _faces(options, variant)
    hierarchy = official.build_graph(faces, variant)
    official.check_published(hierarchy, variant, source)
    what = f"PoseNet and MeshNet, graph of {hierarchy.sizes[0]} rows; it holds the faces of a licensed model"
    return official.convert_network(options.checkpoint, state, variant, hierarchy), what


def _key2mesh(options: argparse.Namespace) -> tuple[bytes, str]:
    """The adapted extractor and the head; nothing licensed goes into the file."""
    from pose2mesh.checkpoints.key2mesh import convert_key2mesh
    from pose2mesh.checkpoints.official import read_official

    state = read_official(options.checkpoint, "state_dict", "Key2Mesh")
    return convert_key2mesh(options.checkpoint, state), "extractor and parameter head for SMPL"


def _parser() -> Parser:
    parser = Parser(prog="pose2mesh convert-checkpoint", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="OFFICIAL.pth.tar, or a .ckpt of Key2Mesh")
    parser.add_argument(
        "--kind", choices=KINDS, required=True, help="which joints it takes; key2mesh for a checkpoint of that"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--mesh", type=Path, help="mesh file with the faces of SMPL or MANO in their own order")
    source.add_argument("--body", help="body model to take the faces from (default: smpl-neutral or mano-right)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.safetensors", help="the file to write")
    return parser


def _faces(options: argparse.Namespace, variant: "Variant") -> tuple["np.ndarray", str]:
    """Faces [F, 3] of the mesh file or the body model, and the words for where they came from."""
    import numpy as np

    if options.mesh:
        from pose2mesh.cli.build_graphs import read_mesh

        return np.asarray(read_mesh(options.mesh)[1]), f"--mesh {options.mesh}"
    from pose2mesh.body_models import load_body_model

    name = options.body or variant.mesh.body
    body = load_body_model(name)
    return body.faces.numpy(), str(body.path or name)
