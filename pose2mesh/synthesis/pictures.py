"""Source pictures of an image backbone: bodies of `SyntheticBodies` in made-up clothes, cut out as crops are.

Chunk i of the pictures is a function of (seed, i) alone, so they are the same at any worker count. Backgrounds are
kept apart: what a picture shows around its body changes every time it is used.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from scipy.ndimage import zoom
from scipy.spatial.transform import Rotation
from torch import Generator, Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from pose2mesh.augmentation.ranges import STRICT, NotNegative, Positive
from pose2mesh.body_models.anny import mirror_rotations
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.geometry.weak_perspective import FOCAL, SIDE, camera_translation
from pose2mesh.rendering.shading import shade
from pose2mesh.rendering.software import Pinhole, rasterize
from pose2mesh.rendering.textures import VertexColors
from pose2mesh.synthesis.batches import batches
from pose2mesh.synthesis.bodies import SyntheticBodies, seeded_generator

CHUNK = 16  # pictures made together
_COCO = 17
_LIGHT_TURN = 0.6  # radians about each axis, deviation of where the light comes from


@dataclass(frozen=True)
class CropRange:
    """How a square is laid around a person, as boxes of detected joints do, only less exactly."""

    __pydantic_config__: ClassVar = STRICT

    margin: tuple[Positive, Positive] = (1.1, 1.45)  # side over the longer side of the joints' box; adapting takes 1.25
    shift: NotNegative = 0.06  # of the center, in sides


class BodyPictures(NamedTuple):
    """Pictures and what they show."""

    colors: Tensor  # uint8 [N, 224, 224, 3]
    coverage: Tensor  # bool [N, 224, 224] where the body is
    rotations: Tensor  # [N, 19, 3, 3] world rotations of the captured bones, seen by the camera
    betas: Tensor  # [N, S]
    camera: Tensor  # [N, 3] scale and shift, as `networks.spin` has it


class BodyPictureChunks(Dataset):
    """A map from a number to `CHUNK` pictures."""

    def __init__(self, samples: SyntheticBodies, crop: CropRange, seed: int):
        """`samples` hold all vertices of the body, `CHUNK` bodies a batch."""
        self.samples, self.crop, self.seed = samples, crop, seed
        self.textures = VertexColors(samples.body)

    def __getitem__(self, chunk: int) -> BodyPictures:
        batch = self.samples[chunk]
        camera = crop_cameras(batch.joints[:, :_COCO], self.crop, seeded_generator(self.seed, chunk, 51))
        rng = np.random.default_rng((self.seed, chunk, 52))
        placed = (batch.vertices + camera_translation(camera)[:, None]).double().numpy()  # [B, V, 3]
        colors = np.zeros((len(placed), SIDE * SIDE, 3), np.uint8)
        coverage = np.zeros((len(placed), SIDE * SIDE), bool)
        for row, vertices in enumerate(placed):
            hits = rasterize(vertices, self.textures.faces, Pinhole(FOCAL, (SIDE / 2, SIDE / 2), (SIDE, SIDE)))
            turn = Rotation.from_rotvec(rng.normal(0, _LIGHT_TURN, 3)).as_matrix()
            normals = vertex_normals(vertices, self.textures.faces) @ turn  # [V, 3] as if the light were elsewhere
            colors[row, hits.pixels] = np.rint(hits.interpolate(shade(normals, self.textures.static(rng))))
            coverage[row, hits.pixels] = True
        shape = (len(placed), SIDE, SIDE)
        shown = torch.from_numpy(colors.reshape(*shape, 3)), torch.from_numpy(coverage.reshape(shape))
        return BodyPictures(*shown, batch.rotations, batch.betas, camera)


def render_pictures(chunks: BodyPictureChunks, count: int, workers: int = 0, title: str = "pictures") -> BodyPictures:
    """The first `count` pictures, held in memory (200 kB each)."""
    chunk_count = -(-count // CHUNK)
    made = batches(chunks, 0, chunk_count, workers)
    parts = list(tqdm(made, total=chunk_count, desc=title, unit_scale=CHUNK, unit="picture"))
    return BodyPictures(*(torch.cat(tensors)[:count] for tensors in zip(*parts, strict=True)))


def crop_cameras(joints: Tensor, crop: CropRange, generator: Generator) -> Tensor:
    """Weak-perspective cameras [B,3] whose pictures are crops around joints [B,J,3] m."""
    low, high = joints[..., :2].amin(1), joints[..., :2].amax(1)  # [B, 2]
    least, most = crop.margin
    margin = least + (most - least) * torch.rand(len(joints), 1, generator=generator)
    half = margin * (high - low).amax(1, keepdim=True) / 2  # [B, 1] metres
    moved = 2 * crop.shift * (2 * torch.rand(len(joints), 2, generator=generator) - 1)  # half sides
    return torch.cat([1 / half, -(low + high) / 2 + half * moved], 1)


def made_up_backgrounds(count: int, seed: int) -> Tensor:
    """Gradients between two colors under noise of several grain sizes, uint8 [N,224,224,3]."""
    rng = np.random.default_rng((seed, 53))
    return torch.from_numpy(np.stack([_background(rng) for _ in range(count)]))


def mirrored(pictures: BodyPictures) -> BodyPictures:
    """Left and right exchanged; the body model is symmetric, so the truth is exact."""
    rotations = mirror_rotations(pictures.rotations)
    camera = pictures.camera * torch.tensor([1.0, -1.0, 1.0])
    return BodyPictures(pictures.colors.flip(2), pictures.coverage.flip(2), rotations, pictures.betas, camera)


def _background(rng: np.random.Generator) -> np.ndarray:
    angle, ends = rng.uniform(0, 2 * np.pi), rng.uniform(0, 255, (2, 3))
    axis = np.linspace(-0.5, 0.5, SIDE)
    along = np.clip(0.5 + np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None], 0, 1)[..., None]  # [S, S, 1]
    picture = (1 - along) * ends[0] + along * ends[1]
    for cells in (4, 14, 56, SIDE):  # from large stains to grain
        noise = rng.normal(0, rng.uniform(0, 35), (cells, cells, 3))
        picture += zoom(noise, (SIDE / cells, SIDE / cells, 1), order=1)
    return picture.clip(0, 255).astype(np.uint8)
