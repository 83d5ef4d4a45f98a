"""Every graph convolution behind the same interface: dense formulas, permuted nodes, one step of training."""

import sys

import numpy as np
import pytest
import torch
from tiny_network import tiny_settings

from pose2mesh.checkpoints import build_network, load_network, save_weights
from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.hierarchy.spirals import spiral_sequences
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.graph_layers import Edges, Spirals
from pose2mesh.networks.graph_layers.plain import SpiralLayer
from pose2mesh.ops import SparseOperator
from pose2mesh.plugins import find

ORDERS = {"chebyshev": 3, "gcn": 1, "sage": 1, "gat": 2, "feast": 3, "spiral": 7}
CONVOLUTIONS = list(ORDERS)
OTHERS = [conv for conv in CONVOLUTIONS if conv != "chebyshev"]
LEVEL = 3  # of the shipped hierarchy, 108 nodes
GEOMETRIC = [conv for conv in OTHERS if conv != "spiral"]


def need(conv: str) -> None:
    if conv in GEOMETRIC:
        pytest.importorskip("torch_geometric", reason="needs pip install 'pose2mesh[graph]'")


@pytest.fixture(scope="module")
def adjacency() -> torch.Tensor:
    """Dense 0/1 adjacency [N, N] of the level, from its faces."""
    hierarchy = load_hierarchy("anny_body_qem")
    found = torch.zeros(hierarchy.sizes[LEVEL], hierarchy.sizes[LEVEL], dtype=torch.float64)
    for face in np.asarray(hierarchy.level_faces[LEVEL]).tolist():
        for a in face:
            for b in face:
                found[a, b] = float(a != b)
    return found


def layer_and_operator(conv: str, channels_in: int = 5, channels_out: int = 4):
    need(conv)
    torch.manual_seed(0)
    layer = find("convolution", conv)(channels_in, channels_out, ORDERS[conv])
    return layer, find("convolution", conv).operator(load_hierarchy("anny_body_qem"), LEVEL, ORDERS[conv])


def features(nodes: int, channels: int = 5, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, nodes, channels, generator=torch.Generator().manual_seed(1))


def dense(conv: str, state: dict[str, torch.Tensor], x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The papers' formulas on dense matrices, one sample [N, C] in float64."""
    state = {name: value.double() for name, value in state.items()}
    looped = a + torch.eye(len(a), dtype=torch.float64)
    if conv == "gcn":  # D^-1/2 (A + I) D^-1/2 X W (Kipf and Welling 2017, eq. 2)
        scale = looped.sum(1).rsqrt()
        return (scale[:, None] * looped * scale) @ x @ state["conv.lin.weight"].T + state["conv.bias"]
    if conv == "sage":  # mean of the neighbors, and the node itself (Hamilton et al. 2017)
        mean = a @ x / a.sum(1, keepdim=True)
        return mean @ state["conv.lin_l.weight"].T + state["conv.lin_l.bias"] + x @ state["conv.lin_r.weight"].T
    if conv == "gat":  # eq. 7 of Brody et al. 2022, heads averaged
        att = state["conv.att"][0]  # [H, C]
        source, target = (
            (x @ state[f"conv.lin_{s}.weight"].T + state[f"conv.lin_{s}.bias"]).unflatten(1, att.shape) for s in "lr"
        )
        hidden = torch.nn.functional.leaky_relu(target[:, None] + source[None], 0.2)  # [N, N, H, C]
        score = (hidden * att).sum(-1).masked_fill(looped[..., None] == 0, -torch.inf)  # [N, N, H]
        return torch.einsum("ijh,jhc->ihc", score.softmax(1), source).mean(1) + state["conv.bias"]
    # FeaSt: eq. 3 to 5 of Verma et al. 2018, translation-invariant
    heads = len(state["conv.c"])
    difference = x[None] - x[:, None]  # [i, j] = x_j - x_i
    q = (difference @ state["conv.u.weight"].T + state["conv.c"]).softmax(-1)  # [N, N, H]
    moved = (x @ state["conv.lin.weight"].T).unflatten(1, (heads, -1))  # [N, H, C]
    return torch.einsum("ij,ijh,jhc->ic", looped, q, moved) / looped.sum(1, keepdim=True) + state["conv.bias"]


@pytest.mark.parametrize("conv", GEOMETRIC)
def test_layers_of_pytorch_geometric_match_the_papers(conv: str, adjacency: torch.Tensor) -> None:
    layer, operator = layer_and_operator(conv)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))  # biases as well
    x = features(len(adjacency))
    expected = torch.stack([dense(conv, layer.state_dict(), one.double(), adjacency) for one in x])
    torch.testing.assert_close(layer(x, operator).double(), expected, rtol=1e-4, atol=1e-5)


def test_spiral_layer_is_one_matrix_on_each_neighborhood() -> None:
    torch.manual_seed(0)
    indices = np.array([[0, 1, 2], [1, 2, 0], [2, 3, 3]])  # the last spiral has ended after itself
    layer = SpiralLayer(2, 4, 3)
    x = torch.randn(2, 3, 2)
    zero = torch.zeros(2, 2)
    along = [torch.cat([x[:, 0], x[:, 1], x[:, 2]], 1), torch.cat([x[:, 1], x[:, 2], x[:, 0]], 1)]
    along.append(torch.cat([x[:, 2], zero, zero], 1))
    expected = torch.stack([one @ layer.weight.T + layer.bias for one in along], 1)
    torch.testing.assert_close(layer(x, Spirals(indices)), expected)


@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_shapes_epilogue_and_batch(conv: str, adjacency: torch.Tensor) -> None:
    layer, operator = layer_and_operator(conv)
    x = features(len(adjacency))
    y = layer(x, operator)
    assert y.shape == (3, len(adjacency), 4) and y.dtype == torch.float32
    residual = torch.randn_like(y)
    torch.testing.assert_close(layer(x, operator, activation="relu", residual=residual), y.relu() + residual)
    single = torch.cat([layer(one[None], operator) for one in x])
    torch.testing.assert_close(single, y, rtol=1e-4, atol=1e-5)  # samples of a batch do not mix


@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_a_node_hears_its_neighborhood_only(conv: str, adjacency: torch.Tensor) -> None:
    layer, operator = layer_and_operator(conv)
    x = features(len(adjacency), batch=1).requires_grad_()
    layer(x, operator)[0, 0].sum().backward()
    assert x.grad is not None
    heard = set(x.grad[0].abs().sum(1).nonzero()[:, 0].tolist())
    hops = torch.matrix_power(adjacency + torch.eye(len(adjacency), dtype=torch.float64), 2)[0]
    reach = (hops if conv in ("chebyshev", "spiral") else (adjacency[0] + torch.eye(len(adjacency))[0])).nonzero()
    assert heard <= set(reach[:, 0].tolist()) and len(heard) > 4
    if conv != "spiral":  # which stops after seven nodes
        assert heard == set(reach[:, 0].tolist())


@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_the_order_of_nodes_does_not_matter(conv: str, adjacency: torch.Tensor) -> None:
    layer, operator = layer_and_operator(conv)
    nodes = len(adjacency)
    new = torch.randperm(nodes, generator=torch.Generator().manual_seed(2))  # old node -> new node
    if conv == "chebyshev":
        laplacian = operator.matrices(torch.float32)[0].to_dense()
        moved = torch.zeros_like(laplacian)
        moved[new[:, None], new[None]] = laplacian
        from scipy.sparse import csr_matrix

        permuted = SparseOperator.from_scipy(csr_matrix(moved.numpy()))
    elif conv == "spiral":
        renamed = torch.cat([new, torch.tensor([nodes])])[operator.indices]
        rows = torch.empty_like(renamed)
        rows[new] = renamed
        permuted = Spirals(rows.numpy())
    else:
        permuted = Edges(new[operator.index].numpy(), nodes)
    x = features(nodes)
    shuffled = torch.empty_like(x)
    shuffled[:, new] = x
    torch.testing.assert_close(layer(shuffled, permuted)[:, new], layer(x, operator), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conv", OTHERS)
def test_networks_train_and_come_back_from_their_file(conv: str, tmp_path) -> None:
    need(conv)
    torch.manual_seed(0)
    settings = tiny_settings()
    settings["mesh"] |= {"conv": conv, "order": ORDERS[conv]}
    network = build_network(settings)
    keypoints = torch.rand(2, 17, 3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = network(keypoints).vertices.square().mean()  # m²
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        without = [name for name, p in network.named_parameters() if "mesh_head" in name and not p.grad.any()]
        # One bias of attention's targets shifts all scores alike on the positive side; it may stay without a gradient.
        assert not [name for name in without if "lin_r.bias" not in name]
        optimizer.step()
    assert losses[1] < losses[0]
    save_weights(tmp_path / "w.safetensors", network, settings)
    again = load_network(tmp_path / "w.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(again(keypoints).vertices, network.eval()(keypoints).vertices)


def test_weights_that_do_not_name_a_convolution_are_chebyshevs() -> None:
    settings = tiny_settings()
    assert "conv" not in settings["mesh"]
    assert {type(level.operator) for level in build_network(settings).mesh_head.levels} == {SparseOperator}


# The overrides of docs/log: convolution, order, channels, latent.
ROWS = [
    ("spiral", 9, (37, 28, 18), 158),
    ("sage", 3, (78, 59, 39), 80),
    ("gcn", 3, (110, 83, 55), 54),
    ("gat", 1, (78, 59, 39), 80),
    ("feast", 3, (64, 48, 32), 96),
]


@pytest.mark.parametrize(("conv", "order", "channels", "latent"), ROWS)
def test_the_rows_of_the_results_have_equal_parameters(conv: str, order: int, channels: tuple, latent: int) -> None:
    """All of the mesh half, and the graph layers by themselves, within 3 % of the Chebyshev row."""
    need(conv)
    hierarchy = load_hierarchy("anny_body_qem")
    with torch.device("meta"):
        rows = [
            CoarseToFine(hierarchy, 1024, widths, (2, 2, 1), order=k, latent=size, conv=name)
            for name, k, widths, size in (("chebyshev", 3, (64, 48, 32), 96), (conv, order, channels, latent))
        ]
    for part in ("", "blocks"):
        counts = [sum(p.numel() for name, p in row.named_parameters() if part in name) for row in rows]
        assert abs(counts[1] / counts[0] - 1) < 0.03, (part, counts)


@pytest.mark.parametrize("conv", GEOMETRIC)
def test_without_pytorch_geometric_the_extra_is_named(conv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(MissingDependencyError, match=r"pose2mesh\[graph\]"):
        find("convolution", conv)(4, 4, 1)
    find("convolution", "spiral")(4, 4, 3)  # needs nothing
    find("convolution", "chebyshev")(4, 4, 3)


def test_spirals_need_the_faces_of_every_level() -> None:
    with pytest.raises(InputError, match="qem"):
        SpiralLayer.operator(load_hierarchy("anny_body_hem"), 1, 9)


def test_spirals_of_a_level_are_those_of_its_faces() -> None:
    hierarchy = load_hierarchy("anny_body_qem")
    operator = SpiralLayer.operator(hierarchy, LEVEL, 7)
    expected = spiral_sequences(hierarchy.level_faces[LEVEL], hierarchy.sizes[LEVEL], 7)
    assert np.array_equal(operator.indices.numpy(), expected)
