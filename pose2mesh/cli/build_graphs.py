"""`pose2mesh build-graphs`: precompute the hierarchy that graph networks pool over, and list it."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import FormatError, InputError, MissingFileError

if TYPE_CHECKING:
    import numpy as np

    from pose2mesh.hierarchy import Hierarchy


def run(arguments: list[str]) -> int:
    """Build, store and list one hierarchy; errors are raised (see `pose2mesh.errors`)."""
    options = _parser().parse_args(arguments)
    if options.output.suffix != ".npz":
        raise InputError(f"-o {options.output}: a hierarchy is stored as .npz")

    from pose2mesh.hierarchy import build_hierarchy, save_hierarchy, update_manifest

    vertices, faces = read_mesh(options.mesh) if options.mesh else _read_body(options.body)
    hierarchy = build_hierarchy(
        vertices,
        faces,
        options.pooling,
        sizes=options.sizes,
        levels=options.levels,
        order=options.order,
        joint_set=options.joint_set,
    )
    if options.fit_upsampling:
        hierarchy = _fit_upsampling(hierarchy, options)
    if not options.force and not _may_write(options.output, hierarchy):
        print(f"{options.output} is there already and holds the same; nothing was written")
        return 0
    save_hierarchy(options.output, hierarchy)
    manifest = update_manifest(options.output, shlex.join(["pose2mesh", "build-graphs", *arguments]))
    print(f"wrote {options.output} ({options.output.stat().st_size / 1e6:.2f} MB), listed in {manifest}")
    print(f"  rows per level  {' '.join(map(str, hierarchy.sizes))}")
    print(f"  without fakes   {' '.join(map(str, hierarchy.real_sizes))}")
    return 0


def _may_write(path: Path, hierarchy: "Hierarchy") -> bool:
    """Whether the place is free (False: the same graphs are there). Raises InputError where anything else is.

    Weights belong to the very graphs they were trained on; others of the same sizes give another mesh without a word.
    """
    from pose2mesh.hierarchy import hierarchy_digest, load_hierarchy

    if not path.exists():
        return True
    try:
        is_same = hierarchy_digest(load_hierarchy(path)) == hierarchy_digest(hierarchy)
    except FormatError:
        is_same = False
    if not is_same:
        raise InputError(
            f"-o {path}: holds something else, and weights may have been trained on it; name another file, or add "
            "--force to replace it"
        )
    return False


def _parser() -> Parser:
    parser = Parser(prog="pose2mesh build-graphs", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--mesh", type=Path, help="OBJ, PLY, OFF, GLB, or NPZ with vertices and faces")
    source.add_argument("--body", help="a body model by name, such as anny-body")
    parser.add_argument("--joint-set", help="skeleton whose graph is stored too, such as coco17")
    parser.add_argument(
        "--pooling",
        choices=("hem", "qem"),
        default="qem",
        help="hem: heavy-edge matching, the paper's; qem: quadric decimation (default)",
    )
    parser.add_argument("--sizes", type=_sizes, help="qem: vertices per coarse level, such as 1723,431,108")
    parser.add_argument("--levels", type=int, help="hem: how often to halve (default: to at most 32 nodes)")
    parser.add_argument(
        "--order", choices=("stable", "legacy"), default="stable", help="hem: legacy for published weights"
    )
    parser.add_argument(
        "--fit-upsampling",
        type=int,
        metavar="BODIES",
        help="qem with --body: fit the upsampling on this many random bodies instead of the rest surface alone",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz", help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace OUT.npz where it holds other graphs")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def read_mesh(path: Path) -> tuple["np.ndarray", "np.ndarray"]:
    """Vertices [V, 3] and faces [F, 3] of a file, with the file's own indices; vertices that no face names stay.

    Raises MissingFileError, FormatError, and InputError for STL, which has no indices.
    """
    import numpy as np

    if not path.is_file():
        raise MissingFileError(f"--mesh {path}: no such file")
    if path.suffix.lower() == ".stl":
        raise InputError(f"--mesh {path}: STL repeats its vertices for every face; give OBJ, PLY, OFF, GLB or NPZ")
    if path.suffix == ".npz":
        from pose2mesh.npz import read_arrays

        arrays = read_arrays(path, ("vertices", "faces"))
        return arrays["vertices"], arrays["faces"]
    try:
        if path.suffix.lower() == ".obj":
            return _read_obj(path)
        import trimesh

        mesh = trimesh.load_mesh(path, process=False)
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    except Exception as error:  # each of trimesh's readers fails in its own way
        raise FormatError(f"--mesh {path}: cannot be read as a triangle mesh ({error})") from error


def _read_obj(path: Path) -> tuple["np.ndarray", "np.ndarray"]:
    """The positions and faces of an OBJ. General readers renumber: by texture corners, and without unused vertices."""
    import numpy as np

    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in values[:3]])
        elif kind == "f":
            given = [int(value.partition("/")[0]) for value in values]
            corners = [index - 1 if index > 0 else len(vertices) + index for index in given]  # negative: from the end
            faces += [[corners[0], *corners[i : i + 2]] for i in range(1, len(corners) - 1)]
    if not faces:
        raise ValueError("it holds no faces")
    return np.array(vertices), np.array(faces)


def _read_body(name: str) -> tuple["np.ndarray", "np.ndarray"]:
    """Rest vertices [V, 3] and faces [F, 3] of a body model."""
    import numpy as np

    from pose2mesh.body_models import load_body_model

    body = load_body_model(name)
    return np.asarray(body.v_template, np.float64), np.asarray(body.faces)


def _fit_upsampling(hierarchy: "Hierarchy", options: argparse.Namespace) -> "Hierarchy":
    """Replace every level's barycentric matrix by one that is fitted on random shapes and poses of the body."""
    import numpy as np

    from pose2mesh.body_models import load_body_model
    from pose2mesh.hierarchy import fit_upsampling
    from pose2mesh.plugins import resolve

    body = load_body_model(options.body) if options.body else None
    if hierarchy.pooling != "qem" or body is None or not body.kind.drawn:
        raise InputError("--fit-upsampling needs --pooling qem and --body anny-body or anny-hand: it samples that body")
    bodies = resolve(body.kind.drawn)(body, options.fit_upsampling)  # [S, V, 3]
    for level in range(hierarchy.num_levels - 1):
        ids, coarse_ids = hierarchy.vertex_ids[level], hierarchy.vertex_ids[level + 1]
        within = np.searchsorted(ids, coarse_ids)
        matrix = fit_upsampling(bodies[:, ids], hierarchy.level_faces[level], within, neighbors=12, ridge=1e-3)
        hierarchy = hierarchy.with_upsampling(level, matrix)
    return hierarchy
