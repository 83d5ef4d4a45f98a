"""Pictures of the controlled domain gap: its people in clothes and light that no source picture has, badly taken."""

from typing import NamedTuple

import numpy as np
import torch

from pose2mesh.augmentation.cameras import project
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.rendering.software import Pinhole
from pose2mesh.rendering.studio import render_studio
from pose2mesh.skeletons import COCO_ROWS
from tools.studies.domain_gap import GapPart
from tools.studies.wardrobe import Wardrobe

SIDE = 320  # pixels of a picture's side
HIDDEN = (0.1, 0.3)  # sides of what hides a part of the person, shares of what the body fills
PIXELS = (80, 160)  # that a side really has
GAMMA = (0.5, 2.0)
NOISE = 6.0  # deviation, of 255
FILL = 0.75  # share of the picture that a square around the pelvis with all of the body fills


class GapPicture(NamedTuple):
    """A picture of one person, as a detector leaves it, and where the joints truly are."""

    image: np.ndarray  # uint8 [H, W, 3]
    keypoints: np.ndarray  # [17, 3] pixels and confidence, with the detector's errors
    exact: np.ndarray  # [17, 2] pixels


def gap_pictures(body: AnnyBody, part: GapPart, seed: int) -> list[GapPicture]:
    """A picture of every person. What they wear is a function of (seed, row)."""
    textures, decoder = Wardrobe(body), AnnyDecoder(body)
    exact = project(part.truth.joints[:, COCO_ROWS], part.distance).double().numpy()  # [N, 17, 2] focal lengths
    place = np.array([0.0, 0.0, 1.0])
    pictures = []
    for row, (rays, distance) in enumerate(zip(part.keypoints.double().numpy(), part.distance.tolist(), strict=True)):
        with torch.inference_mode():
            one = BodyParameters(part.truth.rotations[row : row + 1], part.truth.betas[row : row + 1])
            vertices = decoder(one).vertices[0].double().numpy() + distance * place  # [V, 3]
        focal = FILL * SIDE / (2 * float(np.abs(vertices[:, :2] / vertices[:, 2:]).max()))
        color = textures.striped(np.random.default_rng((seed, row, 54)))
        image = render_studio(vertices, textures.faces, Pinhole(focal, (SIDE / 2, SIDE / 2), (SIDE, SIDE)), color)
        image = degraded(image, FILL, np.random.default_rng((seed, row, 55)))
        seen = rays[:, 2:] > 0
        pixels = np.where(seen, focal * rays[:, :2] + SIDE / 2, 0)
        pictures.append(GapPicture(image, np.column_stack([pixels, rays[:, 2]]), focal * exact[row] + SIDE / 2))
    return pictures


def degraded(image: np.ndarray, fill: float, rng: np.random.Generator) -> np.ndarray:
    """A square picture uint8 [S,S,3] of few pixels, too dark or too light, with noise, something before its middle."""
    from PIL import Image

    side = len(image)
    out = image.copy()
    width, height = (rng.uniform(*HIDDEN, 2) * fill * side).astype(int)
    left, top = (side / 2 + fill * side * rng.uniform(-0.5, 0.5, 2) - (width / 2, height / 2)).clip(0).astype(int)
    out[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    few = int(rng.uniform(*PIXELS))
    small = np.array(Image.fromarray(out).resize((few, few), Image.Resampling.BOX))
    noisy = 255 * (small / 255) ** rng.uniform(*GAMMA) + rng.normal(0, NOISE, small.shape)
    rough = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    return np.array(rough.resize((side, side), Image.Resampling.BICUBIC))
