"""Accuracy against time, networks beside fitting by descent: `python -m tools.studies.fitting_speed`.

`--learned WEIGHTS` adds learned descent (train_learned_descent.yaml), whose weights do not ship.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.datasets.motion import load_motion
from pose2mesh.evaluation.evaluator import PROTOCOL_JOINTS
from pose2mesh.fitting.optimize import REFINEMENT, BodyFitter, FitSettings, RefinedNetwork
from pose2mesh.metrics import mpjpe, pa_mpjpe
from pose2mesh.networks.key2mesh import Key2Mesh
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.mocap import MocapProtocol
from tools.studies.timed_rows import options_of, report

_DESCENTS = (30, 100, 300)  # iterations from nothing
_LEAST_MS = 1000.0  # of calls, of which the fastest counts


@dataclass(frozen=True)
class FittingRow:
    """One way from keypoints to joints; errors in mm, `ms` of a person alone and `ms_batch` of one among many."""

    name: str
    ms: float
    ms_batch: float
    clean: dict[str, float]
    noisy: dict[str, float]


def measure_fitting(
    motion: str, people: int = 64, weights: str = "anny-key2mesh", is_cpu_time: bool = False, learned: str = ""
) -> list[FittingRow]:
    """Networks, the refined network, and descents from nothing on `people` spread over a motion pack."""
    every = max(1, len(load_motion(motion)) // people)
    batches = list(MocapProtocol(load_anny_body(), motion, every=every, limit=people).batches(people))
    clean, noisy, joints = (
        torch.cat([getattr(batch, name) for batch in batches]) for name in ("clean", "noisy", "joints")
    )
    clock = time.process_time if is_cpu_time else time.perf_counter
    rows = []
    for name, run in _ways(weights, learned).items():
        errors = [_errors(run(1000 * points * torch.tensor([1, 1, 1e-3])), joints) for points in (clean, noisy)]
        rows.append(FittingRow(name, _ms(run, clean[:1], clock), _ms(run, clean, clock) / len(clean), *errors))
    return rows


def table(rows: list[FittingRow]) -> str:
    """Markdown, millimetres and milliseconds."""
    lines = [
        "| way | ms, one person | ms a person, many | clean PA-MPJPE / MPJPE | noisy PA-MPJPE / MPJPE |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [f"{each['pa_mpjpe']:.1f} / {each['mpjpe']:.1f}" for each in (row.clean, row.noisy)]
        lines.append(f"| {row.name} | {row.ms:.1f} | {row.ms_batch:.2f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _ways(weights: str, learned: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """By name: keypoints [B,17,3] px to joints [B,19,3] m."""
    graph, network = load_network("anny-body"), cast(Key2Mesh, load_network(weights))
    to_graph, to_own = conversion("coco17", graph.joint_set), conversion("coco17", network.joint_set)
    fitter: Any = BodyFitter(network.decoder, network.joint_set)  # type: ignore[arg-type]
    refined = RefinedNetwork(network)

    def descend(iterations: int) -> Callable[[Tensor], Tensor]:
        settings = FitSettings(iterations=iterations)
        return lambda points: network.decoder(fitter.fit(to_own(points), settings)).joints

    return {
        "graph network (anny-body)": lambda points: graph(to_graph(points)).joints,
        **_with_and_without_mesh(f"parameter network ({weights})", network),
        **(_with_and_without_mesh("learned descent", load_network(learned)) if learned else {}),
        f"parameter network, refined by {REFINEMENT.iterations} steps": lambda points: refined(to_own(points)).joints,
        **{f"descent from nothing, {n} steps": descend(n) for n in _DESCENTS},
    }


def _with_and_without_mesh(name: str, network: Any) -> dict[str, Callable[[Tensor], Tensor]]:
    to_own = conversion("coco17", network.joint_set)
    return {
        name: lambda points: network(to_own(points)).joints,
        f"{name}, without the mesh": lambda points: network.without_mesh(to_own(points)).joints,
    }


def _errors(found: Tensor, joints: Tensor) -> dict[str, float]:
    found, joints = found[:, PROTOCOL_JOINTS], joints[:, PROTOCOL_JOINTS]
    return {
        "pa_mpjpe": 1000 * pa_mpjpe(found, joints).mean().item(),
        "mpjpe": 1000 * mpjpe(found, joints).mean().item(),
    }


def _ms(run: Callable[[Tensor], Tensor], points: Tensor, clock: Callable[[], float]) -> float:
    """The fastest of three calls, or of a second's: other work on the machine only adds."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < _LEAST_MS:
        start = clock()
        with torch.inference_mode():
            run(points)
        times.append(1000 * (clock() - start))
    return min(times)


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(__doc__, arguments, motion="mocap2_val.npz", learned="")
    people = 8 if options.quick else 64
    rows = measure_fitting(options.motion, people, is_cpu_time=options.cpu_time, learned=options.learned)
    return report(table(rows), rows, options)


if __name__ == "__main__":
    sys.exit(main())
