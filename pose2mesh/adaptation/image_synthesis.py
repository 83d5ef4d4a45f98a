"""Pictures of augmented bodies, made while training runs (DAPA step 3): texture, background, pixel noise."""

from typing import Literal

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter
from torch import Tensor

from pose2mesh.augmentation.ranges import Fraction
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.geometry.weak_perspective import FOCAL, SIDE, camera_translation
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.rendering.photo_texture import PhotoTexture
from pose2mesh.settings import Strict

_MARGIN = 6  # pixels around the body that are taken out of a source background
_BLUR = 5.0  # pixels, of what fills the hole


class SynthesisConfig(Strict):
    """What a synthetic picture is made of."""

    texture: Literal["photo", "static"] = "photo"  # T(I), or one color each for skin, shirt, trousers, shoes
    background: Literal["source", "random"] = "source"  # the photo without its person, or another photo of the batch
    pixel_noise: Fraction = 0.4  # each channel is scaled by U(1 - n, 1 + n), as in the released code


class ImageSynthesizer:
    """Renders bodies in the colors of photos."""

    def __init__(self, body: AnnyBody, config: SynthesisConfig):
        self.decoder, self.textures, self.config = AnnyDecoder(body), PhotoTexture(body), config

    @torch.no_grad()
    def __call__(
        self,
        images: np.ndarray,
        predicted: BodyParameters,
        augmented: BodyParameters,
        camera: Tensor,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, BodyPrediction]:
        """(pictures uint8 [B,224,224,3], what they show) of augmented bodies before the cameras [B,3].

        `images` uint8 [B,224,224,3] are the photos in which `predicted` bodies were found.
        """
        shift = camera_translation(camera).numpy()  # [B, 3]
        truth, found = self.decoder(augmented), self.decoder(predicted)
        rendered = []
        for row, image in enumerate(images):
            was = found.vertices[row].double().numpy() + shift[row]
            now = truth.vertices[row].double().numpy() + shift[row]
            background = self._background(images, row, was, rng)
            picture = self.textures.render(now, self._texture(image, was, rng), FOCAL, background)
            rendered.append(add_pixel_noise(picture, self.config.pixel_noise, rng))
        return np.stack(rendered), truth

    def _texture(self, image: np.ndarray, vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.config.texture == "static":
            return self.textures.static(rng)
        return self.textures.from_photo(image, vertices, FOCAL, (SIDE / 2, SIDE / 2))

    def _background(self, images: np.ndarray, row: int, vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """[224,224,3]. Another photo still shows its person; the body hides most of it, as crowds hide people."""
        if self.config.background == "random" and len(images) > 1:
            other = images[(row + rng.integers(1, len(images))) % len(images)]
            return other[:, ::-1] if rng.random() < 0.5 else other
        mask = np.isfinite(self.textures.depth(vertices, FOCAL, (SIDE / 2, SIDE / 2), SIDE))
        return fill_hole(images[row], mask)


def fill_hole(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture uint8 [H,W,3] with what lies in mask [H,W] and close to it replaced by its blurred surroundings."""
    hole = binary_dilation(mask, iterations=_MARGIN)
    if not hole.any() or hole.all():
        return image.copy()
    rows, columns = distance_transform_edt(hole, return_distances=False, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
    filled = image[rows, columns].astype(np.float32)
    blurred = gaussian_filter(filled, (_BLUR, _BLUR, 0))
    return np.where(hole[..., None], blurred, image).round().astype(np.uint8)


def add_pixel_noise(image: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Scale each channel of a picture uint8 [H,W,3] by its own factor from U(1 - noise, 1 + noise)."""
    factors = rng.uniform(1 - noise, 1 + noise, 3)
    return (image * factors).clip(0, 255).round().astype(np.uint8)
