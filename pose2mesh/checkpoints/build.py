"""Build networks from plain settings: the one place where names become objects."""

from typing import Any

import numpy as np
from scipy.sparse import identity
from torch import nn

from pose2mesh.body_models import AnnyBody, load_body_model
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import Hierarchy, load_hierarchy
from pose2mesh.networks.ablations.heads import FullyConnectedHead, ParameterHead
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.lifter import Lifter
from pose2mesh.skeletons import joint_set

OUTPUT_JOINTS = "coco19"


def build_network(settings: dict[str, Any]) -> CompactPose2Mesh:
    """A network with fresh weights from the `network` section of a configuration (a plain dictionary)."""
    body = load_body_model(settings["body"])
    if not isinstance(body, AnnyBody):
        raise InputError(f"network.body: the compact network is built on anny-body, not {settings['body']!r}")
    mesh = settings["mesh"]
    hierarchy = load_hierarchy(mesh["hierarchy"])
    joints_in, joints_out = joint_set(settings["joint_set"]), joint_set(OUTPUT_JOINTS)
    lifter = Lifter(len(joints_in), len(joints_out), **settings["lifter"])
    to_full = (
        identity(hierarchy.num_vertices, format="csr")
        if mesh["kind"] == "parameters"
        else hierarchy.upsample[0]
    )
    return CompactPose2Mesh(
        lifter,
        _mesh_head(mesh, settings["lifter"]["width"], hierarchy, body),
        to_full,
        faces=np.asarray(hierarchy.faces),
        joint_set=joints_in.name,
        output_joint_names=joints_out.joints,
        joint_regressor=body.joint_regressor(OUTPUT_JOINTS),
    )


def finest_vertex_ids(settings: dict[str, Any]) -> np.ndarray:
    """Rows of the full mesh that the mesh head predicts last (all of them for the parameter head)."""
    hierarchy = load_hierarchy(settings["mesh"]["hierarchy"])
    return np.asarray(hierarchy.vertex_ids[0 if settings["mesh"]["kind"] == "parameters" else 1])


def _mesh_head(mesh: dict[str, Any], features: int, hierarchy: Hierarchy, body: AnnyBody) -> nn.Module:
    if mesh["kind"] == "fully_connected":
        return FullyConnectedHead(features, hierarchy.sizes[1], mesh["latent"])
    if mesh["kind"] == "parameters":
        return ParameterHead(features, body, np.arange(hierarchy.num_vertices))
    channels, blocks = tuple(mesh["channels"]), tuple(mesh["blocks"])
    if len(channels) != len(blocks) or len(channels) >= len(hierarchy.sizes):
        raise InputError(
            f"network.mesh: {len(channels)} channels and {len(blocks)} blocks for the "
            f"{len(hierarchy.sizes) - 1} coarse levels of {mesh['hierarchy']}; give one of each a level"
        )
    if mesh["kind"] == "direct" and len(channels) != 1:
        raise InputError(
            "network.mesh: kind 'direct' works on the finest level alone; give one channels and blocks entry"
        )
    return CoarseToFine(hierarchy, features, channels, blocks, order=mesh["order"], latent=mesh["latent"])
