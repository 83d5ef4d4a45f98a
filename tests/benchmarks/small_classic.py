"""A classic network small enough for tests, on the heavy-edge tree of a ball, with statistics that are not trivial."""

import io
import os
from contextlib import redirect_stdout
from pathlib import Path

import torch
import trimesh

from pose2mesh.benchmarks import run, workloads
from pose2mesh.benchmarks.passes import check, outcome_of, prepare, reference_of, set_mode
from pose2mesh.cli.main import main
from pose2mesh.hierarchy import Hierarchy, build_hierarchy
from pose2mesh.networks.ablations import DIRECT_PLAN
from pose2mesh.networks.meshnet import ChannelPlan, MeshNet, narrowed
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet

PLAN: ChannelPlan = ((5, 4, 6), (6, 4, 7), (7, 7, 7), (7, 6, 2), (2, 5, 3))
SMALL_DIRECT_PLAN = narrowed(DIRECT_PLAN, 16)


def ball_hierarchy() -> Hierarchy:
    ball = trimesh.creation.icosphere(2)
    return build_hierarchy(ball.vertices, ball.faces, "hem", levels=3, joint_set="coco19")


def small_classic(plan: ChannelPlan = PLAN) -> ClassicPose2Mesh:
    torch.manual_seed(0)
    meshnet = MeshNet.from_hierarchy(ball_hierarchy(), plan, keeps_fake_rows=True)  # as the original's way does
    network = ClassicPose2Mesh(PoseNet(19, width=32), meshnet)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and (".bn." in name or "batch_norm" in name or name.endswith("bias")):
            value.copy_(torch.rand_like(value) + 0.5)
    return network


def check_paths(workload: workloads.Workload, direction: str, batch: int) -> None:
    """Of all paths, as a benchmark does before it times them."""
    set_mode(workload, direction)

    def outcome(path: str):
        return outcome_of(workload, prepare(workload, path, direction, batch), direction)

    expected = outcome(reference_of(workload))
    for path in workload.paths:
        check(outcome(path), expected, workload.name, path)


def benchmark_as_told(output: Path, ms: tuple[float, ...]) -> str:
    """What the command prints in one of several processes, whose clock says `ms[rank]` for everything."""
    small = workloads.classic(torch.device("cpu"), network=small_classic())
    workloads.build = lambda *_, **__: [small]
    run.median_ms = lambda runs, *_, **__: dict.fromkeys(runs, ms[int(os.environ["RANK"])])
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["benchmark", "train", "--quick", "--batch", "4", "--json", str(output)]) == 0
    return printed.getvalue()
