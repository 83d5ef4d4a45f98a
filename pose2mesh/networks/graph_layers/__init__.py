"""Graph convolutions behind one interface, by name in the registry of plug-ins.

`layer = Convolution(channels_in, channels_out, order, scale)` is called as `layer(x, operator, activation=None,
residual=None)`, [B, N, C] to [B, N, C']; `Convolution.operator(hierarchy, level, order)` is what its layers need to
know of a level: a scaled Laplacian, a list of edges, or spirals. `order` is the Chebyshev order, the heads of gat and
feast, the length of a spiral.
"""

from pose2mesh.networks.graph_layers.geometric import GAT, GCN, SAGE, Edges, FeaSt
from pose2mesh.networks.graph_layers.plain import ChebyshevLayer, SpiralLayer, Spirals
from pose2mesh.plugins import register

__all__ = ["ChebyshevLayer", "Edges", "Spirals"]

for _name, _convolution in {
    "chebyshev": ChebyshevLayer,
    **{"gcn": GCN, "gat": GAT, "sage": SAGE, "feast": FeaSt},
    "spiral": SpiralLayer,
}.items():
    register("convolution", _name, _convolution)
