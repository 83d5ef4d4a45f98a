"""What detectors report of a sample: each joint at its own point of the body, others absent, in the network's set."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.detector_noise import CLEAN
from pose2mesh.augmentation.framing import Framing
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.skeletons import JointSet, convert, joint_set
from pose2mesh.synthesis.detections import Detections, Errors, conversion, portions

EXACT = Errors(((1.0, CLEAN),))
SETS = ("mediapipe33", "coco17", "openpose25", "halpe26", "human36m17", "smpl24", "mpii16", "body32")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("source", ["coco17", "openpose25", "halpe26", "smpl24", "wholebody65"])
@pytest.mark.parametrize("target", ["union48", "coco19", "coco17"])
def test_tensors_are_converted_as_arrays_are(source: str, target: str) -> None:
    keypoints = torch.rand(4, len(joint_set(source)), 3, generator=seeded()) + 0.1
    keypoints[torch.rand(keypoints.shape[:2], generator=seeded(1)) < 0.3] = 0.0
    found = conversion(source, target)(keypoints)
    points, confidence = convert(keypoints[..., :2].numpy(), keypoints[..., 2].numpy(), source, target)
    np.testing.assert_allclose(found[..., 2].numpy(), confidence, rtol=1e-6)
    seen = confidence > 0
    np.testing.assert_allclose(found[..., :2].numpy()[seen], points[seen], rtol=1e-6)
    assert (found[..., :2].numpy()[~seen] == 0).all()


@pytest.mark.parametrize("source", SETS)
def test_a_joint_lies_at_its_own_point_of_the_body(source: str) -> None:
    """At rest, two metres before the camera, against the regressor of the set itself."""
    body = load_anny_body()
    detections = Detections(body, "union48", "body32", [(1.0, source)])
    rest = body.v_template.double().numpy() * [1, -1, -1]  # camera axes
    points = torch.tensor(detections.regressor @ rest, dtype=torch.float32)[None]  # [1, U, 3]
    found = detections(points, torch.tensor([[0.0, 0.0, 2.0]]), EXACT, seeded())[0]
    union, known = joint_set("union48"), joint_set(source).joints
    regressor = {j: row for j, row in zip(known, _rows(body, source), strict=True) if row is not None}
    derived = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    for i, joint in enumerate(union.joints):
        parts = (joint,) if joint in regressor else derived.get(joint, ())
        if not parts:
            assert found[i].eq(0).all(), joint
            continue
        rays = []
        for part in parts:
            x, y, z = regressor[part] @ rest
            rays.append([x / (z + 2), y / (z + 2)])
        np.testing.assert_allclose(found[i, :2].numpy(), np.mean(rays, 0), atol=1e-5, err_msg=joint)
        assert found[i, 2] == 1
    outputs = points[0, detections.output_rows].numpy()
    np.testing.assert_allclose(outputs, body.joint_regressor("body32") @ rest, atol=1e-6)


def _rows(body, source: str) -> list[np.ndarray | None]:
    """Rows of a set one by one; None for points that no union holds."""
    names = joint_set(source).joints
    known = [name for name in names if name in joint_set("union48").joints]
    rows = dict(zip(known, body.joint_regressor(JointSet(source, tuple(known), ())), strict=True))
    return [rows.get(name) for name in names]


def test_every_detector_gets_its_share_and_no_sample_is_lost() -> None:
    body = load_anny_body()
    detections = Detections(body, "union48", "body32", [(3.0, "smpl24"), (1.0, "coco17")])
    count = 40
    points = torch.rand(count, len(detections.regressor), 3, generator=seeded())
    place = torch.tensor([0.0, 0.0, 5.0]) + torch.arange(count)[:, None] * torch.tensor([0.0, 0.0, 1.0])
    found = detections(points, place, EXACT, seeded(2))
    spine, nose = (joint_set("union48").index(name) for name in ("spine1", "nose"))
    is_smpl = found[:, spine, 2] > 0
    assert is_smpl.sum() == 30 and (found[~is_smpl, nose, 2] > 0).all()
    # sample i stays sample i: its knee is seen from its own distance
    knee = joint_set("union48").index("left_knee")
    row = detections.source_rows[1][joint_set("coco17").index("left_knee")]
    x, _, z = points[~is_smpl, row].unbind(-1)
    torch.testing.assert_close(found[~is_smpl, knee, 0], x / (z + place[~is_smpl, 2]))
    assert not is_smpl[:30].all()  # shuffled: the first are not all of one detector


def test_of_many_detectors_a_batch_has_a_few_and_many_batches_all_by_their_shares() -> None:
    shares = {name: float(i + 1) for i, name in enumerate(SETS)}
    detections = Detections(load_anny_body(), "union48", "body32", [(s, name) for name, s in shares.items()])
    generator, seen = seeded(), np.zeros(len(SETS))
    for _ in range(600):
        drawn = detections._draw_detectors(32, generator)
        assert len(drawn) <= 4 and sum(n for n, _ in drawn) == 32
        for n, index in drawn:
            seen[index] += n
    np.testing.assert_allclose(seen / seen.sum(), np.array(list(shares.values())) / sum(shares.values()), atol=0.012)


def test_only_the_samples_of_a_framing_are_cut() -> None:
    detections = Detections(load_anny_body(), "body32", "body32", [])
    rest = load_anny_body().v_template.double().numpy() * [1, -1, -1]
    points = torch.tensor(detections.regressor @ rest, dtype=torch.float32).expand(30, -1, 3)
    place = torch.tensor([[0.0, 0.0, 4.0]]).expand(30, 3)
    legless = Framing(full=0, shins_up=0, knees_up=0, waist_up=1, head_and_shoulders=0, side=0, guess=0, field=(9, 9))
    cut = torch.arange(30) % 3 == 0
    found = detections(points, place, Errors(EXACT.noise, [(cut, legless)]), seeded())
    assert torch.equal(found[:, joint_set("body32").index("left_ankle"), 2] == 0, cut)


def test_what_the_frame_cuts_is_absent() -> None:
    body = load_anny_body()
    detections = Detections(body, "body32", "body32", [])
    rest = torch.tensor(detections.regressor @ (body.v_template.double().numpy() * [1, -1, -1]), dtype=torch.float32)
    waist = Framing(full=0, shins_up=0, knees_up=0, waist_up=1, head_and_shoulders=0, side=0, guess=0, field=(9.0, 9.0))
    found = detections(
        rest.expand(20, -1, 3),
        torch.tensor([[0.0, 0.0, 4.0]]).expand(20, 3),
        Errors(EXACT.noise, [(torch.ones(20, dtype=torch.bool), waist)]),
        seeded(),
    )
    names = joint_set("body32")
    seen = found[..., 2] > 0
    assert not seen[:, [names.index("left_knee"), names.index("right_ankle")]].any()
    assert seen[:, names.index("nose")].all()


def test_a_detector_of_other_joints_is_refused() -> None:
    with pytest.raises(InputError, match="hand21 has no joint that a network of coco17 knows"):
        Detections(load_anny_body(), "coco17", "coco19", [(1.0, "coco17"), (1.0, "hand21")])


def test_portions_hand_out_everybody() -> None:
    draw = seeded()
    assert portions([(1.0, "a"), (2.0, "b"), (1.0, "c")], 16, draw) == [(4, "a"), (8, "b"), (4, "c")]
    assert portions([(1.0, "a"), (2.0, "b")], 18, draw, turn=1) == [(12, "b"), (6, "a")]
    for count in (*range(12), 17, 100):
        assert sum(n for n, _ in portions([(0.3, 0), (0.5, 1), (0.2, 2)], count, draw)) == count


@pytest.mark.parametrize("count", [1, 2, 5, 15])
def test_small_batches_keep_the_shares_among_them(count: int) -> None:
    """None is more than one sample away from its share, and on average all have theirs."""
    shares, draw, batches = np.array([0.05, 0.6, 0.33, 0.02]), seeded(), 4000
    found = np.zeros((batches, 4))
    for row in found:
        for n, kind in portions([(share, i) for i, share in enumerate(shares)], count, draw):
            row[kind] = n
    assert (found.sum(1) == count).all() and (np.abs(found - shares * count) < 1).all()
    sigma = np.sqrt(
        shares * count % 1 * (1 - shares * count % 1) / batches
    )  # of the mean of a number rounded by chance
    assert (np.abs(found.mean(0) - shares * count) <= 5 * sigma + 1e-9).all()


def test_a_small_batch_may_show_any_detector() -> None:
    detections = Detections(load_anny_body(), "coco17", "coco19", [(0.9, "coco17"), (0.1, "lsp14")])
    points = torch.zeros(2, len(detections.regressor), 3)
    points[..., :2] = torch.rand(2, points.shape[1], 2, generator=seeded())
    draw, nose, times = seeded(), joint_set("coco17").index("nose"), 0
    for _ in range(300):  # of two samples each; who is seen by lsp14 has no nose
        found = detections(points, torch.tensor([[0.0, 0.0, 4.0]]).expand(2, 3), EXACT, draw)
        times += int((found[:, nose, 2] == 0).sum())
    assert 30 <= times <= 90  # 60 on average
