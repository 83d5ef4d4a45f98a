"""Weights on disk: what is loaded is what was saved, and nothing else is taken for weights."""

import json
import resource
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file
from tiny_network import tiny_settings
from torch import nn

from pose2mesh.checkpoints import build_network, find_weights, load_network, read_weights, save_tensors, save_weights
from pose2mesh.checkpoints.build import DIGEST
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.hierarchy import hierarchy_digest, load_hierarchy
from pose2mesh.training.initial import load_initial


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(tiny_settings()).eval()


@pytest.fixture
def weights(tmp_path: Path, network: nn.Module) -> Path:
    save_weights(tmp_path / "tiny.safetensors", network, tiny_settings())
    return tmp_path / "tiny.safetensors"


def keypoints() -> torch.Tensor:
    return torch.rand(3, 17, 3, generator=torch.Generator().manual_seed(1)) + 0.1


def test_round_trip_is_exact(weights: Path, network: nn.Module) -> None:
    loaded = load_network(weights)
    assert not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with torch.inference_mode():
        assert torch.equal(loaded(keypoints()).vertices, network(keypoints()).vertices)


def test_one_file_holds_the_settings(weights: Path) -> None:
    with safe_open(weights, framework="pt") as file:
        assert json.loads(file.metadata()["network"]) == tiny_settings()
    assert read_weights(weights)[1] == tiny_settings()


def test_same_weights_same_bytes(tmp_path: Path, weights: Path, network: nn.Module) -> None:
    save_weights(tmp_path / "again.safetensors", network, tiny_settings())
    assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()


def test_float16_halves_the_file_and_moves_vertices_little(tmp_path: Path, weights: Path, network: nn.Module) -> None:
    """Measured on these fresh weights: 0.2 mm in the mean, 1.3 mm at most; on trained ones 0.16 and 0.6 mm."""
    half = tmp_path / "half.safetensors"
    save_weights(half, network, tiny_settings(), torch.float16)
    assert half.stat().st_size < 0.55 * weights.stat().st_size
    tensors, _ = read_weights(half)
    assert all(t.dtype == torch.float32 for t in tensors.values())
    with torch.inference_mode():
        exact, rounded = network(keypoints()).vertices, load_network(half)(keypoints()).vertices
    difference = (exact - rounded).abs()
    assert 0 < difference.mean() < 5e-4 and difference.max() < 3e-3


def test_counters_stay_integers(tmp_path: Path) -> None:
    """Batch normalization counts its batches; beyond 65,504 a float16 would be infinite."""
    counting = nn.Module()
    counting.register_buffer("batches", torch.tensor(70_001))
    counting.register_buffer("mean", torch.tensor([1.5]))
    save_weights(tmp_path / "counting.safetensors", counting, {}, torch.float16)  # pyright: ignore[reportArgumentType]
    tensors, _ = read_weights(tmp_path / "counting.safetensors")
    assert tensors["batches"].item() == 70_001 and tensors["batches"].dtype == torch.int64
    assert tensors["mean"].dtype == torch.float32


def test_the_direct_network_round_trips(tmp_path: Path) -> None:
    network = build_network(tiny_settings("direct"))
    save_weights(tmp_path / "w.safetensors", network, tiny_settings("direct"))
    loaded = load_network(tmp_path / "w.safetensors").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files_are_refused(weights: Path, keep: float) -> None:
    content = weights.read_bytes()
    weights.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FormatError, match=r"tiny\.safetensors"):
        load_network(weights)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_text("no weights")
    with pytest.raises(FormatError, match=r"foreign\.safetensors"):
        load_network(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(FormatError, match="does not hold weights of this package"):
        load_network(path)


@pytest.mark.parametrize(
    "settings",
    ["no json", "5", "[]", "{}", '{"kind": "compact", "body": "anny-body"}', "[" * 100_000],
    ids=["text", "number", "list", "empty", "incomplete", "deep"],
)
def test_foreign_settings_are_refused(tmp_path: Path, settings: str) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"network": settings})
    with pytest.raises(FormatError, match=r"foreign\.safetensors"):
        load_network(path)
    with pytest.raises(InputError, match=r"foreign\.safetensors"):  # training starts from them
        load_initial(build_network(tiny_settings()), tiny_settings(), str(path))


def test_settings_that_name_what_does_not_exist_are_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for changes, message in (({"body": "smiley"}, "unknown body"), ({"joint_set": "x"}, "unknown joint set")):
        save_file({"a": torch.zeros(2)}, path, metadata={"network": json.dumps(tiny_settings() | changes)})
        with pytest.raises(InputError, match=message):
            load_network(path)


def test_weights_of_another_size_are_refused(tmp_path: Path, network: nn.Module) -> None:
    settings = tiny_settings()
    settings["lifter"] = {"width": 48, "blocks": 1}
    save_weights(tmp_path / "w.safetensors", network, settings)  # pyright: ignore[reportArgumentType]
    with pytest.raises(FormatError, match="do not fit their own settings: size mismatch"):
        load_network(tmp_path / "w.safetensors")


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    assert find_weights(weights) == weights
    with pytest.raises(MissingFileError, match="named without a suffix"):
        find_weights(tmp_path / "absent.safetensors")
    with pytest.raises(MissingFileError, match="no weights named 'absent'"):
        find_weights("absent")
    monkeypatch.setenv("POSE2MESH_ASSETS", str(tmp_path))
    (tmp_path / "weights").mkdir()
    weights.rename(tmp_path / "weights" / "mine.safetensors")
    assert find_weights("mine") == tmp_path / "weights" / "mine.safetensors"


def test_weights_that_may_not_be_read_are_not_called_absent(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # whoever runs the tests may read everything
    with pytest.raises(InputError, match="may not be read; change its permissions"):
        read_weights(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(weights: Path, value: float) -> None:
    with safe_open(weights, framework="pt") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors["lifter.stem.weight"][3, 4] = value
    save_file(tensors, weights, metadata=metadata)
    with pytest.raises(FormatError, match=r"tiny\.safetensors: lifter\.stem\.weight holds numbers that are not finite"):
        load_network(weights)


def test_loaded_networks_are_frozen_and_learn_when_asked(weights: Path) -> None:
    loaded = load_network(weights)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    output = loaded.requires_grad_(True)(keypoints())
    (output.vertices.square().sum() + output.joints.square().sum()).backward()
    assert all(p.grad is not None for p in loaded.parameters())


def test_loading_leaves_the_random_numbers_of_the_caller_alone(weights: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_network(weights)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("change", [{"blocks": 10**8}, {"width": 10**6}, {"width": 20_000, "blocks": 1000}])
def test_settings_that_ask_for_a_larger_network_are_refused_at_once(tmp_path, change):
    tensors, settings = read_weights("anny-body")
    settings["lifter"].update(change)
    content = save({"a": next(iter(tensors.values()))}, metadata={"network": json.dumps(settings)})
    (tmp_path / "a.safetensors").write_bytes(content)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormatError, match="settings"):
        load_network(tmp_path / "a.safetensors")
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024  # kB


def test_shipped_weights_carry_the_digest_of_their_graphs():
    """Key2Mesh answers with parameters, priors with poses: neither has graphs."""
    names = [path.stem for path in find_weights("anny-body").parent.glob("*.safetensors")]
    settings = {name: read_weights(name)[1] for name in names}
    with_graphs = {name: s for name, s in settings.items() if s.get("kind") in ("compact", "classic")}
    assert {"anny-body", "anny-hand"} <= with_graphs.keys()
    for name, found in with_graphs.items():
        hierarchy = load_hierarchy(found["mesh"]["hierarchy"])
        assert found[DIGEST] == hierarchy_digest(hierarchy), name
        with pytest.raises(InputError, match="trained on other graphs"):
            build_network({**found, DIGEST: "0" * 64})


def test_image_backbones_are_told_as_what_they_are(tmp_path):
    save_tensors(tmp_path / "spin.safetensors", {"a": torch.zeros(1)}, {"kind": "spin"})
    with pytest.raises(InputError, match=r"holds an image backbone, .* target\.images"):
        load_network(tmp_path / "spin.safetensors")
