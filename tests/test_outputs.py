"""Outputs without meshes, tensors that want gradients, and inputs that the network cannot take."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from fake_network import FlatNetwork
from test_pipeline import person
from tiny_adaptation import people, write_network

from pose2mesh import Pose2Mesh
from pose2mesh.errors import InputError
from pose2mesh.types import Person


@pytest.fixture
def model():
    return Pose2Mesh(FlatNetwork())


@pytest.fixture(scope="module")
def with_parameters(tmp_path_factory):
    return Pose2Mesh.from_pretrained(write_network(tmp_path_factory.mktemp("weights") / "a.safetensors", "key2mesh"))


def test_fewer_outputs_are_the_same_numbers(with_parameters, tmp_path):
    found = {
        outputs: with_parameters.predict(people(3), outputs=outputs) for outputs in ("mesh", "parameters", "joints")
    }
    for whole, parameters, joints in zip(*found.values(), strict=True):
        np.testing.assert_allclose(parameters.joints, whole.joints, atol=1e-6)  # skinned in another order
        np.testing.assert_allclose(joints.joints, whole.joints, atol=1e-6)
        np.testing.assert_allclose(joints.camera.translation, whole.camera.translation, rtol=1e-5)
        for name, value in whole.parameters.items():
            np.testing.assert_allclose(parameters.parameters[name], value, atol=1e-5)
        assert whole.vertices.shape == (13718, 3) and joints.parameters is None
        assert parameters.vertices.shape == joints.vertices.shape == joints.faces.shape == (0, 3)
    assert parameters.save(tmp_path / "a.npz").is_file() and parameters.save(tmp_path / "a.json").is_file()
    for suffix in ("obj", "ply", "glb"):
        with pytest.raises(InputError, match="no mesh"):
            parameters.save(tmp_path / f"a.{suffix}")


def test_frames_come_without_meshes_too(model, tmp_path):
    np.save(tmp_path / "walk.npy", np.stack([[person(i)] for i in range(3)]))
    for frame in model.predict_frames([tmp_path / "walk.npy"], outputs="joints"):
        assert len(frame.people[0].vertices) == 0 and len(frame.people[0].joints) == 17
    with pytest.raises(InputError, match="outputs 'all'"):
        list(model.predict_frames([tmp_path / "walk.npy"], outputs="all"))


def test_a_kept_person_keeps_no_other(with_parameters):
    """One of every batch of 16 is kept; the memory is that of these, not that of all."""
    size = with_parameters.predict(people(1))[0].vertices.nbytes
    gc.collect()
    tracemalloc.start()
    kept: list[Person] = [with_parameters.predict(people(16, seed))[3] for seed in range(6)]
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) * size < held < 1.5 * len(kept) * size


def test_thousands_of_people_without_meshes_take_little(with_parameters):
    tracemalloc.start()
    found = with_parameters.predict(people(2000), outputs="parameters")
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    mesh = 13718 * 3 * 4
    assert len(found) == 2000 and held < 2000 * 8192 and most < 2000 * mesh / 10


def test_tensors_are_taken_with_and_without_gradients(model):
    values = torch.from_numpy(person()).requires_grad_()
    np.testing.assert_array_equal(model.predict(values)[0].joints, model.predict(person())[0].joints)


def test_gradients_flow_through_the_call(with_parameters):
    keypoints = torch.from_numpy(people(2)).requires_grad_()
    with_parameters(keypoints).vertices.square().sum().backward()
    assert keypoints.grad.isfinite().all() and keypoints.grad[..., :2].abs().max() > 0


GOOD = torch.from_numpy(people(2))
BAD = {
    "array": (GOOD.numpy(), "ndarray"),
    "one person": (GOOD[0], r"\[17, 3\]"),
    "two columns": (GOOD[..., :2], r"\[2, 17, 2\]"),
    "another set": (torch.rand(2, 25, 3), r"\[2, 25, 3\]"),
    "whole numbers": (GOOD.long(), "int64"),
    "nan": (GOOD.index_fill(1, torch.tensor([5]), torch.nan), "person 0, joint left_shoulder"),
    "infinite": (GOOD * torch.tensor([torch.inf, 1, 1]), "person 0, joint nose"),
    "per cent": (GOOD.index_fill(2, torch.tensor([2]), 90), "go up to 90, and .*`predict` takes anything else"),
    "nan confidence": (GOOD * torch.tensor([1, 1, torch.nan]), "person 0, joint nose"),
}


@pytest.mark.parametrize(("keypoints", "message"), BAD.values(), ids=BAD.keys())
def test_the_call_refuses_in_one_line(with_parameters, keypoints, message):
    with pytest.raises(InputError, match=message) as caught:
        with_parameters(keypoints)
    assert "\n" not in str(caught.value)


def test_missing_joints_may_hold_anything_in_the_call(with_parameters):
    missing = GOOD.clone()
    missing[:, 4, 2] = 0
    wild = missing.clone()
    wild[:, 4, :2] = torch.nan
    assert torch.equal(with_parameters(wild).joints, with_parameters(missing).joints)


def test_a_tensor_of_half_the_precision_is_as_its_numbers(model):
    keypoints = torch.from_numpy(person()).bfloat16()
    (found,), (expected,) = model.predict(keypoints), model.predict(keypoints.float().numpy())
    np.testing.assert_array_equal(found.vertices, expected.vertices)


def test_nobody_writes_to_the_faces_that_all_share(model):
    (found,) = model.predict(person())
    with pytest.raises(ValueError, match="read-only"):
        found.faces[:] = found.faces[:, ::-1]
