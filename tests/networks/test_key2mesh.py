"""The parameter network: sizes of the published one, its normalization, and bodies from parameters."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.spatial.transform import Rotation
from synthetic_models import arrays, write_pickle

from pose2mesh.body_models import load_anny_body, load_body_model
from pose2mesh.body_models.licensed_files import FAMILIES
from pose2mesh.checkpoints import build_network
from pose2mesh.errors import InputError
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.networks.body_decoders import AnnyDecoder, SkinnedDecoder
from pose2mesh.networks.critic import DomainCritic
from pose2mesh.networks.key2mesh import PublishedFeatures, PublishedHead, normalize_box
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import MIRROR_BONES, joint_set, mirror_name
from pose2mesh.training.config import NetworkConfig

UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def small(**changes) -> dict:
    settings = {"kind": "key2mesh", "lifter": {"width": 32, "blocks": 1}, **changes}
    return NetworkConfig.model_validate(settings).model_dump(mode="json")


def keypoints(joints: int, seed: int = 0) -> torch.Tensor:
    points = 300 * torch.rand(4, joints, 3, generator=torch.Generator().manual_seed(seed))
    points[..., 2] = 1
    points[1:, 3, 2] = 0
    return points


def test_the_published_configuration_has_the_published_numbers_of_weights():
    count = {name: sum(p.numel() for p in module.parameters()) for name, module in (
        ("extractor", PublishedFeatures(18)), ("head", PublishedHead(1024, 154)), ("critic", DomainCritic(1024)),
    )}  # fmt: skip
    assert count == {"extractor": 4_246_533, "head": 2_261_148, "critic": 2_100_227}


def test_box_normalization_agrees_with_a_loop():
    points = keypoints(18)
    points[2, 5, 2] = 0.05  # below the limit of the published code
    points[2, 7], points[3, 8] = torch.tensor([-900.0, 20, 0.15]), torch.tensor([900.0, 20, 0.0999])
    for person, result in zip(points.numpy(), normalize_box(points).numpy(), strict=True):
        seen = person[person[:, 2] >= 0.1, :2]
        low, high = seen.min(0), seen.max(0)
        for joint, found in zip(person, result, strict=True):
            expected = (joint[:2] - (low + high) / 2) / (high - low).max() + 0.5 if joint[2] >= 0.1 else (0.5, 0.5)
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_person_without_joints_is_normalized_to_finite_values():
    assert torch.equal(normalize_box(torch.zeros(1, 17, 3)), torch.full((1, 17, 2), 0.5))


@pytest.mark.parametrize("features", ["residual", "published"])
def test_missing_joints_position_and_size_do_not_matter(features: str):
    torch.manual_seed(0)
    network = build_network(small(joint_set="openpose18", parameters={"features": features})).eval()
    points = keypoints(18)
    moved = points * torch.tensor([3.0, 3, 1]) + torch.tensor([50.0, -20, 0])
    moved[1:, 3, :2] = 7777  # missing
    with torch.inference_mode():
        ours, theirs = network(points), network(moved)
    assert ours.joints.shape == (4, 19, 3) and ours.parameters.rotations.shape == (4, 19, 3, 3)
    torch.testing.assert_close(ours.joints, theirs.joints, atol=2e-4, rtol=0)
    rotations = ours.parameters.rotations
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-5, rtol=0)


def test_a_fresh_network_stands_upright():
    joints = build_network(small())(keypoints(17)).joints
    assert joints[:, 0, 1].max() < -0.3 and joints[:, 15:17, 1].min() > 0.5  # y down: nose above, ankles below


def test_annys_decoder_is_linear_blend_skinning():
    body = load_anny_body()
    rows = np.arange(0, len(body.v_template), 97)
    generator = torch.Generator().manual_seed(1)
    rotations = rotvec_to_rotmat(0.4 * torch.randn(2, 19, 3, generator=generator))
    betas = torch.randn(2, body.num_shape, generator=generator)
    found = AnnyDecoder(body, rows)(BodyParameters(rotations, betas))
    vertices = body(betas, body.expand_pose(rotations)).vertices
    joints = torch.as_tensor(body.joint_regressor("coco19"), dtype=torch.float32) @ vertices
    torch.testing.assert_close(found.joints, joints - joints[:, 17:18], atol=2e-5, rtol=0)
    torch.testing.assert_close(found.vertices, vertices[:, rows] - joints[:, 17:18], atol=2e-5, rtol=0)


@pytest.mark.parametrize(("name", "file", "output"), [
    ("smpl-neutral", "SMPL_NEUTRAL.pkl", "smpl24"), ("mano-right", "MANO_RIGHT.pkl", "hand21"),
])  # fmt: skip
def test_licensed_bodies_turn_with_their_root(name: str, file: str, output: str, tmp_path, monkeypatch):
    entries = arrays(FAMILIES[name])
    rows = entries["J_regressor"].toarray() + 1e-6
    entries["J_regressor"] = sparse.csc_matrix(rows / rows.sum(1, keepdims=True))  # joints move with the vertices
    write_pickle(tmp_path / file, entries)
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path))
    decoder = SkinnedDecoder(load_body_model(name), output)
    generator = torch.Generator().manual_seed(2)
    rotations = rotvec_to_rotmat(0.3 * torch.randn(1, len(decoder.rest6d), 3, generator=generator))
    betas = torch.randn(1, 10, generator=generator)
    turned = rotations.clone()
    turned[:, 0] = UPRIGHT @ rotations[:, 0]
    before, after = decoder(BodyParameters(rotations, betas)), decoder(BodyParameters(turned, betas))
    torch.testing.assert_close(after.vertices, before.vertices @ UPRIGHT.T, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.joints[:, decoder.root], torch.zeros(1, 3))


def test_the_network_of_a_hand(tmp_path, monkeypatch):
    write_pickle(tmp_path / "MANO_RIGHT.pkl", arrays(FAMILIES["mano-right"]))
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path))
    network = build_network(small(joint_set="hand21", body="mano-right"))
    found = network(keypoints(21))
    assert found.vertices.shape == (4, 778, 3) and found.parameters.rotations.shape == (4, 16, 3, 3)
    assert found.parameters.betas.shape == (4, 10)


def test_a_mirrored_network_answers_the_mirror_image_with_the_mirror_image():
    torch.manual_seed(0)
    plain = build_network(small(joint_set="coco17")).eval()
    torch.nn.init.normal_(plain.head.weight, std=0.02)
    network = build_network(small(joint_set="coco17", parameters={"mirrored": True})).eval()
    network.load_state_dict(plain.state_dict())
    names, out = joint_set("coco17").joints, joint_set("coco19").joints
    mirror = torch.tensor([-1.0, 1, 1])
    points = keypoints(17)
    turned = points[:, [names.index(mirror_name(name)) for name in names]] * mirror
    partners = [out.index(mirror_name(name)) for name in out]
    with torch.no_grad():
        for each, same in ((network, True), (plain, False)):
            expected = each(points).joints[:, partners] * mirror
            assert torch.allclose(each(turned).joints, expected, atol=1e-3) == same  # the body itself: to 0.5 mm
            torch.testing.assert_close(each.without_mesh(points).joints, each(points).joints)
        found, pose, image = (each.flatten(0, 1).numpy() for each in (
            network(points).parameters.rotations,
            plain(points).parameters.rotations,
            torch.diag(mirror) @ plain(turned).parameters.rotations[:, list(MIRROR_BONES)] @ torch.diag(mirror),
        ))  # fmt: skip
    means = [Rotation.from_matrix(np.stack(pair)).mean() for pair in zip(pose, image, strict=True)]
    apart = (Rotation.from_matrix(found).inv() * Rotation.concatenate(means)).magnitude()
    between = (Rotation.from_matrix(pose).inv() * Rotation.from_matrix(image)).magnitude()
    assert between.max() > 0.3 and (apart < 0.1 * between + 1e-3).all()  # of two columns, scipy's of three


def test_bodies_that_are_not_their_mirror_image_are_refused():
    with pytest.raises(InputError, match="mirrored: it is for anny-body"):
        build_network(small(body="anny-hand", joint_set="hand21", parameters={"mirrored": True}))
