"""Build networks from plain settings: the one place where names become objects."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pose2mesh import kinds
from pose2mesh.body_models import LinearBlendBody, load_body_model
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.hierarchy import Hierarchy, hierarchy_digest, load_hierarchy
from pose2mesh.kinds import Kind
from pose2mesh.networks.ablations import (
    DIRECT_PLAN,
    GRAPH_CHANNELS,
    GRAPH_WIDTH,
    PARAMETER_WIDTH,
    VERTEX_WIDTH,
    JointGraph,
    ParameterMeshHead,
    Perceptron,
    VertexHead,
)
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.key2mesh import Key2Mesh, PublishedFeatures, PublishedHead
from pose2mesh.networks.lifter import Lifter, PoseFeatures
from pose2mesh.networks.meshnet import BODY_PLAN, HAND_PLAN, MeshNet, narrowed
from pose2mesh.networks.pose2mesh import INPUTS, ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet
from pose2mesh.plugins import make, register, resolve
from pose2mesh.skeletons import JointSet, joint_set

HAND_JOINTS = "hand21"
DIGEST = "hierarchy_digest"  # in the settings of trained weights
_PAPER = {"head": "graph", "inputs": "both", "width": 4096, "divide_channels": 1, "keeps_fake_rows": False}
WITHOUT_GRAPHS = ("key2mesh", "learned_descent")
BodyNetwork = CompactPose2Mesh | ClassicBody | Key2Mesh


def build_network(settings: dict[str, Any]) -> BodyNetwork:
    """A network with fresh weights from the `network` section of a configuration (a plain dictionary)."""
    return make("network", settings["kind"], settings, load_body_model(settings["body"]))


def _build_classic(settings: dict[str, Any], body: LinearBlendBody) -> ClassicBody:
    """The paper's widths, unless `classic` says otherwise, on a heavy-edge hierarchy."""
    joints = joint_set(settings["joint_set"])
    hierarchy = _hierarchy(settings, body)
    classic = {**_PAPER, **settings.get("classic", {})}  # weights of version 0.1 do not name it
    if hierarchy.joint_set != joints.name:
        raise InputError(
            f"network.mesh: {settings['mesh']['hierarchy']} holds the joint graph of {hierarchy.joint_set}, not of "
            f"{joints.name}; {_how_to_build(settings)}"
        )
    posenet = PoseNet(len(joints), width=classic["width"])
    head = _classic_head(classic, joints.name, hierarchy, settings["body"], body)
    network = ClassicPose2Mesh(posenet, head, classic["inputs"])
    return ClassicBody(
        network,
        faces=np.asarray(hierarchy.faces),
        joint_set=joints.name,
        output_joint_names=joints.joints,
        joint_regressor=body.joint_regressor(joints.name),
    )


def _classic_head(
    classic: dict[str, Any], joints: str, hierarchy: Hierarchy, name: str, body: LinearBlendBody
) -> nn.Module:
    """MeshNet, or what the paper compares it with."""
    kind, divisor, count = classic["head"], classic["divide_channels"], len(joint_set(joints))
    width_in = len(range(5)[INPUTS[classic["inputs"]]])
    if kind in ("graph", "graph_direct"):
        first, *plan = DIRECT_PLAN if kind == "graph_direct" else HAND_PLAN if joints == HAND_JOINTS else BODY_PLAN
        fakes = classic["keeps_fake_rows"]
        plan = narrowed(((width_in, *first[1:]), *plan), divisor)
        return MeshNet.from_hierarchy(hierarchy, plan, keeps_fake_rows=fakes)
    if kind == "fully_connected":
        outputs = 3 * hierarchy.num_vertices
        return VertexHead(Perceptron(count, VERTEX_WIDTH // divisor, outputs, channels=width_in))
    if not body.kind.decoder:
        raise InputError(f"network.classic.head: {name} has no body model, so no {kind}")
    is_smpl = body.kind == kinds.SMPL  # whose meshes the release puts at a regressed pelvis
    sets = ["smpl24" if joints == "smpl24" else "human36m17"] if is_smpl else []
    decoder = resolve(body.kind.decoder)(body, *sets)
    outputs = ParameterMeshHead.outputs(decoder)
    if kind == "parameters":
        return ParameterMeshHead(Perceptron(count, PARAMETER_WIDTH // divisor, outputs, channels=width_in), decoder)
    channels = narrowed(((width_in, *GRAPH_CHANNELS[1:]), (3, 3)), divisor)[0]
    encoder = JointGraph(hierarchy.joint_laplacian, channels, GRAPH_WIDTH // divisor, outputs)
    return ParameterMeshHead(encoder, decoder)


def _hierarchy(settings: dict[str, Any], body: LinearBlendBody) -> Hierarchy:
    """The hierarchy of a network, of its body and, for weights that name it, the very one they were trained on."""
    name = settings["mesh"]["hierarchy"]
    try:
        hierarchy = load_hierarchy(name)
    except MissingFileError as error:
        raise MissingFileError(
            f"network.mesh: no graphs at {name} (below {Path.cwd()}); {_how_to_build(settings)}"
        ) from error
    if not np.array_equal(np.sort(hierarchy.faces, 1), np.sort(body.faces.numpy(), 1)):  # a mirror image turns them
        raise InputError(
            f"network.mesh: {name} is of another mesh ({hierarchy.num_vertices} vertices) than {settings['body']} "
            f"({len(body.v_template)}); {_how_to_build(settings)}"
        )
    known = settings.get(DIGEST)
    if known and known != hierarchy_digest(hierarchy):
        raise InputError(
            f"the weights were trained on other graphs than those in {name}; put the file of the training there "
            f"(its digest is {known[:12]}...)"
        )
    return hierarchy


def _how_to_build(settings: dict[str, Any]) -> str:
    name, options = settings["mesh"]["hierarchy"], f"--body {settings['body']}"
    if settings["kind"] == "classic":
        levels = 6 if settings["joint_set"] == HAND_JOINTS else 9
        options += f" --joint-set {settings['joint_set']} --pooling hem --levels {levels} --order legacy"
    return f"build it with `pose2mesh build-graphs {options} -o {name}`"


def with_digest(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a network that is to be trained, with the digest of the graphs it is trained on."""
    if settings["kind"] in WITHOUT_GRAPHS:
        return settings
    return {**settings, DIGEST: hierarchy_digest(load_hierarchy(settings["mesh"]["hierarchy"]))}


def _build_compact(settings: dict[str, Any], body: LinearBlendBody) -> CompactPose2Mesh:
    kind = body.kind
    if not kind.network:
        raise InputError(
            f"network.body: the compact network is built on anny-body or anny-hand, not {settings['body']!r}"
        )
    joints_in, joints_out = joint_set(settings["joint_set"]), joint_set(output_set(settings, kind))
    if kind.input_set and (kind.input_set == HAND_JOINTS) != (joints_in.name == HAND_JOINTS):
        raise InputError(f"network: joint set {joints_in.name} does not belong to {settings['body']}")
    if joints_out.root is None:
        raise InputError(f"network.output_set: {joints_out.name} has no root; name another set, such as coco19")
    mesh = settings["mesh"]
    hierarchy = _hierarchy(settings, body)
    lifter = _lifter(settings["lifter"], joints_in, joints_out, body)
    return resolve(kind.network)(
        lifter,
        _mesh_head(mesh, settings["lifter"]["width"], hierarchy, body),
        hierarchy.upsample[0],
        faces=np.asarray(hierarchy.faces),
        joint_set=joints_in.name,
        output_joint_names=joints_out.joints,
        joint_regressor=body.joint_regressor(joints_out.name),
        body=settings["body"],
    )


def output_set(settings: dict[str, Any], kind: Kind) -> str:
    """The joints that the compact network of these settings returns."""
    return settings.get("output_set") or kind.output_set or settings["joint_set"]


def _lifter(settings: dict[str, Any], joints_in: JointSet, joints_out: JointSet, body: Any) -> Lifter:
    sizes = len(joints_in), len(joints_out), settings["width"], settings["blocks"]
    if not settings.get("heads"):  # weights of version 0.1 do not name them
        return Lifter(*sizes)
    if not body.kind.is_sampled_with_parameters:
        raise InputError("network.lifter.heads: they are for anny-body; leave them out")
    rest = resolve(body.kind.decoder).rest_of(body)
    lifter = Lifter(*sizes, deviation=True, rest=rest, num_shape=body.num_shape)
    lifter.deviation_scale = float(settings.get("deviation_scale", 1.0))  # of weights that were calibrated
    return lifter


def _build_key2mesh(settings: dict[str, Any], body: LinearBlendBody) -> Key2Mesh:
    """The parameter network for any body: features of the compact network or the published ones."""
    if not body.kind.decoder:
        raise InputError(f"network.body: {settings['body']} has no parameters to estimate; use network.kind=compact")
    joints, lifter, parameters = joint_set(settings["joint_set"]), settings["lifter"], settings["parameters"]
    decoder = resolve(body.kind.decoder)(body)
    outputs = decoder.num_shape + decoder.rest6d.numel()
    if parameters["features"] == "published":
        dropout = parameters["dropout"]
        features = PublishedFeatures(len(joints), lifter["width"], lifter["blocks"], dropout)
        head: nn.Module = PublishedHead(lifter["width"], outputs, dropout)
    else:
        features = PoseFeatures(len(joints), lifter["width"], lifter["blocks"])
        head = nn.Linear(lifter["width"], outputs)
    mirrored = bool(parameters.get("mirrored", False))
    if mirrored and not decoder.is_fitted:
        raise InputError("network.parameters.mirrored: it is for anny-body; leave it out")
    return Key2Mesh(features, head, decoder, joint_set=joints.name, mirrored=mirrored)


def finest_vertex_ids(settings: dict[str, Any]) -> np.ndarray:
    """Rows of the full mesh that the network computes before the fixed map to the full mesh (`classic`: all).

    Networks of parameters need no mesh to learn; their losses look at the coarsest level.
    """
    hierarchy = load_hierarchy(settings["mesh"]["hierarchy"])
    if settings["kind"] in WITHOUT_GRAPHS:
        return np.asarray(hierarchy.vertex_ids[-1])
    return np.asarray(hierarchy.vertex_ids[1]) if settings["kind"] == "compact" else np.arange(hierarchy.num_vertices)


def _mesh_head(mesh: dict[str, Any], features: int, hierarchy: Hierarchy, body: Any) -> nn.Module:
    channels, blocks = tuple(mesh["channels"]), tuple(mesh["blocks"])
    inputs = tuple(mesh.get("inputs", ("vertices", "nodes")))  # weights of version 0.1 do not name it
    if len(channels) != len(blocks) or len(channels) >= len(hierarchy.sizes):
        raise InputError(
            f"network.mesh: {len(channels)} channels and {len(blocks)} blocks for the "
            f"{len(hierarchy.sizes) - 1} coarse levels of {mesh['hierarchy']}; give one of each a level"
        )
    if mesh["kind"] == "direct" and len(channels) != 1:
        raise InputError(
            "network.mesh: kind 'direct' works on the finest level alone; give one channels and blocks entry"
        )
    return CoarseToFine(
        hierarchy,
        features,
        channels,
        blocks,
        order=mesh["order"],
        latent=mesh["latent"],
        inputs=inputs,
        conv=mesh.get("conv", "chebyshev"),  # nor this
    )


register("network", "compact", _build_compact)
register("network", "classic", _build_classic)
register("network", "key2mesh", _build_key2mesh)
register("network", "learned_descent", "pose2mesh.fitting.learned_descent:build_learned_descent")
