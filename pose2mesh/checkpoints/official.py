"""The checkpoints of the Pose2Mesh release (Choi et al. 2020), made independent of the environment they came from.

They hold no graph: the release rebuilds it at import, with a sort whose ties depend on NumPy's version and on the
processor. Conversion rebuilds it once in the published order, checks it, and stores it beside the weights, so that
loading needs neither the licensed faces nor that order again.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from scipy.sparse import csr_matrix
from torch import Tensor

from pose2mesh.checkpoints.tensors import load_tensors
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.hierarchy import Hierarchy, build_hierarchy
from pose2mesh.hierarchy.adjacency import num_nodes
from pose2mesh.networks.classic_body import ClassicBody, ClassicLifter
from pose2mesh.networks.meshnet import BODY_PLAN, HAND_PLAN, ChannelPlan, MeshNet
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet
from pose2mesh.skeletons import joint_set

KIND, POSENET_KIND = "published", "published-posenet"  # `kind` in the settings of converted files
_SUFFIXES = (".pth.tar", ".ckpt")
_REFUSED = re.compile(r"GLOBAL (\S+)")  # how torch names what a pickle may not ask for
_GRAPH = "graph."  # tensors under this name are the graph, all others the network's state


@dataclass(frozen=True)
class MeshFacts:
    """What is known of the mesh that checkpoints of a kind belong to."""

    body: str  # a body model that has its faces
    vertices: int
    faces: int
    halvings: int
    finest: int  # rows of the finest level, fakes included
    coarsest: int  # rows of the coarsest level that the network uses
    # sha1 of the int32 row -> vertex and vertex -> row orders of the finest level, where they are known
    permutation_sha1: str | None = None
    inverse_sha1: str | None = None


@dataclass(frozen=True)
class Variant:
    """One kind of published checkpoint."""

    joints: str
    plan: ChannelPlan
    mesh: MeshFacts
    width: int = 4096  # of PoseNet


SMPL_MESH = MeshFacts(
    "smpl-neutral", 6890, 13776, 9, 12288, 96,
    "d38c933a34626248662e46bfcd233345f5c96d78", "ca090433cbae6f0fd48d9b3f660ac03f1fcd1e3b",
)  # fmt: skip
MANO_MESH = MeshFacts("mano-right", 778, 1538, 6, 1088, 68)
VARIANTS = {
    "human36": Variant("human36m17", BODY_PLAN, SMPL_MESH),
    "coco": Variant("coco19", BODY_PLAN, SMPL_MESH),
    "smpl": Variant("smpl24", BODY_PLAN, SMPL_MESH),
    "mano": Variant("hand21", HAND_PLAN, MANO_MESH),
}


def read_official(path: str | Path, key: str = "model_state_dict", release: str = "Pose2Mesh") -> dict[str, Tensor]:
    """The weights under `key` in a checkpoint of a `release`, by name, without the `module.` of a parallel run.

    Logs in the file may hold NumPy scalars; nothing else beyond tensors and plain values is let through. Raises
    MissingFileError, FormatError.
    """
    path = Path(path)
    if path.is_dir():
        inside = sorted(file.name for file in path.iterdir() if file.name.endswith(_SUFFIXES))
        what = f" {inside[0]}" if inside else f", a file *{' or *'.join(_SUFFIXES)}"
        raise InputError(f"{path} is a folder; give the checkpoint in it{what}")
    if not path.is_file():
        raise MissingFileError(f"no checkpoint at {path}; give OFFICIAL.pth.tar of the release, or a .ckpt of Key2Mesh")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            content = load_tensors(path)
        state = content[key]
        return {name.removeprefix("module."): _check_weights(name, value) for name, value in state.items()}
    except Exception as error:  # torch's readers fail on foreign files in a dozen ways
        reason = _reason(error, key)
        raise FormatError(f"{path} is no checkpoint of the {release} release ({reason}); download it again") from error


def _reason(error: Exception, key: str) -> str:
    """Why a checkpoint was not read; torch's own text tells how to read it unsafely."""
    if refused := _REFUSED.search(str(error)):
        return f"it asks for {refused[1][:80]!r}, where only tensors and plain values are let through"
    if "Weights only load failed" in str(error):
        return "it holds other things than tensors and plain values"
    if isinstance(error, KeyError) and error.args == (key,):
        return f"it has no {key!r}"
    return " ".join(str(error).partition(". ")[0].split())[:160] or type(error).__name__


def _numpy_scalars() -> list:
    """What a pickled NumPy number names: its constructor and its type."""
    scalar = np.float64(0).__reduce__()[0]  # type: ignore[index]
    types = [type(np.dtype(code)) for code in ("f4", "f8", "i4", "i8")]
    return [*((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")), np.dtype, *types]


def _check_weights(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is no tensor")
    if value.is_floating_point() and not value.isfinite().all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return value.float() if value.is_floating_point() else value


def is_whole_network(state: dict[str, Tensor]) -> bool:
    """Whether these are the weights of both stages; otherwise they can only be PoseNet's."""
    return any(name.startswith("pose_lifter.") for name in state)


def build_graph(faces: np.ndarray, variant: Variant) -> Hierarchy:
    """The hierarchy of a mesh [F, 3] in the order of the release."""
    nowhere = np.zeros((int(faces.max()) + 1, 3))  # heavy-edge matching does not look at positions
    return build_hierarchy(
        nowhere, faces, "hem", levels=variant.mesh.halvings, order="legacy", joint_set=variant.joints
    )


def check_published(hierarchy: Hierarchy, variant: Variant, source: str = "the mesh") -> None:
    """Raise InputError unless this is the graph that the published weights were trained on, in its order.

    `source` names where the faces came from. For SMPL the order itself is known by its digests, so another topology of
    the same size, or a sort that broke ties otherwise, is told apart; for MANO only the sizes are known.
    """
    facts = variant.mesh
    found = (hierarchy.num_vertices, len(hierarchy.faces))
    if found != (facts.vertices, facts.faces):
        raise InputError(
            f"{source}: the faces are of a mesh with {found[0]} vertices and {found[1]} faces; these checkpoints "
            f"belong to {facts.body} with {facts.vertices} and {facts.faces}"
        )
    remedy = f"these are not the {facts.body} faces in their own order; get the model again (docs/licensed-models.md)"
    sizes = (hierarchy.sizes[0], hierarchy.sizes[len(variant.plan) - 3])
    if sizes != (facts.finest, facts.coarsest):
        raise InputError(f"{source}: its graph has {sizes} rows, not {(facts.finest, facts.coarsest)}: {remedy}")
    inverse = np.argsort(hierarchy.permutation, kind="stable")  # the release keeps the rows of fakes too
    orders = {facts.permutation_sha1: hierarchy.permutation, facts.inverse_sha1: inverse}
    for expected, order in orders.items():
        if expected and hashlib.sha1(order.astype("<i4").tobytes()).hexdigest() != expected:
            raise InputError(f"{source}: the order of its graph is not the published one: {remedy}")


def convert_network(path: Path, state: dict[str, Tensor], variant: Variant, hierarchy: Hierarchy) -> bytes:
    """Content of a weights file with both stages and the graph. `path` is named in errors only.

    Raises FormatError where a tensor is missing, unknown or misshapen.
    """
    count = len(variant.plan) - 2
    levels = [hierarchy.scaled_laplacian(level, "release") for level in reversed(range(count))]
    assert hierarchy.joint_laplacian is not None  # build_graph was given a joint set
    graph = {
        "permutation": torch.tensor(hierarchy.permutation, dtype=torch.int32),
        "inverse": torch.tensor(hierarchy.inverse, dtype=torch.int32),
        "faces": torch.tensor(np.asarray(hierarchy.faces), dtype=torch.int32),
        **_matrix_to_tensors("joints", hierarchy.joint_laplacian),
    }
    for i, level in enumerate(levels):
        graph |= _matrix_to_tensors(f"level{i}", level)
    network = _build(variant.joints, variant.plan, 1, graph)  # PoseNet's own shapes are checked by themselves
    expected = {k: v for k, v in network.network.state_dict().items() if not k.startswith("pose_lifter.")}
    expected |= {f"pose_lifter.{k}": v for k, v in _posenet_shapes(variant).items()}
    _check_shapes(path, state, expected)
    tensors = {f"network.{name}": value for name, value in state.items()}
    return _pack(KIND, variant, tensors | {_GRAPH + name: value for name, value in graph.items()})


def convert_posenet(path: Path, state: dict[str, Tensor], variant: Variant) -> bytes:
    """Content of a weights file with PoseNet alone, the first stage of training. Raises FormatError."""
    _check_shapes(path, state, _posenet_shapes(variant))
    # Named as in the whole network, so that training of the second stage can start from them.
    return _pack(POSENET_KIND, variant, {f"network.pose_lifter.{name}": value for name, value in state.items()})


def build_official(tensors: dict[str, Tensor], settings: dict[str, Any]) -> ClassicBody | ClassicLifter:
    """The network of a converted file, without its weights yet; takes the graph out of `tensors`."""
    if settings["kind"] == POSENET_KIND:
        skeleton = joint_set(settings["joints"])
        return ClassicLifter(PoseNet(len(skeleton), width=settings["width"]), skeleton.name)
    graph = {name.removeprefix(_GRAPH): tensors.pop(name) for name in list(tensors) if name.startswith(_GRAPH)}
    return _build(settings["joints"], tuple(map(tuple, settings["plan"])), settings["width"], graph)


def _build(joints: str, plan: ChannelPlan, width: int, graph: dict[str, Tensor]) -> ClassicBody:
    skeleton = joint_set(joints)
    levels = [_tensors_to_matrix(f"level{i}", graph) for i in range(len(plan) - 2)]
    inverse, faces = graph["inverse"].numpy(), graph["faces"].numpy()
    if not 0 <= inverse.min() <= inverse.max() < num_nodes(levels[-1]) or not 0 <= faces.min() <= faces.max() < len(
        inverse
    ):
        raise ValueError("its graph names rows or vertices that are not there")
    meshnet = MeshNet(_tensors_to_matrix("joints", graph), levels, inverse, plan)
    network = ClassicPose2Mesh(PoseNet(len(skeleton), width=width), meshnet)
    return ClassicBody(network, faces=faces, joint_set=skeleton.name, output_joint_names=skeleton.joints)


def _posenet_shapes(variant: Variant) -> dict[str, Tensor]:
    with torch.device("meta"):  # shapes without 270 MB of numbers
        return dict(PoseNet(len(joint_set(variant.joints)), width=variant.width).state_dict())


def _check_shapes(path: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    remedy = "check --kind, and that the file is a checkpoint of the release"
    for name in [*expected, *state]:
        if name not in state:
            raise FormatError(f"{path} lacks {name}; {remedy}")
        if name not in expected:
            raise FormatError(f"{path} holds {name}, which the network does not have; {remedy}")
        found, wanted = tuple(state[name].shape), tuple(expected[name].shape)
        if found != wanted:
            raise FormatError(f"{path}: {name} is {found}, the network needs {wanted}; {remedy}")


def _pack(kind: str, variant: Variant, tensors: dict[str, Tensor]) -> bytes:
    settings = {"kind": kind, "joints": variant.joints, "plan": variant.plan, "width": variant.width}
    contiguous = {name: value.detach().contiguous() for name, value in tensors.items()}
    return save(contiguous, metadata={"network": json.dumps(settings)})


def _matrix_to_tensors(name: str, matrix: csr_matrix) -> dict[str, Tensor]:
    return {
        f"{name}.values": torch.tensor(matrix.data, dtype=torch.float32),
        f"{name}.columns": torch.tensor(matrix.indices, dtype=torch.int32),
        f"{name}.rows": torch.tensor(matrix.indptr, dtype=torch.int32),
    }


def _tensors_to_matrix(name: str, graph: dict[str, Tensor]) -> csr_matrix:
    values, columns, rows = (graph[f"{name}.{part}"].numpy() for part in ("values", "columns", "rows"))
    matrix = csr_matrix((values, columns, rows), shape=(len(rows) - 1, len(rows) - 1))
    matrix.check_format(full_check=True)
    return matrix
