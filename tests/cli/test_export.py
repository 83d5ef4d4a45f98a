from types import SimpleNamespace

import pytest

from pose2mesh import checkpoints
from pose2mesh.checkpoints import export, read_weights
from pose2mesh.cli.export import run
from pose2mesh.cli.main import main


@pytest.mark.parametrize(("difference", "said"), [(2e-6, "to 0.0020 mm"), (None, "NOT compared with torch")])
def test_what_is_written_is_reported(difference, said, tmp_path, monkeypatch, capsys):
    network, out = SimpleNamespace(), tmp_path / "x.pt2"

    def write(given, path, format):
        assert given is network and format == "torch-export"
        path.write_bytes(b"0" * 1_500_000)
        return difference

    monkeypatch.setattr(checkpoints, "load_network", lambda name: {"mine": network}[name])
    monkeypatch.setattr(export, "export_network", write)
    assert run(["--format", "torch-export", "--weights", "mine", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert f"wrote {out} (1.5 MB)" in shown and said in shown


def test_missing_weights_are_one_line(tmp_path, capsys):
    assert main(["export", "--weights", str(tmp_path / "no.safetensors"), "-o", str(tmp_path / "x.onnx")]) == 2
    assert "no.safetensors" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_half_precision_weights_predict_the_same(tmp_path):
    """float16 may cost less than a tenth of a millimetre; measured against float32 weights of random values."""
    import torch

    from pose2mesh.checkpoints import build_network, load_network, save_weights
    from pose2mesh.training.config import NetworkConfig

    settings = NetworkConfig().model_dump(mode="json")
    torch.manual_seed(0)
    network = build_network(settings).eval()
    save_weights(tmp_path / "full.safetensors", network, settings)
    half = tmp_path / "half.safetensors"
    assert run(["--format", "safetensors", "--weights", str(tmp_path / "full.safetensors"), "-o", str(half)]) == 0
    assert half.stat().st_size < 16e6
    keypoints = torch.rand(4, 17, 3)
    with torch.inference_mode():
        difference = (load_network(half)(keypoints).vertices - network(keypoints).vertices).norm(dim=-1)
    assert difference.mean() < 1e-3  # untrained weights move the vertices by metres


def test_numbers_beyond_half_precision_are_refused(tmp_path, capsys):
    """The file would hold infinities, which the package itself refuses to read."""
    import torch

    from pose2mesh.checkpoints import build_network, save_weights
    from pose2mesh.training.config import NetworkConfig

    settings = NetworkConfig().model_dump(mode="json")
    network = build_network(settings)
    name, tensor = next(iter(network.named_parameters()))
    torch.nn.init.constant_(tensor, 7e4)
    save_weights(tmp_path / "full.safetensors", network, settings)
    half = tmp_path / "half.safetensors"
    command = ["export", "--format", "safetensors", "--weights", str(tmp_path / "full.safetensors"), "-o", str(half)]
    assert main(command) == 2
    assert f"{name} goes up to 7e+04, beyond 65504" in capsys.readouterr().err and not half.exists()


def test_an_export_never_takes_the_place_of_its_weights(tmp_path, capsys):
    weights = tmp_path / "a.safetensors"
    weights.write_bytes(b"precious")
    for format in ("onnx", "safetensors"):
        command = ["export", "--weights", str(weights), "--format", format, "-o", str(weights)]
        assert main(command) == 2 and "would be lost" in capsys.readouterr().err
    assert weights.read_bytes() == b"precious"


def test_an_output_that_is_a_folder_is_told_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "load_network", lambda name: pytest.fail("it began"))
    monkeypatch.chdir(tmp_path)  # where a name of shipped weights would lie in the folder, if it were a file
    assert main(["export", "-o", str(tmp_path)]) == 2
    assert f"cannot write {tmp_path}: Is a directory" in capsys.readouterr().err


@pytest.mark.parametrize("weights", ["anny-motion", "pose-prior-body"])
def test_weights_that_ship_are_written_in_the_form_in_which_they_ship(weights, tmp_path):
    assert run(["--format", "safetensors", "--weights", weights, "-o", str(tmp_path / "half.safetensors")]) == 0
    (ours, settings), (theirs, told) = read_weights(tmp_path / "half.safetensors"), read_weights(weights)
    assert settings == told and all((ours[name] == theirs[name]).all() for name in theirs)
