"""Pictures of figures that need no motion data."""

from collections.abc import Iterator

import torch

from pose2mesh.augmentation.cameras import CameraRange
from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages
from pose2mesh.synthesis.studio import StudioScene, _fill, _pose, _take


def random_scenes(body: AnnyBody, count: int, seed: int = 0) -> Iterator[StudioScene]:
    """Adults in recombined and perturbed figures, seen by the cameras of the protocol; needs no motion data."""
    pool, shapes = figure_pool(), shapes_of_ages(ADULT_YEARS, 0)
    for row in range(count):
        generator = seeded_generator(seed, row, 0)
        pose = sample_poses(pool, 1, PoseAugmentation(tumble=0.0), generator)
        betas = shapes[torch.randint(len(shapes), (1,), generator=generator)]
        view = CameraRange().views(1, generator)
        vertices, joints = _pose(body, betas, pose, view.rotation)
        yield _take(body, vertices, joints, float(view.distance), _fill(seed, row), "figures")
