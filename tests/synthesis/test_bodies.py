"""Samples made on the fly: repeatable anywhere, and consistent in themselves."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from tiny_pack import write_pack
from torch.utils.data import DataLoader

from pose2mesh import paths
from pose2mesh.augmentation.cameras import CameraRange
from pose2mesh.augmentation.detector_noise import CLEAN, DetectorNoise
from pose2mesh.augmentation.everyday_poses import only
from pose2mesh.augmentation.framing import Framing
from pose2mesh.augmentation.poses import PoseAugmentation
from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.losses.targets import Batch
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis import bodies
from pose2mesh.synthesis.bodies import SyntheticBodies, pose_pool, seeded_generator, training_shapes
from pose2mesh.synthesis.mixture import CameraShare, Mixture, NoiseShare

EXACT = (NoiseShare(share=1.0, detector=CLEAN),)


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_anny_body()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    return pose_pool([write_pack(tmp_path_factory.mktemp("pack") / "pack.npz")], 0.0)


@pytest.fixture(scope="module")
def whole(body: AnnyBody, pool: torch.Tensor) -> SyntheticBodies:
    """Samples that hold every vertex; building them takes a second or two, so tests vary copies."""
    return SyntheticBodies(body, pool, Mixture(), vertex_ids=np.arange(13718), batch_size=3)


@pytest.fixture(scope="module")
def some(body: AnnyBody, pool: torch.Tensor) -> SyntheticBodies:
    return SyntheticBodies(body, pool, Mixture(), vertex_ids=np.array([13717, 5, 77]), batch_size=3)


def varied(samples: SyntheticBodies, **changes) -> SyntheticBodies:
    """A copy with other settings (of those that are read for every batch)."""
    other = copy.copy(samples)
    for name, value in changes.items():
        assert hasattr(other, name)
        setattr(other, name, value)
    return other


def assert_same(first: Batch, second: Batch) -> None:
    for name, a, b in zip(Batch._fields, first, second, strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_sample_does_not_depend_on_workers(some: SyntheticBodies, workers: int) -> None:
    loader = DataLoader(some, batch_size=None, sampler=range(3, 8), num_workers=workers)
    for step, batch in zip(range(3, 8), loader, strict=True):
        assert_same(Batch(*batch), some[step])


def test_seeds_steps_and_streams_differ(body: AnnyBody, pool: torch.Tensor, some: SyntheticBodies) -> None:
    base = some[4]
    again = SyntheticBodies(body, pool, Mixture(), vertex_ids=np.array([13717, 5, 77]), batch_size=3)
    assert_same(again[4], base)
    others = [some[5], varied(some, stream=1)[4], varied(some, seed=1)[4]]
    for other in others:
        for a, b in zip(other, base, strict=True):
            assert not torch.equal(a, b)
    assert not torch.equal(others[0].betas, others[1].betas)


def test_generators_differ_by_every_part_of_the_key() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)]
    assert len({torch.rand(1, generator=seeded_generator(*key)).item() for key in keys}) == len(keys)


def test_parts_of_a_batch_agree(body: AnnyBody, whole: SyntheticBodies) -> None:
    """All vertices asked for: the joints are their regression, and the body in full gives the same."""
    batch = whole[0]
    regressor = torch.as_tensor(body.joint_regressor("coco19"))
    # double, for some processors sum 13,718 float32 terms 1e-5 off
    assert (regressor.double() @ batch.vertices.double() - batch.joints).abs().max() < 1e-5
    assert batch.joints[:, 17].abs().max() == 0  # the pelvis is the origin
    full = body(batch.betas, body.expand_pose(batch.rotations)).vertices
    pelvis = (regressor @ full)[:, 17:18]
    # `rotations` turn the body into the camera frame about the root bone, so only a shift is left
    assert (full - pelvis - batch.vertices).abs().max() < 1e-5


def test_chosen_vertices_are_those_of_the_whole(some: SyntheticBodies, whole: SyntheticBodies) -> None:
    torch.testing.assert_close(some[2].vertices, whole[2].vertices[:, [13717, 5, 77]], rtol=0, atol=1e-6)


def test_clean_keypoints_are_a_central_projection(some: SyntheticBodies) -> None:
    """The distance is not part of a batch, but one per sample must explain all joints: x = X / (Z + d)."""
    mixture = Mixture(noise=EXACT, cameras=(CameraShare(share=1.0, range=CameraRange((2.5, 8.0))),))
    batch = varied(some, mixture=mixture, batch_size=40)[0]
    joints, seen = batch.joints[:, :17].double(), batch.keypoints.double()
    assert (seen[..., 2] == 1).all()
    wide = joints[..., :2].norm(dim=-1) > 0.1
    distance = joints[..., :2].norm(dim=-1) / seen[..., :2].norm(dim=-1) - joints[..., 2]  # [B, 17]
    mean = torch.stack([d[w].mean() for d, w in zip(distance, wide, strict=True)])
    assert ((distance - mean[:, None]).abs()[wide]).max() < 1e-3
    assert mean.min() > 2.49 and mean.max() < 8.01
    torch.testing.assert_close(
        seen[..., :2], joints[..., :2] / (joints[..., 2:] + mean[:, None, None]), rtol=0, atol=1e-5
    )


def test_people_stand_in_camera_axes(some: SyntheticBodies) -> None:
    level = CameraRange(pitch_degrees=0, roll_degrees=0)
    cameras = (CameraShare(share=1.0, range=level),)
    mixture = Mixture(cameras=cameras, poses=PoseAugmentation(tumble=0, mix_joints=0), noise=EXACT)
    joints = varied(some, mixture=mixture, batch_size=50)[0].joints
    assert (joints[:, 0, 1] < -0.2).all()  # the nose is above the pelvis: y points down


def test_shares_are_kept(some: SyntheticBodies) -> None:
    half_blind = DetectorNoise(jitter=0, miss=0, swap=0, absent=0.5, confidence_range=(0.7, 0.7))
    noise = (NoiseShare(share=3.0, detector=CLEAN), NoiseShare(share=1.0, detector=half_blind))
    mixture = Mixture(noise=noise, children=0.0)
    batch = varied(some, mixture=mixture, batch_size=80)[0]
    is_blind = (batch.keypoints[..., 2] < 1).all(1)
    assert is_blind.sum() == 20
    assert stats.linregress(np.arange(80), is_blind.numpy()).pvalue > 0.01  # spread over the batch, as cameras are not


def test_everyday_poses_have_their_own_framing(some: SyntheticBodies) -> None:
    """Cut at the waist, while recorded ones are seen whole: as many ankles are missing as poses are everyday."""
    waist = Framing(full=0, shins_up=0, knees_up=0, waist_up=1, head_and_shoulders=0, side=0, guess=0, field=(9.0, 9.0))
    mixture = Mixture(noise=EXACT, everyday=0.25, everyday_poses=only("standing"), framing=None, everyday_framing=waist)
    keypoints = varied(some, mixture=mixture, batch_size=80)[0].keypoints
    ankle, nose = (joint_set("coco17").index(name) for name in ("left_ankle", "nose"))
    assert (keypoints[:, ankle, 2] == 0).sum() == 20 and (keypoints[:, nose, 2] > 0).all()


@pytest.mark.parametrize("counts", [(1, 1, 1), (5, 3, 2)])
def test_portions_hand_out_every_sample(counts: tuple[int, ...]) -> None:
    for size in (1, 2, 7, 100):
        portions = bodies.portions([(float(c), i) for i, c in enumerate(counts)], size, seeded_generator(size))
        assert sum(n for n, _ in portions) == size and all(n > 0 for n, _ in portions)


@pytest.mark.parametrize(("children", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.25, 0.25)])
def test_children_have_their_share(some: SyntheticBodies, children: float, expected: float) -> None:
    betas = varied(some, mixture=Mixture(children=children), batch_size=400)[0].betas
    young = {tuple(row.tolist()) for row in training_shapes()[1]}
    share = np.mean([tuple(row.tolist()) in young for row in betas])
    assert share == pytest.approx(expected, abs=0.08 if 0 < children < 1 else 0)


def test_pool_holds_distinct_poses_without_heading(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack.npz", {"01_01": 20})
    assert pose_pool([pack], 0.0).shape == (20, 19, 3)
    assert pose_pool([pack, pack], 0.0).shape == (40, 19, 3)
    assert 1 <= len(pose_pool([pack], 0.4)) < 20
    with pytest.raises(InputError, match=r"data\.motion names no motion file"):
        pose_pool([], 0.1)
    with pytest.raises(InputError, match=r"^validation names no motion file"):
        pose_pool([], 0.1, "validation")


def test_motion_is_looked_up_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(tmp_path / "pack.npz")
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))
    assert len(pose_pool(["pack.npz"], 0.0)) == 12
    with pytest.raises(MissingFileError, match=r"absent\.npz"):
        pose_pool(["absent.npz"], 0.0)


@pytest.mark.slow
@pytest.mark.data
def test_recorded_pool_is_as_varied_as_documented() -> None:
    pool = pose_pool([paths.data_dir() / "mocap_train.npz"], 0.2)
    assert len(pool) == pytest.approx(2923, rel=0.15)  # docs/data.md
