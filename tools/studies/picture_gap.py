"""Pictures of the controlled domain gap: its people in the studio, in clothes and light that no source picture has."""

from typing import NamedTuple

import numpy as np
import torch

from pose2mesh.augmentation.cameras import project
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.rendering.studio import render_studio
from pose2mesh.rendering.textures import VertexColors
from pose2mesh.skeletons import COCO_ROWS
from tools.studies.domain_gap import GapPart

SIDE = 320  # pixels of a picture's side
FILL = 0.75  # share of the picture that a square around the pelvis with all of the body fills


class GapPicture(NamedTuple):
    """A picture of one person, as a detector leaves it, and where the joints truly are."""

    image: np.ndarray  # uint8 [H, W, 3]
    keypoints: np.ndarray  # [17, 3] pixels and confidence, with the detector's errors
    exact: np.ndarray  # [17, 2] pixels


def gap_pictures(body: AnnyBody, part: GapPart, seed: int) -> list[GapPicture]:
    """A picture of every person. What they wear is a function of (seed, row)."""
    textures, decoder = VertexColors(body), AnnyDecoder(body)
    exact = project(part.truth.joints[:, COCO_ROWS], part.distance).double().numpy()  # [N, 17, 2] focal lengths
    place = np.array([0.0, 0.0, 1.0])
    pictures = []
    for row, (rays, distance) in enumerate(zip(part.keypoints.double().numpy(), part.distance.tolist(), strict=True)):
        with torch.inference_mode():
            one = BodyParameters(part.truth.rotations[row : row + 1], part.truth.betas[row : row + 1])
            vertices = decoder(one).vertices[0].double().numpy() + distance * place  # [V, 3]
        focal = FILL * SIDE / (2 * float(np.abs(vertices[:, :2] / vertices[:, 2:]).max()))
        color = textures.striped(np.random.default_rng((seed, row, 54)))
        image = render_studio(vertices, textures.faces, focal, (SIDE / 2, SIDE / 2), (SIDE, SIDE), color)
        seen = rays[:, 2:] > 0
        pixels = np.where(seen, focal * rays[:, :2] + SIDE / 2, 0)
        pictures.append(GapPicture(image, np.column_stack([pixels, rays[:, 2]]), focal * exact[row] + SIDE / 2))
    return pictures
