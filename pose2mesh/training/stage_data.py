"""The samples of one stage: which vertices they hold, and the batches from any step on."""

from dataclasses import dataclass

import numpy as np

from pose2mesh.checkpoints import finest_vertex_ids
from pose2mesh.checkpoints.build import WITHOUT_GRAPHS
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import Hierarchy, load_hierarchy
from pose2mesh.synthesis.batches import Samples
from pose2mesh.training.config import StageConfig, TrainConfig
from pose2mesh.training.samplers import Sampler


@dataclass(frozen=True)
class StageData:
    """What a stage trains on; step `s` sees batch `s`, whatever happened before."""

    samples: Samples  # SyntheticBodies or AnnotatedSamples
    rows: list[np.ndarray]  # of each vertex set that the network predicts, coarse to fine: its rows in Batch.vertices
    faces: np.ndarray  # [F, 3] of the finest set
    joint_regressor: np.ndarray | None = None  # [J, V] of the joints to compare meshes in, if not the network's own
    vertex_ids: np.ndarray | None = None  # [n] which vertices of the mesh Batch.vertices are


def stage_data(config: TrainConfig, index: int, sampler: Sampler) -> StageData:
    """The samples of stage `index`, which no other stage sees."""
    stage = config.stages[index]
    hierarchy = load_hierarchy(config.network.mesh.hierarchy)
    ids = _vertex_sets(config, hierarchy, stage)
    finest = ids[-1]
    faces = hierarchy.faces if len(finest) == hierarchy.num_vertices else hierarchy.level_faces[1]
    mixture = config.data if stage.everyday is None else config.data.model_copy(update={"everyday": stage.everyday})
    samples = sampler.samples(mixture, finest, batch_size=stage.batch_size, seed=1000 * config.seed + index)
    return StageData(samples, [_rows_in(finest, part) for part in ids], faces, vertex_ids=finest)


def _vertex_sets(config: TrainConfig, hierarchy: Hierarchy, stage: StageConfig) -> list[np.ndarray]:
    """Vertex ids of every set that the network predicts, coarse to fine."""
    mesh, settings = config.network.mesh, config.network.model_dump(mode="json")
    if config.network.kind != "compact":
        if stage.lifting_only and config.network.kind in WITHOUT_GRAPHS:
            raise InputError(f"stage {stage.name}: kind={config.network.kind} has no coarsest level to lift to")
        return [finest_vertex_ids(settings)]
    levels = [np.asarray(hierarchy.vertex_ids[level]) for level in range(len(mesh.channels), 0, -1)]
    return levels[:1] if stage.lifting_only else [levels[0], *levels]


def _rows_in(all_ids: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Positions of the ids `part` in `all_ids`."""
    order = np.argsort(all_ids, kind="stable")
    return order[np.searchsorted(np.asarray(all_ids)[order], part)]
