"""The samples of one stage: which vertices they hold, and the batches from any step on."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pose2mesh.body_models import AnnyBody, LinearBlendBody
from pose2mesh.checkpoints import finest_vertex_ids
from pose2mesh.checkpoints.build import output_set
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import Hierarchy, load_hierarchy
from pose2mesh.synthesis.batches import Samples
from pose2mesh.synthesis.bodies import Mixture, SyntheticBodies
from pose2mesh.synthesis.hands import SyntheticHands
from pose2mesh.training.config import DataConfig, StageConfig, TrainConfig


@dataclass(frozen=True)
class StageData:
    """What a stage trains on; step `s` sees batch `s`, whatever happened before."""

    samples: Samples  # SyntheticBodies or AnnotatedSamples
    rows: list[np.ndarray]  # of each vertex set that the network predicts, coarse to fine: its rows in Batch.vertices
    faces: np.ndarray  # [F, 3] of the finest set
    joint_regressor: np.ndarray | None = None  # [J, V] of the joints to compare meshes in, if not the network's own


def stage_data(config: TrainConfig, index: int, body: LinearBlendBody, pool: Tensor, rank: int) -> StageData:
    """The samples of stage `index`; `pool` of `pose_pool` or `hand_pose_pool`. Every stage and rank has its stream."""
    stage = config.stages[index]
    hierarchy = load_hierarchy(config.network.mesh.hierarchy)
    ids = _vertex_sets(config, hierarchy, stage)
    finest = ids[-1]
    faces = hierarchy.faces if len(finest) == hierarchy.num_vertices else hierarchy.level_faces[1]
    mixture = mixture_of(config.data)
    stream = {"batch_size": stage.batch_size, "seed": 1000 * config.seed + index, "rank": rank}
    if isinstance(body, AnnyBody):
        settings = config.network.model_dump(mode="json")
        joint_set, outputs = str(settings["joint_set"]), output_set(settings)
        samples: Samples = SyntheticBodies(
            body, pool, mixture, vertex_ids=finest, joint_set=joint_set, output_set=outputs, **stream
        )
    else:
        samples = SyntheticHands(body, pool, mixture, vertex_ids=finest, **stream)
    return StageData(samples, [_rows_in(finest, part) for part in ids], faces)


def mixture_of(data: DataConfig) -> Mixture:
    """The `data` section of a configuration as the dataset takes it."""
    return Mixture(
        children=data.children,
        poses=data.poses,
        noise=tuple((n.share, n.detector) for n in data.noise),
        cameras=tuple((c.share, c.photo or c.range) for c in data.cameras),
        everyday=data.everyday,
        everyday_poses=data.everyday_poses,
        framing=data.framing,
        everyday_framing=data.everyday_framing,
        detectors=tuple((d.share, d.joint_set) for d in data.detectors),
    )


def _vertex_sets(config: TrainConfig, hierarchy: Hierarchy, stage: StageConfig) -> list[np.ndarray]:
    """Vertex ids of every set that the network predicts, coarse to fine."""
    mesh, settings = config.network.mesh, config.network.model_dump(mode="json")
    if config.network.kind != "compact":
        return [finest_vertex_ids(settings)]
    if mesh.kind not in ("coarse_to_fine", "direct"):
        if stage.lifting_only:
            raise InputError(f"stage {stage.name}: a {mesh.kind} head has no coarsest level to lift to")
        return [finest_vertex_ids(settings)]
    levels = [np.asarray(hierarchy.vertex_ids[level]) for level in range(len(mesh.channels), 0, -1)]
    return levels[:1] if stage.lifting_only else [levels[0], *levels]


def _rows_in(all_ids: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Positions of the ids `part` in `all_ids`."""
    order = np.argsort(all_ids, kind="stable")
    return order[np.searchsorted(np.asarray(all_ids)[order], part)]
