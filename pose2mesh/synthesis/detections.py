"""What detectors report of a sample: the joints that they know, framed as photos are, with their errors.

A network that takes the union of all sets sees each sample through one detector, drawn for it; the joints which that
one does not know are absent.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.cameras import project
from pose2mesh.augmentation.detector_noise import DetectorNoise, add_detector_noise
from pose2mesh.augmentation.framing import Framing, crop_to_frame, report_outside
from pose2mesh.body_models import AnnyBody, MeshBody
from pose2mesh.errors import InputError
from pose2mesh.skeletons import JointSet
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons.conversion import conversion_sources

T = TypeVar("T")
N = TypeVar("N")

_SMALL = 16  # samples of a batch; in smaller ones a share that rounds to nothing would never occur
_MOST_DETECTORS = 4  # in one batch: many small groups cost more time than the network


class Errors(NamedTuple):
    """Kinds of errors with their shares, and how photos frame which samples ([B] bool); the others are seen whole."""

    noise: Sequence[tuple[float, DetectorNoise]]
    framings: Sequence[tuple[Tensor, Framing]] = ()


class Conversion:
    """Keypoints [B,J,3] of one set to those [B,K,3] of another, by name; as `skeletons.convert`, on tensors."""

    def __init__(self, source: JointSet, target: JointSet):
        rows = conversion_sources(source, target)
        self.is_same = source.joints == target.joints
        self.first, self.second = (torch.tensor([row[i] if row else 0 for row in rows]) for i in (0, -1))  # [K]
        self.known = torch.tensor([bool(row) for row in rows])[:, None]  # [K, 1]

    def __call__(self, keypoints: Tensor) -> Tensor:
        if self.is_same:
            return keypoints
        first, second = (keypoints[:, index.to(keypoints.device)] for index in (self.first, self.second))
        confidence = torch.minimum(first[..., 2:], second[..., 2:])
        points = (first[..., :2] + second[..., :2]) / 2
        return torch.cat([points, confidence], -1) * (self.known.to(keypoints.device) & (confidence > 0))


@cache
def conversion(source: str, target: str) -> Conversion:
    """Between sets by name."""
    return Conversion(find_joint_set(source), find_joint_set(target))


class Detector:
    """A source of joints: a set, as far as the network's set knows it."""

    def __init__(self, source: str, target: str):
        whole, wanted = find_joint_set(source), find_joint_set(target)
        used = {i for row in conversion_sources(whole, wanted) for i in row}
        if not used:
            raise InputError(f"detectors: {source} has no joint that a network of {target} knows; name another set")
        self.joints = JointSet(whole.name, tuple(j for i, j in enumerate(whole.joints) if i in used), ())
        self.conversion = Conversion(self.joints, wanted)


class Detections:
    """Joints of samples in a network's set, from exact points of the body."""

    def __init__(self, body: AnnyBody | MeshBody, target: str, output: str, sources: Sequence[tuple[float, str]]):
        """`target` is the network's set, `output` that of the joints it returns; shares need not sum to one.

        Without `sources` every sample has the network's own set.
        """
        self.sources = [(share, Detector(name, target)) for share, name in sources or [(1.0, target)]]
        parts = [body.joint_regressor(output), *(body.joint_regressor(d.joints) for _, d in self.sources)]
        # Weights [U,V] of all points that any detector or the output names, each once.
        self.regressor, rows = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        self.output_rows, *self.source_rows = (torch.from_numpy(part) for part in np.split(rows.reshape(-1), ends))
        outputs = find_joint_set(output)
        self.root = int(self.output_rows[outputs.index(outputs.root or outputs.joints[0])])  # among the points

    def __call__(self, points: Tensor, place: Tensor, errors: Errors, generator: Generator) -> Tensor:
        """Points [B,U,3] m, relative to the pelvis, which stands at `place` [B,3], to keypoints [B,J,3].

        x and y in focal lengths. Who is seen by which detector, and with which errors, is drawn.
        """
        order = torch.randperm(len(points), generator=generator)  # cameras and poses have shares too
        found = []
        for index, parts in hand_out(order, self._draw_detectors(len(points), generator), errors.noise, generator):
            rows, kinds = torch.cat([part for part, _ in parts]), [kind for _, kind in parts]
            detector, columns = self.sources[index][1], self.source_rows[index]
            exact = project(points[rows][:, columns], place[rows])  # [b, J, 2]
            alike = zip(exact.split([len(part) for part, _ in parts]), kinds, strict=True)
            seen = torch.cat([add_detector_noise(part, kind, generator, detector.joints) for part, kind in alike])
            for framed, framing in errors.framings:
                cut = framed[rows].nonzero()[:, 0]
                if not len(cut):
                    continue
                inside = crop_to_frame(exact[cut], detector.joints.joints, framing, generator)
                seen[cut] = report_outside(seen[cut], inside, framing, generator)
            found.append(detector.conversion(seen))
        return torch.cat(found)[order.argsort()]

    def _draw_detectors(self, count: int, generator: Generator) -> list[tuple[int, int]]:
        """How many of `count` samples which source sees: all sources, or a few drawn by their shares."""
        shares = torch.tensor([share for share, _ in self.sources], dtype=torch.float64)
        if len(shares) <= _MOST_DETECTORS:
            return portions([(share, i) for i, (share, _) in enumerate(self.sources)], count, generator)
        # Systematic sampling: a share above 1 / _MOST_DETECTORS is in every batch, the others come by turns.
        places = (torch.rand((), generator=generator) + torch.arange(_MOST_DETECTORS)) / _MOST_DETECTORS
        index = torch.searchsorted(shares.cumsum(0) / shares.sum(), places.double()).clamp(max=len(shares) - 1)
        drawn = [(float(n), int(i)) for i, n in zip(*index.unique(return_counts=True), strict=True)]
        return portions(drawn, count, generator)


def hand_out(
    order: Tensor, groups: Sequence[tuple[int, T]], noise: Sequence[tuple[float, N]], generator: Generator
) -> Iterator[tuple[T, list[tuple[Tensor, N]]]]:
    """Samples in the order [B] to groups of a size, and within each to kinds of errors: (group, its (rows, kind))."""
    rows = order.split([size for size, _ in groups])
    for turn, (mine, (size, group)) in enumerate(zip(rows, groups, strict=True)):
        counts, kinds = zip(*portions(noise, size, generator, turn=turn, whole=len(order)), strict=True)
        yield group, list(zip(mine.split(counts), kinds, strict=True))


def portions(
    shares: Sequence[tuple[float, T]], count: int, generator: Generator, *, turn: int = 0, whole: int | None = None
) -> list[tuple[int, T]]:
    """Split `count` samples, of a batch of `whole`, by shares; every sample is handed out.

    Who gets the odd ones says `turn`, or in small batches chance, so that each share is kept over many of them.
    """
    shares = [*shares[turn % len(shares) :], *shares[: turn % len(shares)]]
    ends = np.cumsum([share for share, _ in shares]) / sum(share for share, _ in shares) * count
    counts = np.diff(_rounded(ends, whole or count, generator), prepend=0)
    return [(int(n), item) for n, (_, item) in zip(counts, shares, strict=True) if n]


def portion(share: float, count: int, generator: Generator) -> int:
    """How many of a batch of `count` samples a share of it is; rounded as in `portions`."""
    return int(_rounded(np.array([share * count]), count, generator)[0])


def _rounded(ends: np.ndarray, whole: int, generator: Generator) -> np.ndarray:
    """Whole numbers [N] for numbers of samples, in small batches all of them up or down by the same chance."""
    if whole >= _SMALL:
        return np.rint(ends).astype(int)
    return np.floor(ends + torch.rand((), generator=generator).item() + 1e-9).astype(int)
