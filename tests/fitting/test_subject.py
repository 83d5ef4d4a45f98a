"""What a caller knows of a person: shapes against the bodies they make, children of exact truth, contradictions."""

import json

import numpy as np
import pytest
import torch
import trimesh

from pose2mesh import Pose2Mesh, Subject
from pose2mesh.augmentation.cameras import CameraRange
from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.fitting.subject import known_shape, known_shapes, parse_subject
from pose2mesh.geometry.procrustes import similarity_align
from pose2mesh.synthesis.bodies import shape_table
from pose2mesh.types import Intrinsics, Keypoints2D

BODY = load_anny_body()
CHILDREN, FOCAL = 12, 1000.0


def rest(betas: torch.Tensor) -> trimesh.Trimesh:
    return trimesh.Trimesh(BODY.rest(betas[None]).vertices[0].numpy(), BODY.faces.numpy(), process=False)


@pytest.mark.parametrize(
    "facts", [{"age": 8}, {"age": 3}, {"gender": "female"}, {"age": 30, "gender": "male"}, {"weight": 20}, {}]
)
def test_bodies_have_the_height_that_is_said(facts):
    expected = rest(known_shape(Subject(**facts)).mean).extents[1]
    for height in (expected - 0.05, expected + 0.08):
        found = rest(known_shape(Subject(**facts, height=float(height))).mean).extents[1]
        assert abs(found - height) < 0.005  # metres


@pytest.mark.parametrize("facts", [{"age": 8}, {"age": 40, "gender": "male"}, {"height": 1.6}])
def test_bodies_have_the_weight_that_is_said(facts):
    expected = 980 * rest(known_shape(Subject(**facts)).mean).volume
    for weight in (0.85 * expected, 1.25 * expected):
        found = 980 * rest(known_shape(Subject(**facts, weight=float(weight))).mean).volume
        assert abs(found / weight - 1) < 0.05


def test_men_are_taller_and_who_has_no_age_is_an_adult_unless_small():
    heights = [rest(known_shape(Subject(gender=gender)).mean).extents[1] for gender in ("female", "male")]
    assert 1.55 < heights[0] < heights[1] - 0.08
    child, grown_small = (known_shape(Subject(height=1.1, **facts)).mean for facts in ({}, {"age": 6}))
    adult = known_shape(Subject(age=30)).mean
    assert (child - grown_small).norm() < 1 < (child - adult).norm() / 2  # deviations of shape


@pytest.fixture(scope="module")
def children():
    """Keypoints of children in known poses, one a frame, with joints [P,32,3] m, places [P,3] m and betas [P,16]."""
    generator = torch.Generator().manual_seed(0)
    ages, betas = (column[0::2] for column in shape_table())  # the rows of tests
    rows = ((ages > 5) & (ages < 12)).nonzero()[:CHILDREN, 0]
    views = CameraRange().views(CHILDREN, generator)
    pool = figure_pool()
    poses = pool[torch.arange(CHILDREN) % len(pool)]
    groups = BODY.expand_groups(views.rotation[:, None] @ world_rotmats(poses))
    joints = ReducedBody(BODY, np.arange(1), "body32").joints(betas[rows], groups)
    joints = (joints - joints[:, 17:18]).numpy()
    place = np.stack([np.zeros(CHILDREN), np.zeros(CHILDREN), views.translation[:, 2].numpy()], 1)
    placed = joints + place[:, None]
    points = FOCAL * placed[..., :2] / placed[..., 2:] + 500
    frames = [
        Keypoints2D(row[None], np.ones((1, 32)), "body32", (1000, 1000), intrinsics=Intrinsics(FOCAL)) for row in points
    ]
    return frames, joints, place, ages[rows].tolist(), betas[rows]


def test_children_of_exact_truth_come_out_in_their_size_pose_and_place(children):
    frames, joints, place, ages, betas = children
    model = Pose2Mesh.from_pretrained("anny-body")
    heights = np.array([rest(row).extents[1] for row in betas])
    told = [
        Keypoints2D(**{**vars(frame), "subject": Subject(age=age, height=float(height))})
        for frame, age, height in zip(frames, ages, heights, strict=True)
    ]

    points = np.concatenate([frame.points for frame in frames])  # [P, 32, 2]

    def measure(wanted):
        people = [found[0] for found in model.recover(wanted, 64, "parameters")]
        found = np.stack([person.joints for person in people])[:, :18]
        tall = [rest(torch.from_numpy(person.parameters["betas"])).extents[1] for person in people]
        aligned = similarity_align(torch.from_numpy(found).double(), torch.from_numpy(joints[:, :18]).double()).numpy()
        drawn = [person.camera.project(person.joints) for person in people]
        return {
            "height": np.abs(tall - heights).max(),
            "pose": np.linalg.norm(aligned - joints[:, :18], axis=-1).mean(),
            "joints": np.linalg.norm(found - joints[:, :18], axis=-1).mean(),
            "depth": np.abs([p.camera.translation[2] for p in people] / place[:, 2] - 1).mean(),
            "reprojection": np.linalg.norm(np.stack(drawn) - points, axis=-1).mean(),
        }

    plain, known = measure(frames), measure(told)
    assert known["height"] < 0.01  # metres
    assert known["pose"] < plain["pose"] + 0.001
    assert known["reprojection"] < plain["reprojection"] + 0.5  # pixels
    assert known["joints"] < 0.8 * plain["joints"]
    assert known["depth"] < min(0.04, 0.8 * plain["depth"])


def test_people_who_are_known_and_unknown_share_a_batch(children):
    frames = children[0][:3]
    model = Pose2Mesh.from_pretrained("anny-body")
    told = [frames[0], Keypoints2D(**{**vars(frames[1]), "subject": Subject(age=4)}), frames[2]]
    together = [found[0] for found in model.recover(told, 64, "parameters")]
    alone = [model.recover([frame], 64, "parameters")[0][0] for frame in told]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-4)
    unknown = model.recover([frames[1]], 64, "parameters")[0][0]
    scale = together[1].uncertainty / unknown.uncertainty
    np.testing.assert_allclose(scale, scale[0], rtol=1e-4)
    assert scale[0] < 0.95  # a child is smaller, and so are its errors


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"age": float("nan")}, "age is nan"),
        ({"height": -1.2}, "height is -1.2; it goes from 0.6 to 2.4 m"),
        ({"height": 120}, "height is 120"),
        ({"weight": "24"}, "weight is '24'"),
        ({"age": True}, "age is True"),
        ({"gender": "girl"}, "give female or male"),
    ],
)
def test_values_that_nobody_has(facts, message):
    with pytest.raises(InputError, match=message):
        Subject(**facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"age": 3, "height": 1.9}, "people of that age are about 0.9. m tall"),
        ({"age": 30, "height": 0.8}, "people of that age are about 1.6. m tall"),
        ({"age": 8, "weight": 90}, "people of that age are about 2. kg"),
        ({"height": 1.9, "weight": 12}, "people of that height are about 8. kg"),
    ],
)
def test_contradictions(facts, message):
    with pytest.raises(InputError, match=message):
        known_shape(Subject(**facts))


def test_a_subject_of_whom_nothing_is_known_is_none():
    frames = [Keypoints2D(np.ones((1, 17, 2)), np.ones((1, 17)), "coco17", subject=s) for s in (Subject(), None)]
    assert known_shapes(frames, None) is None
    told = Keypoints2D(**{**vars(frames[0]), "subject": Subject(age=8)})
    known = known_shapes([frames[0], told], object())
    assert known is not None and known[0] is None and known[1] is not None


def test_text_of_the_command():
    assert parse_subject(" age=8, height=1.2,gender=female") == Subject(age=8.0, height=1.2, gender="female")
    for text in ("", "age", "size=3", "age=8,age=9", "age=eight", "age=-1", "age=nan"):
        with pytest.raises(InputError, match="subject"):
            parse_subject(text)


def test_weights_that_cannot_be_told_and_a_fit_that_is_left_out():
    hand = Pose2Mesh.from_pretrained("anny-hand")
    points = np.random.default_rng(0).uniform(100, 200, (21, 2))
    with pytest.raises(InputError, match="take weights with Anny's parameters"):
        hand.predict(points, subject=Subject(age=8))
    body, points = Pose2Mesh.from_pretrained("anny-body"), np.random.default_rng(0).uniform(100, 200, (17, 2))
    with pytest.raises(InputError, match=r"needs the fit of a body.* and leave --no-fit \(fit=False\) out"):
        body.predict(points, subject=Subject(age=8), fit=False)


def test_the_command_and_motions_make_children(tmp_path, capsys, children):
    frame, source = children[0][0], tmp_path / "child.npz"
    np.savez(source, keypoints=np.concatenate([frame.points, frame.confidence[..., None]], -1))
    given = ["predict", str(source), "--joint-set", "body32", "--save", "json", "-o", str(tmp_path / "out")]
    assert main([*given, "--subject", "age=3,height=1.9"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*given, "--subject", "age=8,height=1.2,gender=female"]) == 0
    record = json.loads((tmp_path / "out" / "child_0.json").read_text())
    assert abs(rest(torch.tensor(record["parameters"]["betas"])).extents[1] - 1.2) < 0.01
    motion = Pose2Mesh.from_pretrained("anny-body").motion(source, joint_set="body32", subject=Subject(height=1.2))
    assert abs(rest(torch.from_numpy(motion.betas[0])).extents[1] - 1.2) < 0.01
