"""Graph convolutions behind one interface: `layer(x, operator, activation=..., residual=...)`, [B, N, C] to [B, N, C'].

What the operator of a level is depends on the convolution: a scaled Laplacian, a list of edges, or spirals.
"""

import numpy as np
from torch import nn

from pose2mesh.errors import InputError
from pose2mesh.hierarchy import Hierarchy
from pose2mesh.hierarchy.spirals import spiral_sequences
from pose2mesh.networks.graph_layers.chebyshev import ChebyshevLayer
from pose2mesh.networks.graph_layers.geometric import Edges, geometric_layer
from pose2mesh.networks.graph_layers.spiral import SpiralLayer, Spirals
from pose2mesh.ops import SparseOperator

__all__ = ["CONVOLUTIONS", "ChebyshevLayer", "Edges", "Spirals", "graph_layer", "graph_operator"]

CONVOLUTIONS = ("chebyshev", "gcn", "gat", "sage", "feast", "spiral")


def graph_layer(conv: str, channels_in: int, channels_out: int, order: int, scale: float = 1.0) -> nn.Module:
    """A new layer; `order` is the Chebyshev order, the heads of gat and feast, the length of a spiral."""
    if conv == "chebyshev":
        return ChebyshevLayer(channels_in, channels_out, order, scale)
    if conv == "spiral":
        return SpiralLayer(channels_in, channels_out, order, scale)
    return geometric_layer(conv, channels_in, channels_out, order, scale)


def graph_operator(conv: str, hierarchy: Hierarchy, level: int, order: int) -> nn.Module:
    """What layers of this convolution need to know of a level. Raises InputError where it has no faces for spirals."""
    if conv == "chebyshev":
        return SparseOperator.from_scipy(hierarchy.scaled_laplacian(level, "chebyshev"))
    nodes = hierarchy.sizes[level]
    if conv == "spiral":
        if not hierarchy.level_faces:
            raise InputError("network.mesh.conv: spirals need the faces of every level; use a `qem` hierarchy")
        return Spirals(spiral_sequences(hierarchy.level_faces[level], nodes, order))
    laplacian = hierarchy.laplacians[level].tocoo()
    linked = laplacian.row != laplacian.col
    return Edges(np.stack([laplacian.col[linked], laplacian.row[linked]]), nodes)
