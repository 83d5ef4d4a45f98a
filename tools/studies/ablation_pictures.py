"""Pictures of one network of the grid beside others: input, lifted pose, coarse levels, mesh; their meshes; truth."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.hierarchy import Hierarchy
from pose2mesh.rendering.contact_sheet import contact_sheet
from pose2mesh.rendering.drawing import draw_keypoints
from pose2mesh.rendering.scene import render_views
from pose2mesh.rendering.shading import BACKGROUND
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.detections import conversion
from pose2mesh.types import Person

_SIZE = (180, 240)  # width and height of a view
_LEVELS = (4, 2, 1)  # that are drawn, coarse to fine
_ANGLES = (0.0, 90.0)


@torch.inference_mode()
def comparison(networks: list[Any], hierarchy: Hierarchy, keypoints: Tensor, truth: Tensor) -> np.ndarray:
    """A sheet [H,W,3] uint8, a row for each person, of keypoints [B,17,3] and true vertices [B,V,3].

    The first network lifts the pose and shows its coarse levels: nodes where the vertices that they stand for are in
    the mean, for what the network holds there are features.
    """
    answers = [network(conversion("coco17", network.joint_set)(keypoints)) for network in networks]
    bones, inputs = joint_set(networks[0].joint_set).bone_indices, joint_set("coco17").bone_indices
    rows = []
    for person, points in enumerate(keypoints.numpy()):
        mesh = answers[0].vertices[person].numpy()
        lifted = answers[0].joints[person].numpy()
        flat = np.where(points[:, 2:] > 0, points * (1, 1, 0), np.nan)  # [17, 3]
        row = [_net(flat, inputs, 0.0), *(_net(lifted, bones, angle) for angle in _ANGLES)]
        levels = list(level_nodes(hierarchy, mesh))
        row += [_net(*levels[level], 0.0) for level in _LEVELS]
        meshes = [mesh, *(answer.vertices[person].numpy() for answer in answers[1:]), truth[person].numpy()]
        rows.append([*row, *(_mesh(vertices, hierarchy.faces) for vertices in meshes)])
    return contact_sheet(rows)


def level_nodes(hierarchy: Hierarchy, vertices: np.ndarray) -> Iterator[tuple[np.ndarray, list[tuple[int, int]]]]:
    """Of each level of a `hem` hierarchy, fine to coarse: the mean of the vertices [N,3] of a node, and its edges.

    Fake nodes are NaN.
    """
    nodes = np.where(hierarchy.is_real[0][:, None], 0.0, np.nan) * np.ones(3)  # [N_0, 3]
    nodes[hierarchy.inverse] = vertices
    count = hierarchy.is_real[0].astype(float)
    for level, laplacian in enumerate(hierarchy.laplacians):
        if level:
            pairs, shares = nodes.reshape(-1, 2, 3), count.reshape(-1, 2)
            count = shares.sum(1)
            with np.errstate(invalid="ignore"):
                nodes = np.nansum(pairs * shares[..., None], 1) / count[:, None]
        edges = laplacian.tocoo()
        yield nodes, [(int(a), int(b)) for a, b in zip(edges.row, edges.col, strict=True) if a < b]


def _net(points: np.ndarray, edges: Any, angle: float) -> np.ndarray:
    """Points [N,3] and what joins them, as the camera sees them, turned by an angle about the vertical axis."""
    turn = np.radians(angle)
    flat = np.stack([points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn), points[:, 1]], 1)  # [N, 2]
    low, high = np.nanmin(flat, 0), np.nanmax(flat, 0)
    scale = 0.84 * min(np.array(_SIZE) / np.maximum(high - low, 1e-9))
    placed = (flat - (low + high) / 2) * scale + np.array(_SIZE) / 2
    seen = np.isfinite(placed).all(1)
    blank = np.full((_SIZE[1], _SIZE[0], 3), np.rint(255 * np.array(BACKGROUND)), np.uint8)
    return draw_keypoints(blank, np.concatenate([placed, seen[:, None]], 1), edges)


def _mesh(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Front and side of a mesh."""
    nothing = np.zeros((0, 3))
    return render_views(Person(vertices, faces, nothing, (), nothing), _ANGLES, _SIZE)
