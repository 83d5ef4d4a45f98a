"""Training samples made on the fly: recorded poses, varied, on bodies of all ages, before virtual cameras.

Nothing is precomputed. Batch number `step` is a function of (seed, step, stream) alone, so the same seed gives the same
samples at any worker count.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pose2mesh import kinds, paths
from pose2mesh.augmentation.everyday_poses import sample_everyday
from pose2mesh.augmentation.framing import Framing
from pose2mesh.augmentation.poses import relative_rotvecs, sample_poses, world_rotmats
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.datasets.motion import distinct_poses, load_motion
from pose2mesh.errors import InputError
from pose2mesh.losses.targets import Batch
from pose2mesh.npz import read_arrays
from pose2mesh.synthesis.detections import Detections, Errors, portion, portions
from pose2mesh.synthesis.mixture import Mixture, pairs

ADULT_YEARS = (18.0, 75.0)


class SyntheticBodies(Dataset):
    """A map from step to Batch; use it with `DataLoader(batch_size=None)`."""

    def __init__(
        self,
        body: AnnyBody,
        pool: Tensor,
        mixture: Mixture,
        *,
        vertex_ids: np.ndarray,
        batch_size: int,
        joint_set: str = "coco17",
        output_set: str = "coco19",
        seed: int = 0,
        stream: int = 0,
    ):
        """`pool` [N,19,3]: relative rotation vectors (`pose_pool`); `vertex_ids`: the vertices a batch holds.

        `joint_set` and `output_set` are the network's; the root of the latter is the origin.
        """
        self.detections = Detections(body, joint_set, output_set, pairs(mixture.detectors, "joint_set"))
        self.body, self.reduced = body, ReducedBody(body, vertex_ids, self.detections.regressor)
        self.pool, self.mixture = pool, mixture
        self.batch_size, self.seed, self.stream = batch_size, seed, stream
        self.shapes = training_shapes()

    def __getitem__(self, step: int) -> Batch:
        generator = seeded_generator(self.seed, step, self.stream)
        pose, is_everyday = self._sample_poses(generator)  # [B, 19, 3], [B]
        betas = draw_betas(self.shapes, self.mixture.children, self.batch_size, generator)
        cameras = portions(pairs(self.mixture.cameras, "camera"), self.batch_size, generator)
        views = [camera.views(n, generator) for n, camera in cameras]
        rotation, place = (torch.cat(column) for column in zip(*views, strict=True))
        seen = rotation[:, None] @ world_rotmats(pose)  # [B, 19, 3, 3]: the camera turns the whole body
        groups = self.body.expand_groups(seen)
        points = self.reduced.joints(betas, groups)  # [B, U, 3]
        pelvis = points[:, self.detections.root, None]
        points = points - pelvis
        vertices = self.reduced.skin(betas, groups) - pelvis
        errors = Errors(pairs(self.mixture.noise, "detector"), self._framings(is_everyday))
        keypoints = self.detections(points, place, errors, generator)
        return Batch(keypoints, points[:, self.detections.output_rows], vertices, seen, betas)

    def _sample_poses(self, generator: Generator) -> tuple[Tensor, Tensor]:
        """Poses [B,19,3], in no order: recorded ones, varied, and those of everyday life, with [B] which are these."""
        everyday = portion(self.mixture.everyday, self.batch_size, generator)
        pose = sample_poses(self.pool, self.batch_size - everyday, self.mixture.poses, generator)
        is_everyday = torch.arange(self.batch_size) >= len(pose)
        if everyday:
            more = sample_everyday(everyday, self.mixture.everyday_poses, generator, self.pool)
            order = torch.randperm(self.batch_size, generator=generator)
            pose, is_everyday = torch.cat([pose, more])[order], is_everyday[order]
        return pose, is_everyday

    def _framings(self, is_everyday: Tensor) -> list[tuple[Tensor, Framing]]:
        """How photos frame which samples, by the kind of their poses."""
        framing, other = self.mixture.framing, self.mixture.everyday_framing
        if other is None:
            return [(torch.ones_like(is_everyday), framing)] if framing else []
        return [(rows, frames) for rows, frames in ((~is_everyday, framing), (is_everyday, other)) if frames]


def seeded_generator(*key: int) -> Generator:
    """A generator whose stream is a function of the integers in `key` alone."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))


def pose_pool(motion: Sequence[str | Path], distinct_radians: float, setting: str = "data.motion") -> Tensor:
    """Distinct poses [N,19,3] of the motion files of a setting, as rotations against the parent without heading."""
    pools = []
    for source in motion:
        rotvec = load_motion(source).rotvec
        kept = distinct_poses(rotvec, distinct_radians) if distinct_radians else np.arange(len(rotvec))
        pools.append(relative_rotvecs(rotvec[kept]))
    if not pools:
        raise InputError(f"{setting} names no motion file")
    return torch.cat(pools)


def shape_table(kind: kinds.Kind = kinds.BODY) -> tuple[Tensor, Tensor]:
    """(age in years [N], betas [N,S]) of people sampled from Anny's calibrated distribution."""
    arrays = read_arrays(paths.asset(kind.shapes), ("age_years", "betas"), remedy="restore it")
    return torch.from_numpy(arrays["age_years"]), torch.from_numpy(arrays["betas"])


def shapes_of_ages(years: tuple[float, float], first: int, kind: kinds.Kind = kinds.BODY) -> Tensor:
    """Betas [N,S] of people of these ages: every second row of the table from `first` (1 training, 0 test)."""
    age, betas = (column[first::2] for column in shape_table(kind))
    chosen = betas[(age >= years[0]) & (age <= years[1])]
    if not len(chosen):
        wanted = "put the younger age first" if years[0] > years[1] else "the shape table holds people of 4 to 75 years"
        raise InputError(f"data.ages {list(years)}: {wanted}")
    return chosen


def training_shapes() -> tuple[Tensor, Tensor]:
    """Betas of adults and of children for training: the odd rows of the table (tests draw from the even ones)."""
    age, betas = (column[1::2] for column in shape_table())
    adult = age >= ADULT_YEARS[0]
    return betas[adult], betas[~adult]


def draw_betas(shapes: Sequence[Tensor], share: float, count: int, generator: Generator) -> Tensor:
    """Betas [count,S] of adults or, a `share` of them, of children; `shapes` [N,S] are those of both."""
    adults, children = (betas[torch.randint(len(betas), (count,), generator=generator)] for betas in shapes)
    return torch.where(torch.rand(count, 1, generator=generator) < share, children, adults)
