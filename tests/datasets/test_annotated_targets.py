"""Meshes, joints, inputs and validity of annotated people, against smplx and the release's arithmetic restated."""

import dataclasses
import json
from pathlib import Path

import annotation_files as written
import numpy as np
import pytest
import smplx
import torch
from annotation_bodies import body_arrays, write_bodies
from annotation_pw3d import write_pw3d
from scipy.spatial.transform import Rotation
from smplx.utils import Struct

from pose2mesh.body_models import load_body_model
from pose2mesh.body_models.licensed_files import MANO, SMPL
from pose2mesh.datasets.annotated import read_samples
from pose2mesh.datasets.annotated.meshes import BodySurfaces, project
from pose2mesh.datasets.annotated.table import SampleTable, collect
from pose2mesh.datasets.annotated.targets import MEASURED_SETS, make_targets, misfit, misfit_in_box
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.annotated import AnnotatedSamples, Recipe

SETS = ("human36m17", "coco17", "coco19", "smpl24")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return write_bodies(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def surfaces(models: Path) -> BodySurfaces:
    names = ("smpl-neutral", "smpl-male", "smpl-female")
    return BodySurfaces({name: load_body_model(name, models) for name in names}, SETS)


@pytest.fixture(scope="module")
def hands(models: Path) -> BodySurfaces:
    return BodySurfaces({"mano-right": load_body_model("mano-right", models)}, ("hand21",))


def table_of(name: str, folder: Path, input_set: str, split: str = "train", **options) -> SampleTable:
    return collect(read_samples(name, folder, split, **options), input_set, MEASURED_SETS[input_set])


def everyone(table: SampleTable) -> SampleTable:
    return table.rows(torch.arange(len(table)))


def release_mesh(
    fit: dict, rotation: np.ndarray, translation: np.ndarray, seed: int = 0, moves: bool = True
) -> np.ndarray:
    """Vertices [V, 3] m the release's way: the camera's turn goes into the root, then what that shifts is undone."""
    layer = smplx.SMPL("", data_struct=Struct(**body_arrays(SMPL, seed)))
    pose, betas = np.array(fit["pose"]).reshape(24, 3), np.array(fit["shape"])
    turned = (Rotation.from_matrix(rotation) * Rotation.from_rotvec(pose[0])).as_rotvec()
    arguments = {"global_orient": turned[None], "body_pose": pose[1:].reshape(1, 69), "betas": betas[None]}
    output = layer(**{name: torch.tensor(value, dtype=torch.float32) for name, value in arguments.items()})
    root = output.joints[0, 0].detach().numpy()
    shift = rotation @ np.array(fit["trans"]) + translation - root + rotation @ root
    return output.vertices[0].detach().numpy() + (shift if moves else translation)


def test_human36m_meshes_stand_where_the_release_puts_them(surfaces: BodySurfaces, tmp_path: Path) -> None:
    folder = written.write_human36m(tmp_path, (1,), frames=(0,))
    table = table_of_one_subject(folder)
    fit = json.loads((folder / "annotations" / "Human36M_subject1_smpl_param.json").read_text())["2"]["1"]["0"]
    vertices, heads = surfaces.vertices(everyone(table))
    expected = release_mesh(fit, np.array(written.ROTATION), np.array(written.TRANSLATION_MM) / 1000)
    np.testing.assert_allclose(vertices[0], expected, atol=2e-5)
    assert heads.shape == (len(table), 24, 3)


def table_of_one_subject(folder: Path, input_set: str = "human36m17") -> SampleTable:
    from pose2mesh.datasets.annotated.human36m import _read_subject

    return collect(_read_subject(folder, 1, 5, {}), input_set, "human36m17")


def test_amass_bodies_turn_about_their_root(surfaces: BodySurfaces, tmp_path: Path) -> None:
    folder = written.write_amass(tmp_path, frames=1)
    table = table_of("amass", folder, "coco19")
    with np.load(next(folder.rglob("*.npz"))) as file:
        pose = np.concatenate([file["poses"][0, :66], np.zeros(6)])
        fit = {"pose": pose, "shape": file["betas"][:10], "trans": np.zeros(3)}
    vertices, _ = surfaces.vertices(everyone(table))
    camera = table.camera_rotation[2].double().numpy()
    np.testing.assert_allclose(vertices[2], release_mesh(fit, camera, np.array([0, 0, 10.0]), moves=False), atol=2e-5)


def test_genders_use_their_own_models(surfaces: BodySurfaces, tmp_path: Path) -> None:
    folder = write_pw3d(tmp_path, ("train",))
    fits = [
        a["smpl_param"] for a in json.loads((folder / "data" / "3DPW_latest_train.json").read_text())["annotations"]
    ]
    table = table_of("pw3d", folder, "coco19")
    vertices, _ = surfaces.vertices(everyone(table))
    for row, seed in ((0, 2), (1, 1)):  # a woman, a man
        expected = release_mesh(fits[row], np.eye(3), np.zeros(3), seed)
        np.testing.assert_allclose(vertices[row], expected, atol=2e-5)


def test_hands_count_from_the_mean_pose(hands: BodySurfaces, tmp_path: Path) -> None:
    folder = written.write_freihand(tmp_path)
    entry = json.loads((folder / "data" / "freihand_train_data.json").read_text())["1"]
    table = table_of("freihand", folder, "hand21")
    vertices, heads = hands.vertices(everyone(table))
    layer = smplx.MANO("", data_struct=Struct(**body_arrays(MANO, 3)), use_pca=False, flat_hand_mean=False)
    pose = np.array(entry["mano_param"]["pose"]).reshape(16, 3)
    turned = (Rotation.from_matrix(written.ROTATION) * Rotation.from_rotvec(pose[0])).as_rotvec()
    arguments = {"global_orient": turned, "hand_pose": pose[1:].ravel(), "betas": entry["mano_param"]["shape"]}
    output = layer(**{name: torch.tensor(value, dtype=torch.float32)[None] for name, value in arguments.items()})
    expected = output.vertices[0].detach().numpy() + entry["cam_param"]["t"]
    np.testing.assert_allclose(vertices[1], expected, atol=2e-5)
    joints = hands.joints("hand21", vertices, heads, "mano-right")
    np.testing.assert_allclose(joints[1, 0], output.joints[0, 0].detach().numpy() + entry["cam_param"]["t"], atol=2e-5)
    names = joint_set("hand21").joints
    np.testing.assert_allclose(joints[:, names.index("middle4")], vertices[:, 444])  # a fingertip is a vertex
    hands.bodies["mano-right"].mean_rotvec, kept = None, hands.bodies["mano-right"].mean_rotvec
    with pytest.raises(InputError, match="has no hands_mean"):
        hands.vertices(everyone(table))
    hands.bodies["mano-right"].mean_rotvec = kept


def test_joints_come_off_the_surface_or_from_the_bones(surfaces: BodySurfaces, tmp_path: Path) -> None:
    table = table_of("surreal", written.write_surreal(tmp_path), "smpl24")
    vertices, heads = surfaces.vertices(everyone(table))
    torch.testing.assert_close(surfaces.joints("smpl24", vertices, heads, "smpl-male"), heads)
    coco = surfaces.joints("coco19", vertices, heads, "smpl-male")
    regressor = torch.tensor(surfaces.bodies["smpl-neutral"].joint_regressor("coco19"), dtype=torch.float32)
    torch.testing.assert_close(coco, regressor @ vertices, rtol=1e-4, atol=1e-5)
    pixels = project(everyone(table), coco)
    expected = 600 * coco[0, 3, :2] / coco[0, 3, 2] + torch.tensor([160.0, 120.0])
    torch.testing.assert_close(pixels[0, 3], expected)


def test_human36m_joints_are_the_measured_ones(surfaces: BodySurfaces, tmp_path: Path) -> None:
    """Input, lifted joints and the mesh's root are the dataset's; the fits are far off here, so no mesh is valid."""
    table = table_of_one_subject(written.write_human36m(tmp_path, (1,)))
    people = everyone(table)
    got = make_targets(people, surfaces, "human36m17", needs_mesh=True)
    root = people.measured[:, :1]
    torch.testing.assert_close(got.lifted, people.measured - root)
    torch.testing.assert_close(got.joints, people.measured - root)
    torch.testing.assert_close(got.keypoints[..., :2], project(people, people.measured))
    torch.testing.assert_close(got.vertices, surfaces.vertices(people)[0] - root)
    assert got.lifted_valid.all() and got.joints_valid.all() and not got.vertices_valid.any()
    without = make_targets(people, surfaces, "human36m17", needs_mesh=False)
    torch.testing.assert_close(without.lifted, got.lifted)
    assert without.vertices.shape == (len(table), 0, 3)


def test_human36m_in_coco_joints_needs_a_good_fit(surfaces: BodySurfaces, tmp_path: Path) -> None:
    table = table_of_one_subject(written.write_human36m(tmp_path, (1,)), "coco19")
    people = everyone(table)
    vertices, heads = surfaces.vertices(people)
    fitted = surfaces.joints("human36m17", vertices, heads, "smpl-neutral")
    offset = torch.zeros(len(people), 17, 3)
    offset[0, :, 1], offset[1, ::2, 2], offset[2, ::2, 2] = 3.0, 0.04, 0.06  # all moved; 20 mm and 30 mm on the mean
    people = dataclasses.replace(people, measured=fitted + offset)
    got = make_targets(people, surfaces, "coco19", needs_mesh=True)
    assert got.vertices_valid[:3].tolist() == got.lifted_valid[:3].tolist() == [True, True, False]
    assert got.joints_valid.all()  # measured, whatever the fit
    torch.testing.assert_close(got.vertices, vertices - people.measured[:, :1])
    seen = surfaces.joints("coco19", vertices, heads, "smpl-neutral")
    torch.testing.assert_close(got.lifted, seen - seen[:, 17:18])  # COCO-19 has its root second to last


def test_fits_are_judged_by_what_was_measured_whatever_the_network_sees(surfaces: BodySurfaces, tmp_path: Path) -> None:
    """SMPL's own joints were never measured; Human3.6M's were, and tell of the mesh."""
    people = everyone(table_of_one_subject(written.write_human36m(tmp_path, (1,)), "smpl24"))
    assert people.measured.shape[1:] == (17, 3) and people.measured_valid.all()
    vertices, heads = surfaces.vertices(people)
    fitted = surfaces.joints("human36m17", vertices, heads, "smpl-neutral")
    offset = torch.zeros(len(people), 17, 3)
    offset[1, ::2, 2] = 0.06
    people = dataclasses.replace(people, measured=fitted + offset)
    got = make_targets(people, surfaces, "smpl24", needs_mesh=True)
    for valid in (got.vertices_valid, got.joints_valid, got.lifted_valid):
        assert valid[:2].tolist() == [True, False]
    seen = surfaces.joints("smpl24", vertices, heads, "smpl-neutral")
    torch.testing.assert_close(got.joints, seen - seen[:, :1])


def test_misfit_is_the_release_s() -> None:
    joints, measured = torch.randn(2, 5, 17, 3)
    valid = torch.rand(5, 17) > 0.3
    for i in range(5):
        a, b = joints[i][valid[i]].numpy(), measured[i][valid[i]].numpy()
        a = a - a.mean(0) + b.mean(0)
        expected = np.sqrt(((a - b) ** 2).sum(1)).mean()
        assert misfit(joints, measured, valid)[i].item() == pytest.approx(expected, rel=1e-5)


def test_coco_fits_are_judged_in_the_picture(surfaces: BodySurfaces, tmp_path: Path) -> None:
    """3 px where the box of the projected joints is 64 wide; one good fit, one too far, hidden joints do not count."""
    people = everyone(table_of("coco", written.write_coco(tmp_path), "coco19"))
    vertices, heads = surfaces.vertices(people)
    drawn = project(people, surfaces.joints("coco17", vertices, heads, "smpl-neutral"))
    box = project(people, surfaces.joints("coco19", vertices, heads, "smpl-neutral"))
    side = (box.amax(1) - box.amin(1)).amax(1) - 1
    labels = torch.cat([drawn, torch.ones(len(people), 17, 1)], -1)
    labels[0, :, 0] += 2.9 * side[0] / 64
    labels[1, :, 0] += 3.1 * side[1] / 64
    labels[2, :9] += 1000.0
    labels[2, :9, 2] = 0
    people = dataclasses.replace(people, labels=labels)
    got = make_targets(people, surfaces, "coco19", needs_mesh=True)
    for valid in (got.vertices_valid, got.joints_valid, got.lifted_valid):
        assert valid.tolist() == [True, False, True]
    assert misfit_in_box(drawn, labels, box)[0].item() == pytest.approx(2.9, rel=1e-3)
    joints = surfaces.joints("human36m17", vertices, heads, "smpl-neutral")
    torch.testing.assert_close(got.vertices, vertices - joints[:, :1])


def test_surreal_sees_detections_unless_told_otherwise(surfaces: BodySurfaces, tmp_path: Path) -> None:
    people = everyone(table_of("surreal", written.write_surreal(tmp_path), "smpl24"))
    got = make_targets(people, surfaces, "smpl24", needs_mesh=True)
    torch.testing.assert_close(got.keypoints, people.detections)
    exact = make_targets(people, surfaces, "smpl24", needs_mesh=True, exact=True)
    _, heads = surfaces.vertices(people)
    torch.testing.assert_close(exact.keypoints[..., :2], project(people, heads))
    torch.testing.assert_close(exact.lifted, heads - heads[:, :1])
    torch.testing.assert_close(exact.joints, exact.lifted)


@pytest.fixture(scope="module")
def mixed(surfaces: BodySurfaces, tmp_path_factory) -> list[SampleTable]:
    folder = tmp_path_factory.mktemp("mixed")
    human36m = table_of_one_subject(written.write_human36m(folder / "h", (1,)), "coco19")
    return [human36m, table_of("coco", written.write_coco(folder / "c"), "coco19")]


def samples_of(mixed, surfaces, **changes) -> AnnotatedSamples:
    shares, seed, stream = (
        changes.pop(name, default) for name, default in (("shares", (1, 1)), ("seed", 0), ("stream", 0))
    )
    recipe = Recipe(**{"input_set": "coco19", "batch_size": 40, "needs_mesh": False, **changes})
    return AnnotatedSamples(mixed, [float(s) for s in shares], surfaces, recipe, seed=seed, stream=stream)


def test_a_batch_is_a_function_of_seed_step_and_stream(mixed, surfaces: BodySurfaces) -> None:
    first, again = samples_of(mixed, surfaces, flips=True), samples_of(mixed, surfaces, flips=True)
    again[0]
    for ours, theirs in zip(first[3], again[3], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    changes = ({"seed": 1}, {"stream": 1})
    others = [first[4], *(samples_of(mixed, surfaces, flips=True, **change)[3] for change in changes)]
    for other in others:
        assert not torch.equal(first[3].keypoints, other.keypoints)


def test_shares_are_chances(mixed, surfaces: BodySurfaces) -> None:
    """Of COCO's people joints are never measured, so joints_valid tells the sources apart where fits fail."""
    batch = samples_of(mixed, surfaces, shares=(3, 1), batch_size=400, exact=True)[0]
    from_coco = (batch.keypoints[:, 0, :2].abs() < 10_000).all(1) & ~batch.joints_valid
    assert from_coco.float().mean().item() == pytest.approx(0.25, abs=0.08)


def test_errors_are_put_on_coco_but_not_on_pelvis_and_neck(mixed, surfaces: BodySurfaces) -> None:
    exact, noisy = samples_of(mixed, surfaces, exact=True)[0], samples_of(mixed, surfaces)[0]
    moved = (exact.keypoints - noisy.keypoints).norm(dim=-1)
    assert (moved[:, :17] > 0).all() and not moved[:, 17:].any()
    torch.testing.assert_close(exact.lifted, noisy.lifted)


def test_a_mirrored_person_is_mirrored_in_both(mixed, surfaces: BodySurfaces) -> None:
    plain, turned = (samples_of(mixed, surfaces, exact=True, flips=flips)[0] for flips in (False, True))
    same = (plain.lifted == turned.lifted).flatten(1).all(1)
    assert 5 < same.sum() < 35
    partners = list(joint_set("coco19").flip_permutation)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(turned.lifted[~same], plain.lifted[~same][:, partners] * mirror)
    torch.testing.assert_close(turned.keypoints[~same], plain.keypoints[~same][:, partners] * mirror)


def test_edges_start_at_their_step(mixed, surfaces: BodySurfaces) -> None:
    samples = samples_of(mixed, surfaces, edges_from=2)
    assert [bool(samples[step].has_edges) for step in range(4)] == [False, False, True, True]


def test_people_without_parameters_cannot_be_trained_on(tmp_path: Path) -> None:
    samples = read_samples("freihand", written.write_freihand(tmp_path), "test")
    with pytest.raises(InputError, match="freihand: image 0 has no body parameters to train on"):
        collect(samples, "hand21", "hand21")
    with pytest.raises(InputError, match="no person to make a table of"):
        collect([], "hand21", "hand21")


def test_a_reader_may_give_any_floats(tmp_path: Path) -> None:
    sample = next(read_samples("coco", written.write_coco(tmp_path), "train"))
    camera = dataclasses.replace(sample.camera, focal=np.float64([500, 500]), center=np.float64([1, 2]))
    table = collect([dataclasses.replace(sample, camera=camera)], "human36m17", "human36m17")
    columns = [value for value in vars(table).values() if isinstance(value, torch.Tensor)]
    assert {column.dtype for column in columns} == {torch.float32, torch.bool, torch.int64}
