import dataclasses
import hashlib
import os
from itertools import pairwise

import numpy as np
import pytest
import torch
import trimesh
from official_files import random_state, shapes, write_official
from original_network import graphs, pose2mesh, release_input, skeleton_graph

from pose2mesh.checkpoints import load_network, official
from pose2mesh.cli.main import main
from pose2mesh.detectors.conversion import _warn_of_absent
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.pipeline import Pose2Mesh

PLAN = ((5, 8, 6), (6, 8, 12), (12, 12, 12), (12, 8, 8), (8, 6, 3))  # three levels
WIDTH = 16


def order_digest(order: np.ndarray) -> str:
    return hashlib.sha1(order.astype("<i4").tobytes()).hexdigest()


@pytest.fixture(scope="module")
def sphere():
    mesh = trimesh.creation.icosphere(subdivisions=3)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.fixture
def variant(sphere, monkeypatch):
    """`--kind human36` and `--kind mano` for a small mesh, known as well as SMPL's is."""
    facts = official.MeshFacts("smpl-neutral", 642, 1280, 4, 816, 204)
    kinds = {
        "human36": official.Variant("human36m17", PLAN, facts, WIDTH),
        "mano": official.Variant("hand21", PLAN, facts, WIDTH),
    }
    order = official.build_graph(sphere[1], kinds["human36"]).permutation
    digests = {"permutation_sha1": order_digest(order), "inverse_sha1": order_digest(np.argsort(order))}
    facts = dataclasses.replace(facts, **digests)
    for name, kind in kinds.items():
        monkeypatch.setitem(official.VARIANTS, name, dataclasses.replace(kind, mesh=facts))
    return official.VARIANTS["human36"]


@pytest.fixture
def mesh_file(sphere, tmp_path):
    np.savez(tmp_path / "mesh.npz", vertices=sphere[0], faces=sphere[1])
    return tmp_path / "mesh.npz"


def small_state(joints: int = 17) -> dict[str, torch.Tensor]:
    return random_state(shapes(joints, 204, PLAN, WIDTH))


def convert(checkpoint, kind: str, mesh_file, out) -> int:
    return main(["convert-checkpoint", str(checkpoint), "--kind", kind, "--mesh", str(mesh_file), "-o", str(out)])


def pixels(joints: int, batch: int = 3) -> np.ndarray:
    return np.random.default_rng(2).uniform(100, 500, (batch, joints, 2)) * [1, 1.7]


@pytest.mark.parametrize("is_old_format", [True, False])
@pytest.mark.parametrize(("kind", "joint_set", "joints"), [("human36", "human36m17", 17), ("mano", "hand21", 21)])
def test_converted_weights_compute_what_the_release_does(
    kind, joint_set, joints, is_old_format, variant, mesh_file, sphere, tmp_path, capsys
):
    state = small_state(joints)
    checkpoint = write_official(tmp_path / "best.pth.tar", state, is_old_format=is_old_format)
    out = tmp_path / "out.safetensors"
    assert convert(checkpoint, kind, mesh_file, out) == 0
    assert "graph of 816 rows" in capsys.readouterr().out
    mesh_file.unlink()  # loading needs no faces
    network = load_network(out)
    assert not network.training and network.joint_set == joint_set
    np.testing.assert_array_equal(network.faces, sphere[1])
    points = pixels(joints)
    output = network(torch.tensor(np.concatenate([points, np.ones((3, joints, 1))], -1), dtype=torch.float32))
    order = official.build_graph(sphere[1], official.VARIANTS[kind]).permutation
    operators = [skeleton_graph(joint_set), *reversed(graphs(sphere[1], order, 3))]
    weights = {name: value.numpy() for name, value in state.items()}
    vertices, lifted = pose2mesh(weights, points, operators, PLAN, np.argsort(order)[:642])
    assert np.abs(vertices).max() > 0.1
    np.testing.assert_allclose(output.vertices.detach(), vertices, rtol=0, atol=1e-5)
    np.testing.assert_allclose(output.joints.detach(), lifted / 1000, rtol=0, atol=1e-5)


def test_the_crop_of_the_release_cancels_out():
    points = pixels(17)
    expected = (points - points.mean(1, keepdims=True)) / points.std(1, keepdims=True)
    np.testing.assert_allclose(release_input(points), expected, atol=1e-12)


def test_the_pipeline_runs_on_converted_weights(variant, mesh_file, tmp_path):
    checkpoint = write_official(tmp_path / "best.pth.tar", small_state())
    assert convert(checkpoint, "human36", mesh_file, tmp_path / "out.safetensors") == 0
    person = Pose2Mesh.from_pretrained(tmp_path / "out.safetensors").predict(pixels(17)[0], joint_set="human36m17")[0]
    assert person.vertices.shape == (642, 3) and person.joint_names[0] == "pelvis"


def test_joints_that_no_detector_gives_are_named_once(variant, mesh_file, tmp_path, caplog):
    checkpoint = write_official(tmp_path / "best.pth.tar", small_state())
    assert convert(checkpoint, "human36", mesh_file, tmp_path / "out.safetensors") == 0
    model = Pose2Mesh.from_pretrained(tmp_path / "out.safetensors")
    _warn_of_absent.cache_clear()
    model.predict(pixels(17)[0], joint_set="human36m17")
    assert caplog.messages == []
    for _ in range(2):
        model.predict(pixels(17)[0], joint_set="coco17")
    (message,) = caplog.messages
    assert "keypoints of coco17 have no torso, head_top: put at the mean" in message


def test_posenet_alone_converts_without_a_mesh(variant, tmp_path, capsys):
    prefix = "pose_lifter."
    state = {name.removeprefix(prefix): v for name, v in small_state().items() if name.startswith(prefix)}
    checkpoint, out = write_official(tmp_path / "posenet.pth.tar", state), tmp_path / "out.safetensors"
    assert main(["convert-checkpoint", str(checkpoint), "--kind", "human36", "-o", str(out)]) == 0
    assert "PoseNet alone" in capsys.readouterr().out
    with pytest.raises(InputError, match="holds PoseNet alone"):
        load_network(out)
    tensors, settings = official_tensors(out)
    assert settings["kind"] == "published-posenet" and len(tensors) == len(state)
    assert all((tensors[f"network.{prefix}{name}"] == value).all() for name, value in state.items())


def official_tensors(path):
    from pose2mesh.checkpoints import read_weights

    return read_weights(path)


@pytest.mark.parametrize(
    ("kind", "joints", "coarse", "body", "layers", "fc"),
    [
        ("human36", 17, 96, 77, 21, (6144, 1088)),
        ("coco", 19, 96, 77, 21, (6144, 1216)),
        ("smpl", 24, 96, 79, 21, (6144, 1536)),
        ("mano", 21, 68, 75, 15, (4352, 1344)),
    ],
)
def test_the_kinds_have_the_published_shapes(kind, joints, coarse, body, layers, fc):
    variant = official.VARIANTS[kind]
    wanted = shapes(joints, coarse, variant.plan)
    assert wanted["pose2mesh.fc.weight"] == fc and variant.mesh.coarsest == coarse
    assert len([name for name in wanted if name.startswith("pose2mesh.cl.")]) == 2 * layers
    assert len([pair for block in variant.plan for pair in pairwise(block)]) == layers
    numbers = [int(np.prod(shape)) for name, shape in wanted.items() if not name.endswith(("mean", "var", "tracked"))]
    assert round(sum(numbers) / 1e6) in (body - 1, body)
    posenet = {k: tuple(v.shape) for k, v in official._posenet_shapes(variant).items()}
    assert posenet == {k.removeprefix("pose_lifter."): s for k, s in wanted.items() if k.startswith("pose_lifter.")}


BREAKS = {
    "lacks pose2mesh.cl.3.bias": lambda s: s.pop("pose2mesh.cl.3.bias"),
    "holds pose2mesh.bn.9.bias, which the network does not have": lambda s: s.update(
        {"pose2mesh.bn.9.bias": torch.zeros(3)}
    ),
    "pose_lifter.w1.weight is (16, 38), the network needs (16, 34)": lambda s: s.update(
        {"pose_lifter.w1.weight": torch.zeros(16, 38)}
    ),
    "pose2mesh.fc.weight is (1230, 102), the network needs (1224, 102)": lambda s: s.update(
        {"pose2mesh.fc.weight": torch.zeros(1230, 102)}
    ),
    "pose2mesh.fc.bias holds numbers that are not finite": lambda s: s["pose2mesh.fc.bias"].fill_(float("nan")),
}


@pytest.mark.parametrize("message", BREAKS)
def test_foreign_weights_are_one_clear_error(message, variant, mesh_file, tmp_path, capsys):
    state = small_state()
    BREAKS[message](state)
    checkpoint = write_official(tmp_path / "best.pth.tar", state)
    assert convert(checkpoint, "human36", mesh_file, tmp_path / "out.safetensors") == 2
    error = capsys.readouterr().err
    assert message in error and "best.pth.tar" in error and error.count("\n") == 1
    assert not (tmp_path / "out.safetensors").exists()


def test_another_mesh_of_the_same_size_is_refused(variant, sphere):
    """Vertices in another order: the same numbers everywhere, but not the graph that the weights know."""
    official.check_published(official.build_graph(sphere[1], variant), variant)
    shuffled = np.random.default_rng(0).permutation(642)[sphere[1]]
    for faces, message in ((shuffled, "not the published one|rows, not"), (sphere[1][:-1], "1280")):
        with pytest.raises(InputError, match=f"^mesh.obj: .*({message})"):
            official.check_published(official.build_graph(faces, variant), variant, "mesh.obj")


def test_smpl_needs_smpls_faces(sphere):
    coco = official.VARIANTS["coco"]
    with pytest.raises(InputError, match="smpl-neutral with 6890 and 13776"):
        official.check_published(official.build_graph(sphere[1], coco), coco)


class Evil:
    def __reduce__(self):
        return os.system, ("touch canary",)


@pytest.mark.parametrize("is_old_format", [True, False])
def test_checkpoints_run_nothing(is_old_format, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_official(tmp_path / "evil.pth.tar", {"w1.weight": Evil()}, is_old_format=is_old_format)
    with pytest.raises(
        FormatError, match=r"evil\.pth\.tar is no checkpoint .* \(it asks for '\w+\.system', where"
    ) as e:
        official.read_official(path)
    assert "\x1b" not in str(e.value) and len(str(e.value)) < 300
    assert not (tmp_path / "canary").exists()


def test_damaged_and_missing_checkpoints(variant, tmp_path):
    path = write_official(tmp_path / "best.pth.tar", small_state())
    content = path.read_bytes()
    for i in range(32):
        path.write_bytes(content[: len(content) * i // 32])
        with pytest.raises(FormatError, match=r"best\.pth\.tar"):
            official.read_official(path)
    with pytest.raises(MissingFileError):
        official.read_official(tmp_path / "absent.pth.tar")
    with pytest.raises(InputError, match=r"is a folder; give the checkpoint in it best\.pth\.tar"):
        official.read_official(tmp_path)
    torch.save({"x": 1}, path)
    with pytest.raises(FormatError, match=r"it has no 'model_state_dict'"):
        official.read_official(path)


def test_a_checkpoint_that_is_not_converted_yet(tmp_path):
    path = write_official(tmp_path / "best.pth.tar", {"w": torch.zeros(1)})
    with pytest.raises(FormatError, match=r"pose2mesh convert-checkpoint .*best\.pth\.tar --kind \.\.\. -o OUT"):
        load_network(path)


@pytest.mark.slow
def test_full_size(tmp_path):
    """SMPL's numbers of vertices and faces, on which the row counts are not SMPL's: those depend on its edges."""
    from pose2mesh.hierarchy import build_hierarchy

    fine = trimesh.creation.icosphere(subdivisions=5)
    faces = build_hierarchy(np.asarray(fine.vertices), np.asarray(fine.faces), sizes=[6890]).level_faces[1]
    variant = official.VARIANTS["human36"]
    hierarchy = official.build_graph(faces, variant)
    assert (hierarchy.num_vertices, len(faces)) == (6890, 13776)
    with pytest.raises(InputError, match="not the smpl-neutral faces"):
        official.check_published(hierarchy, variant)
    state = random_state(shapes(17, hierarchy.sizes[7], variant.plan))
    out = tmp_path / "out.safetensors"
    out.write_bytes(official.convert_network(tmp_path / "x.pth.tar", state, variant, hierarchy))
    points = pixels(17, 1)
    order = hierarchy.permutation
    operators = [skeleton_graph("human36m17"), *reversed(graphs(faces, order, 8))]
    weights = {name: value.numpy() for name, value in state.items()}
    vertices, _ = pose2mesh(weights, points, operators, variant.plan, np.argsort(order)[:6890])
    with torch.no_grad():
        output = load_network(out)(torch.tensor(np.concatenate([points, np.ones((1, 17, 1))], -1)).float())
    difference = np.abs(output.vertices.numpy() - vertices).max()
    print(f"largest difference {difference:.1e} m, vertices up to {np.abs(vertices).max():.2f} m")
    assert np.abs(vertices).max() > 0.1
    assert difference <= 1e-5
