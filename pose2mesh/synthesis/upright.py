"""The protocol `upright`: everyday poses before cameras as people hold them, whole and cut, with exact truth.

Poses come from the sampler that training may use as well, from other seeds and on other people (docs/protocols.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from pose2mesh.augmentation.cameras import PhotoCameras, project
from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE, add_detector_noise
from pose2mesh.augmentation.everyday_poses import only, sample_everyday
from pose2mesh.augmentation.everyday_tables import KINDS
from pose2mesh.augmentation.framing import Framing, crop_to_frame, report_outside
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import COCO17, COCO_ROWS
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages
from pose2mesh.synthesis.mocap import ProtocolBatch

_STREAM = 2  # third part of the seed: streams of this protocol; mocap has 0 and 1, training its own at small steps
_FIRST = 1 << 32  # of the rows, beyond the steps of any training
# Written out, so that the protocol stays when the defaults of training change.
_WHOLE = Framing(full=1.0, side=0.0, shins_up=0.0, knees_up=0.0, waist_up=0.0, head_and_shoulders=0.0, field=(9.0, 9.0))
_CUT = Framing(
    full=0.0, shins_up=0.1, knees_up=0.15, waist_up=0.12, head_and_shoulders=0.08, side=0.08, field=(0.45, 0.9),
    guess=0.4, guess_error=0.15, guess_confidence=(0.05, 0.3),
)  # fmt: skip
_NEAR = PhotoCameras(
    distance=(2.0, 8.0), height=(-0.1, 1.0), aim=(-0.15, 0.35), aside=0.08, facing=0.35, facing_degrees=40.0,
    close=0.4, close_distance=(0.7, 2.0), close_height=(0.0, 0.8), close_aim=(0.1, 0.55),
    steep=0.1, steep_degrees=(-35.0, 65.0), roll_degrees=2.5, tilted=0.1, tilt_degrees=15.0,
)  # fmt: skip
_AFAR = replace(_NEAR, close=0.0)
# (name, kind of pose, camera, frame) of each group
GROUPS = (
    *((kind, kind, _AFAR, _WHOLE) for kind in KINDS),
    ("standing, cut", "standing", _NEAR, _CUT),
    ("chair, cut", "chair", _NEAR, _CUT),
)


@dataclass(frozen=True)
class UprightProtocol:
    """`samples` of each group, the groups in turn. Sample i is a function of (seed, i) alone."""

    kind: ClassVar[str] = "body"
    body: AnnyBody
    samples: int = 100
    ages: tuple[float, float] = ADULT_YEARS
    seed: int = 0
    limit: int | None = None

    def count(self) -> int:
        """Samples of all batches."""
        return min(self.samples * len(GROUPS), self.limit or self.samples * len(GROUPS))

    def batches(self, size: int) -> Iterator[ProtocolBatch]:
        """Batches in order; the joints outside the frame are absent, or guessed in the noisy input."""
        decoder, shapes, count = AnnyDecoder(self.body), shapes_of_ages(self.ages, 0), self.count()
        for start in range(0, count, size):
            yield self._batch(range(start, min(start + size, count)), shapes, decoder)

    def _batch(self, rows: range, shapes: torch.Tensor, decoder: AnnyDecoder) -> ProtocolBatch:
        groups = [GROUPS[row % len(GROUPS)] for row in rows]
        generators = [seeded_generator(self.seed, _FIRST + row, _STREAM) for row in rows]
        betas = torch.cat([shapes[torch.randint(len(shapes), (1,), generator=g)] for g in generators])
        pairs = list(zip(groups, generators, strict=True))
        poses = torch.cat([sample_everyday(1, only(kind), g) for (_, kind, *_), g in pairs])
        views = [cameras.views(1, g) for (*_, cameras, _), g in pairs]
        rotation, place = (torch.cat(column) for column in zip(*views, strict=True))
        vertices, joints, _ = decoder(BodyParameters(rotation[:, None] @ world_rotmats(poses), betas))
        exact = project(joints[:, COCO_ROWS], place)
        clean, noisy = [], []
        for i, ((*_, frame), generator) in enumerate(pairs):
            one = exact[i : i + 1]
            inside = crop_to_frame(one, COCO17.joints, frame, generator)
            for out, noise, recipe in ((clean, CLEAN, replace(frame, guess=0.0)), (noisy, PROTOCOL_NOISE, frame)):
                out.append(report_outside(add_detector_noise(one, noise, generator), inside, recipe, generator))
        names = [name for name, *_ in groups]
        return ProtocolBatch(torch.cat(clean), torch.cat(noisy), joints, vertices, names, place[:, 2])
