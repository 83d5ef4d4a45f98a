"""The engine of a cluster: Ray Data reads, calls `recover` in a pool of actors, writes, and remembers ids."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose2mesh.batch.recover import BATCH_SIZE, COLUMNS, WEIGHTS, recover
from pose2mesh.batch.source import check_ids, plan, read_pieces, table_files
from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.pipeline import Pose2Mesh

if TYPE_CHECKING:
    import pyarrow

_ROWS = 1024  # of a call: a second or two, so that a lost actor repeats little
_IDS = "_ids"  # folder inside the output that readers pass over


def run_ray(
    table: Path, output: Path, weights: str = WEIGHTS, *, actors: int | None = None, batch_size: int = BATCH_SIZE
) -> int:
    """Recover a table on the cluster that Ray is connected to, or on this machine; returns the rows written now.

    `actors`: by default one for each processor but one, which reads and writes. Rows whose id was written by an earlier
    run are passed over. `table` and `output` are paths that every machine sees. Raises InputError as the local engine
    and for an output that another engine wrote, MissingDependencyError without Ray.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
        from ray.data import ActorPoolStrategy, DataContext  # pyright: ignore[reportMissingImports]
        from ray.data.checkpoint import CheckpointConfig  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingDependencyError("--engine ray needs Ray: pip install 'pose2mesh[ray]'") from error
    files = table_files(table)
    groups = plan(files)
    check_ids(read_pieces(groups, 0, groups[-1].end if groups else 0, ("id",)))
    if output.exists() and not (output / _IDS).is_dir():
        raise InputError(f"{output}: exists, and Ray did not write it; name another output")
    (output / _IDS).mkdir(parents=True, exist_ok=True)
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    before = _rows_in(output)
    processors = int(ray.cluster_resources().get("CPU", 1))
    size = actors or max(1, processors - 1)
    DataContext.get_current().checkpoint_config = CheckpointConfig(
        id_column="id", checkpoint_path=str((output / _IDS).resolve()), delete_checkpoint_on_success=False
    )
    rows = ray.data.read_parquet([str(file.resolve()) for file in files], columns=list(COLUMNS))
    found = rows.map_batches(
        _actor_of(weights, batch_size),
        batch_format="pyarrow",
        batch_size=_ROWS,
        compute=ActorPoolStrategy(size=size),
        num_cpus=1 if processors > size else 0.5,  # an actor that takes the last one starves whoever reads for it
    )
    found.write_parquet(str(output.resolve()))
    return _rows_in(output) - before


def _actor_of(weights: str, batch_size: int) -> Any:
    """What Ray starts in every process: a class that loads the weights once.

    The settings are part of the class: constructor arguments can be lost when an actor is started again (ray#53727).
    """

    class Recover:
        def __init__(self) -> None:
            self.model = Pose2Mesh.from_pretrained(weights)

        def __call__(self, table: "pyarrow.Table") -> "pyarrow.Table":
            return recover(table, self.model, batch_size)

    return Recover


def _rows_in(output: Path) -> int:
    from pose2mesh.batch.source import open_parquet

    return sum(open_parquet(file).metadata.num_rows for file in output.glob("[!._]*.parquet"))
