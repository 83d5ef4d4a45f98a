"""The engine of a cluster: Ray hands pieces to a pool of actors, which write them as the local engine does."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pose2mesh.batch.local import Done, Job, prepare, run_pieces
from pose2mesh.batch.recover import BATCH_SIZE, WEIGHTS
from pose2mesh.batch.source import check_ids
from pose2mesh.errors import InputError, MachineError, Pose2MeshError, optional_import
from pose2mesh.pipeline import Pose2Mesh

_SPAN = 16  # pieces that an actor is given at once, at most
_SHARES = 8  # for each actor, at least: the last ones to finish wait for little
_STORE_BYTES = 10**8  # of a cluster started here: numbers of pieces travel through it, not rows


def run_ray(
    table: Path,
    output: Path,
    weights: str = WEIGHTS,
    *,
    actors: int | None = None,
    overwrite: bool = False,
    batch_size: int = BATCH_SIZE,
    report: Callable[[int], object] = lambda rows: None,
) -> Done:
    """Recover a table on the cluster that RAY_ADDRESS names, or on this machine: the files that `run_local` makes.

    `actors`: by default one for each processor. `table`, `output` and paths in the table are seen by every machine. An
    actor that dies is started again and repeats at most a piece. Errors as of the local engine, MissingDependencyError
    without Ray.
    """
    with optional_import("--engine ray needs Ray: pip install 'pose2mesh[ray]'"):
        import ray  # pyright: ignore[reportMissingImports]
        from ray.util import ActorPool  # pyright: ignore[reportMissingImports]
    job = prepare(table.resolve(), output.resolve(), overwrite, batch_size)
    check_ids(job.runs, 0, job.total)
    if not ray.is_initialized():
        _connect(ray)
    processors = ray.cluster_resources().get("CPU", 1)
    size = min(job.total, actors or int(processors))
    step = min(_SPAN, max(1, job.total // (_SHARES * size)))
    starts = range(0, job.total, step)
    # more actors than processors would wait for ever, were each to ask for a whole one
    settings = {"num_cpus": min(1, processors / size), "max_restarts": -1, "max_task_retries": -1}
    actor = ray.remote(**settings)(_actor_of(job, weights, Path.cwd()))
    pool: Any = ActorPool([actor.remote() for _ in range(size)])
    done = Done(0, 0, 0)
    for part, failure in pool.map_unordered(lambda one, at: one.run.remote(at, at + step), starts):
        if failure:
            raise (MachineError if failure[0] == MachineError.exit_code else InputError)(failure[1])
        done = done.plus(part)
        report(part.rows + part.kept)
    return done


def _connect(ray: Any) -> None:
    """To the cluster that RAY_ADDRESS names, as in jobs that Ray starts; else to one that begins here.

    Never to one that Ray guesses: the traces of a dead one keep it waiting for minutes.
    """
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if "RAY_ADDRESS" not in os.environ:
        settings |= {"address": "local", "include_dashboard": False, "object_store_memory": _STORE_BYTES}
        settings["_system_config"] = {"worker_niceness": 0}  # 15 by default: beside anything else actors stand still
    ray.init(**settings)


def _actor_of(job: Job, weights: str, folder: Path) -> Any:
    """What Ray starts in every process: a class that loads the weights once.

    The settings are part of the class: constructor arguments can be lost when an actor is started again (ray#53727).
    """

    class Recover:
        def __init__(self) -> None:
            os.chdir(folder)  # names of weights and files mean what they mean to the caller
            torch.set_num_threads(1)  # an actor for each processor
            self.model = Pose2Mesh.from_pretrained(weights)

        def run(self, start: int, end: int) -> tuple[Done, tuple[int, str] | None]:
            done = Done(0, 0, 0)
            try:
                for piece in run_pieces(job, self.model, start, min(end, job.total)):
                    done = done.plus(piece)
            except Pose2MeshError as error:  # raised, it would lose its type
                return done, (error.exit_code, str(error))
            return done, None

    return Recover
