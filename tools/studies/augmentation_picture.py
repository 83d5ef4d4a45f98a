"""What DAPA makes of one photo: `python -m tools.studies.augmentation_picture [PHOTO] -o OUT.png`.

First row: the photo, the predicted body, augmented poses. Rows below: the background without the person, and synthetic
pictures of the same bodies, first with the photo's texture, then with static textures and pixel noise.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pose2mesh.adaptation.image_synthesis import ImageSynthesizer, SynthesisConfig, fill_hole
from pose2mesh.adaptation.pose_augmentation import LatentAugmentation, augment_poses
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.detectors.images import read_image
from pose2mesh.fitting.parameters import ParameterFit
from pose2mesh.geometry.crop import crop_image, keypoint_box, square_box
from pose2mesh.geometry.weak_perspective import FOCAL, SIDE, camera_translation
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.paths import write_with
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering import contact_sheet
from pose2mesh.rendering.shading import SKIN
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.types import Person

COLUMNS = 6  # the photo, the body, and augmented poses
_WHITE = 245
_MARGIN = 1.25  # side of the crop over that of the keypoints' box
_ROWS = (SynthesisConfig(pixel_noise=0), SynthesisConfig(texture="static"))


def augmentation_picture(image: np.ndarray, strength: float = 1.0, seed: int = 0) -> np.ndarray:
    """The sheet for a photo uint8 [H,W,3]. Raises NoPersonFoundError, MissingDependencyError without a detector."""
    person = Pose2Mesh.from_pretrained("anny-body").predict(image)[0]
    crop, camera = _crop(image, person)
    body = load_anny_body()
    rows = np.arange(0, len(person.vertices), 8)
    predicted = ParameterFit(body, rows)(torch.from_numpy(person.vertices[rows][None]).float())
    count = COLUMNS - 2
    many = BodyParameters(*(tensor.expand(count, *tensor.shape[1:]) for tensor in predicted))
    generator = torch.Generator().manual_seed(seed)
    recipe = LatentAugmentation(strength=strength)
    augmented = augment_poses(load_pose_prior("pose-prior-body"), many, recipe, generator)
    shown = BodyParameters(*(torch.cat([a[:1], b]) for a, b in zip(many, augmented, strict=True)))
    found = BodyParameters(*(tensor.expand(1 + count, *tensor.shape[1:]) for tensor in predicted))
    cameras, crops = camera.expand(1 + count, -1), np.repeat(crop[None], 1 + count, 0)
    rng, place = np.random.default_rng(seed), camera_translation(camera).numpy()
    bodies = ImageSynthesizer(body, _ROWS[0]).decoder(shown).vertices.numpy() + place
    pictures = [crop, *(_plain(mesh, body.faces.numpy()) for mesh in bodies)]
    mask = _plain(bodies[0], body.faces.numpy()).min(-1) < _WHITE  # [224, 224]
    for config in _ROWS:
        rendered, _ = ImageSynthesizer(body, config)(crops, found, shown, cameras, rng)
        pictures += [fill_hole(crop, mask), *rendered]
    return contact_sheet([pictures[start : start + COLUMNS] for start in range(0, len(pictures), COLUMNS)])


def _crop(image: np.ndarray, person: Person) -> tuple[np.ndarray, torch.Tensor]:
    """The person's square [224,224,3] and the weak-perspective camera [1,3] that sees the body in it."""
    from PIL import Image

    assert person.camera is not None  # predict fits one to every person
    box = square_box(keypoint_box(person.keypoints[:, :2], person.keypoints[:, 2]), _MARGIN)
    crop, offset = crop_image(image, box)
    scale = SIDE / len(crop)
    small = np.array(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    x, y, z = person.camera.translation
    center = (np.array(person.camera.center) - offset) * scale - SIDE / 2  # pixels from the crop's middle
    size = 2 * person.camera.focal * scale / (SIDE * z)  # half sides per metre
    shift = np.array([x, y]) + center * 2 / (SIDE * size)
    return small, torch.tensor([[size, *shift]], dtype=torch.float32)


def _plain(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    picture, depth = render(vertices, faces, Pinhole(FOCAL, (SIDE / 2, SIDE / 2), (SIDE, SIDE)), SKIN)
    return np.where(depth[..., None] > 0, picture, np.uint8(_WHITE))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path, nargs="?", help="default: the astronaut of scikit-image")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--strength", type=float, default=1.0)
    options = parser.parse_args(arguments)

    from PIL import Image

    if options.photo:
        image = read_image(options.photo)
    else:
        from skimage.data import astronaut

        image = astronaut()
    sheet = Image.fromarray(augmentation_picture(image, options.strength))
    write_with(options.output, lambda stream: sheet.save(stream, "PNG"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
