"""Pictures that an image backbone learns from: what they show is what their truth says, at any worker count."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.body_models import load_anny_body
from pose2mesh.geometry.weak_perspective import SIDE, project_to_crop
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.synthesis.mixture import Mixture
from pose2mesh.synthesis.pictures import (
    CHUNK,
    BodyPictureChunks,
    CropRange,
    crop_cameras,
    made_up_backgrounds,
    mirrored,
    render_pictures,
)

COCO = joint_set("coco17")


@pytest.fixture(scope="module")
def chunks() -> BodyPictureChunks:
    body = load_anny_body()
    every_vertex = np.arange(len(body.v_template))
    samples = SyntheticBodies(body, figure_pool(), Mixture(), vertex_ids=every_vertex, batch_size=CHUNK, seed=3)
    return BodyPictureChunks(samples, CropRange(), 3)


@pytest.fixture(scope="module")
def pictures(chunks):
    return render_pictures(chunks, 24)


@pytest.fixture(scope="module")
def decoder() -> AnnyDecoder:
    return AnnyDecoder(load_anny_body(), np.zeros(0, np.int64))


def test_any_number_of_workers_gives_the_same(chunks, pictures):
    again = render_pictures(chunks, 24, workers=2)
    assert len(pictures.camera) == 24
    assert all(torch.equal(a, b) for a, b in zip(pictures, again, strict=True))


def test_the_camera_projects_joints_onto_the_body(pictures, decoder):
    joints = decoder.joints(BodyParameters(pictures.rotations, pictures.betas))[:, :17]
    pixels = ((project_to_crop(joints, pictures.camera) + 1) * SIDE / 2).floor().long()  # [24, 17, 2]
    inner = [COCO.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee", "elbow")]
    pixels = pixels[:, inner].clamp(0, SIDE - 1)
    on_body = pictures.coverage[torch.arange(24)[:, None], pixels[..., 1], pixels[..., 0]]
    assert on_body.float().mean() > 0.97
    assert 0.02 < pictures.coverage.float().mean() < 0.6


def test_the_mirror_image_shows_the_mirrored_body(pictures, decoder):
    other = mirrored(pictures)
    joints, partners = (decoder.joints(BodyParameters(p.rotations, p.betas))[:, :17] for p in (pictures, other))
    expected = joints[:, list(COCO.flip_permutation)] * torch.tensor([-1.0, 1.0, 1.0])
    assert (partners - expected).norm(dim=-1).max() < 2e-3
    points = project_to_crop(expected, other.camera)
    torch.testing.assert_close(points[..., 0], -project_to_crop(joints, pictures.camera)[:, COCO.flip_permutation, 0])
    assert torch.equal(other.colors.flip(2), pictures.colors)
    twice = mirrored(other)
    torch.testing.assert_close(twice.rotations, pictures.rotations)


def test_a_crop_without_play_is_the_margin_times_the_box():
    joints = torch.randn(5, 17, 3, generator=torch.Generator().manual_seed(0))
    camera = crop_cameras(joints, CropRange(margin=(1.25, 1.25), shift=0), torch.Generator().manual_seed(0))
    points = camera[:, :1, None] * (joints[..., :2] + camera[:, None, 1:])  # weak perspective, half sides
    extent = points.amax(1) - points.amin(1)
    torch.testing.assert_close(extent.amax(1), torch.full((5,), 2 / 1.25))
    torch.testing.assert_close(points.amax(1), -points.amin(1))


def test_backgrounds_differ_and_repeat():
    first, again, other = made_up_backgrounds(2, 0), made_up_backgrounds(2, 0), made_up_backgrounds(2, 1)
    assert first.shape == (2, SIDE, SIDE, 3) and first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other) and not torch.equal(first[0], first[1])
