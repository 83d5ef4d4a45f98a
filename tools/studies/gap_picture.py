"""An image backbone in the gap: `python -m tools.studies.gap_picture --config FILE -o OUT.png [key=value ...]`.

Rows from above: pictures of the target; the bodies that the source finds in them; what DAPA makes of those bodies with
the texture of the photo; the same with static ones. `--adapted WEIGHTS` adds the bodies that another backbone finds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pose2mesh.adaptation.image_synthesis import ImageSynthesizer, SynthesisConfig
from pose2mesh.adaptation.pose_augmentation import augment_poses
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.image_backbone import load_image_backbone
from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.evaluation.images import predict_images
from pose2mesh.geometry.weak_perspective import FOCAL, SIDE, camera_translation
from pose2mesh.networks.spin import ImagePrediction
from pose2mesh.paths import write_with
from pose2mesh.rendering import contact_sheet
from pose2mesh.rendering.shading import SKIN
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.settings import load_config
from tools.studies.gap_study import StudyConfig
from tools.studies.image_bench import ImageGapBench

COLUMNS = 8


@torch.no_grad()
def gap_picture(config: StudyConfig, adapted: Path | None) -> np.ndarray:
    """The sheet uint8 [H,W,3] of the first weights and of people spread over the test part."""
    bench = ImageGapBench(config.weights[0], config.gap, config.adapt, COLUMNS)
    images, body, dapa = bench.test.target.images, load_anny_body(), config.adapt.dapa
    networks = [bench.source, *([load_image_backbone(adapted)[0]] if adapted else [])]
    found = [predict_images(network, torch.from_numpy(images), "float32") for network in networks]
    sheet = [list(images)]
    synthesizers = [ImageSynthesizer(body, SynthesisConfig(texture=texture)) for texture in ("photo", "static")]
    for each in found:
        vertices = synthesizers[0].decoder(each.parameters).vertices + camera_translation(each.camera)[:, None]
        sheet.append([_over(*pair, body.faces.numpy()) for pair in zip(images, vertices.numpy(), strict=True)])
    prior = load_pose_prior(dapa.prior)
    source: ImagePrediction = found[0]
    moved = augment_poses(prior, source.parameters, dapa.latent, torch.Generator().manual_seed(config.adapt.seed))
    for synthesizer in synthesizers:
        rng = np.random.default_rng(config.adapt.seed)
        sheet.append(list(synthesizer(images, source.parameters, moved, source.camera, rng)[0]))
    return contact_sheet(sheet)


def _over(image: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    picture, depth = render(vertices, faces, Pinhole(FOCAL, (SIDE / 2, SIDE / 2), (SIDE, SIDE)), SKIN)
    return np.where(depth[..., None] > 0, picture, image)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--adapted", type=Path, metavar="WEIGHTS")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)

    from PIL import Image

    config = load_config(StudyConfig, options.config, options.overrides)
    sheet = Image.fromarray(gap_picture(config, options.adapted))
    write_with(options.output, lambda stream: sheet.save(stream, "PNG"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
