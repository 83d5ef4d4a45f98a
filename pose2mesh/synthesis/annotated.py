"""Batches out of several annotation datasets. Batch number `step` is a function of (seed, step, stream) alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pose2mesh.augmentation.release_noise import add_human36m_errors, synthesize_errors
from pose2mesh.datasets.annotated.meshes import BodySurfaces
from pose2mesh.datasets.annotated.table import SampleTable
from pose2mesh.datasets.annotated.targets import make_targets
from pose2mesh.losses.targets import AnnotatedBatch
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.bodies import seeded_generator

# The release synthesizes errors for these sets; SMPL's and MANO's joints come from a detector in training as well.
_ERRORS: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "human36m17": add_human36m_errors,
    "coco19": synthesize_errors,
}


@dataclass(frozen=True)
class Recipe:
    """How a stage draws and treats people."""

    input_set: str  # the network's joints
    batch_size: int
    needs_mesh: bool = True  # False trains the lifter alone
    flips: bool = False  # mirror every other person; without meshes only, which have no mirror image
    exact: bool = False  # projections without errors instead of detections: the tables' ground-truth input
    edges_from: int = 0  # first step with the edge loss


class AnnotatedSamples(Dataset):
    """A map from step to AnnotatedBatch; use it with `DataLoader(batch_size=None)`."""

    def __init__(
        self,
        tables: Sequence[SampleTable],
        shares: Sequence[float],
        surfaces: BodySurfaces,
        recipe: Recipe,
        *,
        seed: int = 0,
        stream: int = 0,
    ):
        """`shares`: the chance of each table to give the next person; they need not sum to one."""
        self.tables, self.shares, self.surfaces, self.recipe = tables, torch.tensor(shares), surfaces, recipe
        self.seed, self.stream = seed, stream

    @torch.no_grad()
    def __getitem__(self, step: int) -> AnnotatedBatch:
        generator, recipe = seeded_generator(self.seed, step, self.stream), self.recipe
        source = torch.multinomial(self.shares, recipe.batch_size, replacement=True, generator=generator)  # [B]
        place = torch.rand(recipe.batch_size, generator=generator, dtype=torch.float64)  # [B] within its table
        parts = []
        for number, table in enumerate(self.tables):
            chosen = place[source == number]
            if len(chosen):
                people = table.rows((chosen * len(table)).long())
                parts.append(
                    make_targets(
                        people, self.surfaces, recipe.input_set, needs_mesh=recipe.needs_mesh, exact=recipe.exact
                    )
                )
        *columns, _ = zip(*parts, strict=True)
        batch = AnnotatedBatch(*map(torch.cat, columns), has_edges=torch.tensor(step >= recipe.edges_from))
        batch = batch if recipe.exact else with_errors(batch, recipe.input_set, generator)
        return flipped(batch, recipe.input_set, generator) if recipe.flips else batch


def with_errors(batch: AnnotatedBatch, input_set: str, generator: Generator) -> AnnotatedBatch:
    """A detector's errors on the keypoints of the sets that have statistics.

    As in the release, pelvis and neck of COCO-19 stay those of the exact pose.
    """
    if input_set not in _ERRORS:
        return batch
    keypoints = batch.keypoints.clone()
    keypoints[:, :17, :2] = _ERRORS[input_set](keypoints[:, :17, :2], generator)
    return batch._replace(keypoints=keypoints)


def flipped(batch: AnnotatedBatch, input_set: str, generator: Generator) -> AnnotatedBatch:
    """Every other person as in a mirror: keypoints and lifted joints. The mesh and its joints are left alone."""
    turn = (torch.rand(len(batch.keypoints), generator=generator) < 0.5)[:, None, None]
    partners = list(joint_set(input_set).flip_permutation)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    return batch._replace(
        keypoints=torch.where(turn, batch.keypoints[:, partners] * mirror, batch.keypoints),
        lifted=torch.where(turn, batch.lifted[:, partners] * mirror, batch.lifted),
    )
