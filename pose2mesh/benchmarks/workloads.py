"""What is measured: networks and operators, each as a set of paths that must give the same result."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.benchmarks.original import CooConvolution, OriginalPose2Mesh, PygConvolution
from pose2mesh.body_models import load_body_model
from pose2mesh.checkpoints import build_network, load_network
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.hierarchy import Hierarchy, build_hierarchy
from pose2mesh.hierarchy.quadric import decimate
from pose2mesh.networks.ablations import DIRECT_PLAN
from pose2mesh.networks.meshnet import BODY_PLAN, ChannelPlan, MeshNet
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet
from pose2mesh.ops import SparseOperator, available_backends, chebyshev_conv, freeze, use_backend
from pose2mesh.skeletons import joint_set
from pose2mesh.training.config import NetworkConfig

JOINT_SET = "coco19"
CLASSIC_VERTICES = 6890  # of SMPL, whose mesh may not be shipped
_LEVELS = 9
ORIGINAL, PYG = "original", "pyg"
PADDED, DIRECT = "classic-padded", "direct"
_NETWORKS = ("classic", PADDED, DIRECT, "compact")


@dataclass(frozen=True)
class Workload:
    """A network or an operator: its paths take the same input; the first one that was built is the yardstick."""

    name: str
    paths: dict[str, Callable[[Tensor], Tensor]]
    modules: tuple[nn.Module, ...]  # whose mode and gradients a pass sets
    make_input: Callable[[int], Tensor]  # batch size to input


def classic(
    device: torch.device,
    *,
    name: str = "classic",
    plan: ChannelPlan | None = None,
    is_padded: bool = False,
    has_pyg: bool = False,
    network: ClassicPose2Mesh | None = None,
) -> Workload:
    """The paper's network on a body of 6,890 vertices, decimated from the free one, with random weights.

    The original's way carries the fake rows along, on the same weights; `is_padded` keeps them in every path, as the
    original trains: batch norm counts them. `plan`: of the paper's body unless told. A network that is given stays as
    it is.
    """
    padded = network or _random_classic(plan or BODY_PLAN, keeps_fake_rows=True)
    padded.to(device)
    if network is None:
        network = padded if is_padded else _random_classic(plan or BODY_PLAN, keeps_fake_rows=False).to(device)
    restated: dict[str, nn.Module] = {ORIGINAL: OriginalPose2Mesh(padded).to(device)}
    if has_pyg:
        restated[PYG] = OriginalPose2Mesh(padded, PygConvolution).to(device)
    paths = {path: partial(_vertices, module) for path, module in restated.items()} | _backends(network, device)
    joints = network.pose_lifter.joints
    return Workload(name, paths, (network, *restated.values()), partial(_keypoints, joints, device))


def classic_real(device: torch.device) -> Workload:
    """The same without fake rows, by this package alone."""
    network = _random_classic(BODY_PLAN, keeps_fake_rows=False).to(device)
    joints = network.pose_lifter.joints
    return Workload("classic", _backends(network, device), (network,), partial(_keypoints, joints, device))


def compact(device: torch.device) -> Workload:
    """The default network to the full mesh: the shipped weights, else fresh ones."""
    try:
        network = load_network("anny-body", device)
    except MissingFileError:
        torch.manual_seed(0)
        network = build_network(NetworkConfig().model_dump(mode="json")).to(device)
    joints = len(joint_set(network.joint_set))
    return Workload("compact", _backends(network, device), (network,), partial(_keypoints, joints, device))


def operators(device: torch.device, *, has_pyg: bool = False, hierarchy: Hierarchy | None = None) -> list[Workload]:
    """The Chebyshev layer alone on the two finest graphs of the classic network, and the product with the finest."""
    hierarchy = hierarchy or classic_hierarchy()
    matrices = [SparseOperator.from_scipy(hierarchy.scaled_laplacian(i, "release")).to(device) for i in (0, 1)]
    layers = [_layer(matrix, width, device, has_pyg) for matrix, width in zip(matrices, (128, 256), strict=True)]
    return [_product(matrices[0], 128, device), *layers]


@cache
def classic_hierarchy() -> Hierarchy:
    """Heavy-edge levels of the free body's mesh, decimated by quadric error; takes two seconds."""
    body = load_body_model("anny-body")
    points, faces = np.asarray(body.v_template, np.float64), np.asarray(body.faces)
    ((ids, faces),) = decimate(points - points.mean(0), faces, (CLASSIC_VERTICES,))
    return build_hierarchy(points[ids], faces, "hem", levels=_LEVELS, order="legacy", joint_set=JOINT_SET)


def _random_classic(plan: ChannelPlan, *, keeps_fake_rows: bool) -> ClassicPose2Mesh:
    hierarchy = classic_hierarchy()
    torch.manual_seed(0)
    meshnet = MeshNet.from_hierarchy(hierarchy, plan, keeps_fake_rows=keeps_fake_rows)
    network = ClassicPose2Mesh(PoseNet(len(joint_set(JOINT_SET))), meshnet)
    freeze(network)  # as `load_network` does
    return network


def _backends(network: nn.Module, device: torch.device) -> dict[str, Callable[[Tensor], Tensor]]:
    names = available_backends(torch.zeros(1, device=device))
    return {name: partial(_with_backend, name, partial(_vertices, network)) for name in names}


def _with_backend(name: str, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with use_backend(name):
        return run(x)


def _vertices(network: nn.Module, keypoints: Tensor) -> Tensor:
    return network(keypoints).vertices


def _keypoints(joints: int, device: torch.device, batch: int) -> Tensor:
    """[B, J, 3] in pixels, all visible."""
    keypoints = torch.rand(batch, joints, 3, generator=torch.Generator().manual_seed(batch)) * 500
    keypoints[..., 2] = 1
    return keypoints.to(device)


def _layer(operator: SparseOperator, width: int, device: torch.device, has_pyg: bool) -> Workload:
    linear = nn.Linear(3 * width, width).to(device)
    modules: dict[str, nn.Module] = {ORIGINAL: CooConvolution(operator, linear).to(device)}
    if has_pyg:
        modules[PYG] = PygConvolution(operator, linear).to(device)
    paths: dict[str, Callable[[Tensor], Tensor]] = dict(modules)
    for name in available_backends(torch.zeros(1, device=device)):
        paths[name] = partial(chebyshev_conv, operator=operator, weight=linear.weight, bias=linear.bias, backend=name)
    name = f"layer {operator.shape[0]} x {width}"
    return Workload(name, paths, tuple(modules.values()), partial(_features, operator, width, device))


def _product(operator: SparseOperator, width: int, device: torch.device) -> Workload:
    coo = operator.matrices(torch.float32)[0].to_sparse_coo()

    def original(x: Tensor) -> Tensor:
        batch, nodes, channels = x.shape
        wide = x.permute(1, 2, 0).contiguous().view(nodes, channels * batch)
        return torch.sparse.mm(coo, wide).view(-1, channels, batch).permute(2, 0, 1).contiguous()

    paths = {ORIGINAL: original, available_backends(torch.zeros(1, device=device))[0]: operator.matmul}
    return Workload(f"product {operator.shape[0]} x {width}", paths, (), partial(_features, operator, width, device))


def _features(operator: SparseOperator, width: int, device: torch.device, batch: int) -> Tensor:
    """[B, N, C], with a gradient wanted, as a layer within a network has it."""
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, operator.shape[1], width, generator=generator).to(device).requires_grad_()


def workload_names(mode: str, has_ablation: bool = False) -> tuple[str, ...]:
    """What a mode measures, as `build` knows it. In training the fake rows matter, so there are two of `classic`."""
    return {
        "ops": ("operators",),
        "network": ("classic", *[DIRECT] * has_ablation, "compact"),
        "train": ("classic-train", *["direct-train"] * has_ablation, "compact"),
    }[mode]


def rivals(network: str) -> tuple[str, ...]:
    """Those whose original way a row is compared with, the first one measured: all networks with the classic one."""
    return ("classic", PADDED, DIRECT, "compact") if network in _NETWORKS else (network,)


def build(name: str, device: torch.device, *, has_pyg: bool = False) -> list[Workload]:
    """Workloads by name: classic, classic-train, direct, direct-train, compact or operators. Raises InputError."""
    if name == "classic":
        return [classic(device, has_pyg=has_pyg)]
    if name == "classic-train":
        return [classic(device, name=PADDED, is_padded=True, has_pyg=has_pyg), classic_real(device)]
    if name == DIRECT:
        return [classic(device, name=DIRECT, plan=DIRECT_PLAN)]
    if name == "direct-train":
        return [classic(device, name=DIRECT, plan=DIRECT_PLAN, is_padded=True)]
    if name == "compact":
        return [compact(device)]
    if name == "operators":
        return operators(device, has_pyg=has_pyg)
    raise InputError(
        f"unknown workload {name!r}; choose classic, classic-train, direct, direct-train, compact or operators"
    )
