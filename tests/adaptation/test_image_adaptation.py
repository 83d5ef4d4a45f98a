"""The image backbone's part of `pose2mesh adapt`: bad inputs before any step, a run from end to end, determinism."""

import json

import numpy as np
import pytest
import torch
from interrupted_runs import digest, stop_after

from pose2mesh.adaptation.config import TargetConfig
from pose2mesh.adaptation.image_target import load_image_target
from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import (
    ANNY,
    is_image_backbone,
    load_image_backbone,
    new_image_backbone,
)
from pose2mesh.checkpoints.prior import BODY_BONES, KIND
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError, InputError
from pose2mesh.geometry.weak_perspective import SIDE
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.skeletons import COCO17

SMALL = {**ANNY, "stages": [1, 1], "base": 4, "width": 16}


def write_photos(folder, count: int = 3, without: int | None = None, extra: str | None = None):
    """`count` photos and a COCO file with one person in each, but none in photo number `without`."""
    from PIL import Image

    rng = np.random.default_rng(0)
    photos = folder / "photos"
    photos.mkdir()
    results = []
    names = [f"p{i}" for i in range(count)]
    for i, name in enumerate(names):
        Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8)).save(photos / f"{name}.png")
        if i != without:
            points = np.column_stack([rng.uniform(30, 130, 17), rng.uniform(10, 110, 17), np.ones(17)])
            results.append({"image_id": f"{name}.png", "keypoints": points.ravel().tolist(), "score": 1.0})
    if extra:
        results.append({**results[0], "image_id": f"{extra}.png"})
    path = folder / "keypoints.json"
    path.write_text(json.dumps(results))
    return photos, path


def write_run(folder, bones=BODY_BONES):
    """Weights of a tiny backbone and of a tiny prior."""
    torch.manual_seed(0)
    backbone, prior = folder / "backbone.safetensors", folder / "prior.safetensors"
    save_weights(backbone, new_image_backbone(SMALL), SMALL)
    settings = {"kind": KIND, "body": "some body", "bones": list(bones), "width": 16, "latent": 4}
    save_weights(prior, PosePrior(len(bones), 16, 4), settings)
    config = folder / "adapt.yaml"
    config.write_text("steps: 2\nbatch_size: 2\nlearning_rate: 1.0e-4\nthreads: 1\n")
    return ["adapt", "--method", "dapa", "--config", str(config), f"weights={backbone}", f"dapa.prior={prior}"]


def test_a_photo_becomes_a_crop_with_its_keypoints(tmp_path):
    photos, path = write_photos(tmp_path)
    target = load_image_target(TargetConfig(images=str(photos), keypoints=str(path)))
    assert target.images.shape == (3, SIDE, SIDE, 3)
    x, y = target.keypoints[0, :, 0], target.keypoints[0, :, 1]
    assert max(x.max() - x.min(), y.max() - y.min()) == pytest.approx(2 / 1.25, abs=0.05)
    assert abs((x.max() + x.min()) / 2) < 0.05


def test_everybody_of_a_photo_is_taken_whatever_the_category(tmp_path):
    photos, path = write_photos(tmp_path)
    entries = json.loads(path.read_text())
    second = {**entries[0], "keypoints": np.roll(entries[0]["keypoints"], 3).tolist()}
    categories = [{"id": i, "name": name, "keypoints": list(COCO17.joints)} for i, name in enumerate(("man", "woman"))]
    content = {
        "images": [{"id": i, "file_name": f"p{i}.png", "width": 160, "height": 120} for i in range(3)],
        "annotations": [
            {
                "id": i,
                "image_id": int(entry["image_id"][1]),
                "category_id": int(i == 3),
                "keypoints": entry["keypoints"],
            }
            for i, entry in enumerate([*entries, second])
        ],
        "categories": categories,
    }
    path.write_text(json.dumps(content))
    assert len(load_image_target(TargetConfig(images=str(photos), keypoints=str(path))).images) == 4


def test_two_photos_of_one_name_are_refused(tmp_path):
    photos, path = write_photos(tmp_path)
    (photos / "p1.jpg").write_bytes((photos / "p1.png").read_bytes())
    with pytest.raises(InputError, match=r"has two photos named p1, .* rename p1\.jpg"):
        load_image_target(TargetConfig(images=str(photos), keypoints=str(path)))


def test_photos_without_a_person_are_named(tmp_path):
    photos, path = write_photos(tmp_path, without=1)
    with pytest.raises(InputError, match=r"nobody with 4 joints .* in p1\.png"):
        load_image_target(TargetConfig(images=str(photos), keypoints=str(path)))


def test_keypoints_without_their_photo_are_named(tmp_path):
    photos, path = write_photos(tmp_path, extra="lost")
    with pytest.raises(InputError, match=r"no photo in .* for lost"):
        load_image_target(TargetConfig(images=str(photos), keypoints=str(path)))


def test_a_told_size_is_that_of_the_photos_and_no_camera_is_taken(tmp_path):
    photos, path = write_photos(tmp_path)
    told = {"images": str(photos), "keypoints": str(path)}
    plain = load_image_target(TargetConfig(**told)).keypoints
    assert torch.equal(load_image_target(TargetConfig(**told, image_size=(160, 120))).keypoints, plain)
    with pytest.raises(InputError, match=r"p0\.png: the picture has 160x120 pixels, not 120x160"):
        load_image_target(TargetConfig(**told, image_size=(120, 160)))
    with pytest.raises(InputError, match=r"leave target\.intrinsics out"):
        load_image_target(TargetConfig(**told, intrinsics=900.0))


@pytest.mark.parametrize("folder", ["", "no such folder"])
def test_an_image_backbone_needs_photos(tmp_path, folder):
    _, path = write_photos(tmp_path)
    with pytest.raises(InputError, match="image backbone needs the photos"):
        load_image_target(TargetConfig(images=folder, keypoints=str(path)))


def test_the_command_adapts_and_writes_weights(tmp_path, capsys):
    photos, path = write_photos(tmp_path)
    arguments = [*write_run(tmp_path), f"target.images={photos}", f"target.keypoints={path}"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    assert "2 steps on photos" in capsys.readouterr().out
    weights = tmp_path / "out" / "weights.safetensors"
    assert is_image_backbone(weights)
    before, after = (load_image_backbone(p)[0] for p in (tmp_path / "backbone.safetensors", weights))
    assert not torch.equal(before.conv1.weight, after.conv1.weight)
    assert torch.equal(before.bn1.running_mean, after.bn1.running_mean)
    losses = json.loads((tmp_path / "out" / "adaptation.json").read_text())["losses"]
    assert [set(each) for each in losses] == [{"real", "synthetic"}] * 2


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, monkeypatch, capsys):
    photos, path = write_photos(tmp_path)
    arguments = [*write_run(tmp_path), f"target.images={photos}", f"target.keypoints={path}", "steps=3"]
    assert main([*arguments, "-o", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert main([*arguments, "-o", str(tmp_path / "parts")]) == 143
    assert "saved at step 2" in capsys.readouterr().out
    assert main([*arguments, "-o", str(tmp_path / "parts"), "--resume"]) == 0
    assert digest(tmp_path / "whole") == digest(tmp_path / "parts")
    records = [json.loads((tmp_path / name / "adaptation.json").read_text())["losses"] for name in ("whole", "parts")]
    assert records[0] == records[1] and len(records[0]) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["dapa.latent.kind=adversarial"], "rendered pictures have no gradient"),
        (["target.images=''"], "image backbone needs the photos"),
    ],
)
def test_faults_are_found_before_the_first_step(tmp_path, capsys, changes, message):
    photos, path = write_photos(tmp_path)
    arguments = [*write_run(tmp_path), f"target.images={photos}", f"target.keypoints={path}", *changes]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("setting", ["target.held_out=0.3", "patience=2", "source.children=0.5", "dapa.errors=none"])
def test_settings_of_keypoints_are_refused_for_photos(tmp_path, capsys, setting):
    photos, path = write_photos(tmp_path)
    command = [*write_run(tmp_path), f"target.images={photos}", f"target.keypoints={path}", setting]
    assert main([*command, "-o", str(tmp_path / "out")]) == 2
    assert "an image backbone" in (told := capsys.readouterr().err) and "reads none of it; leave it out" in told


def test_a_prior_of_another_body_is_found_before_the_first_step(tmp_path, capsys):
    photos, path = write_photos(tmp_path)
    arguments = [*write_run(tmp_path, bones=("a", "b")), f"target.images={photos}", f"target.keypoints={path}"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert "trained for 2 rotations of some body" in capsys.readouterr().err


def test_the_published_layout_loads(tmp_path):
    """Names as in SPIN's checkpoint file, whose network also carries its body model."""
    torch.manual_seed(0)
    published = {"kind": "spin", "body": "smpl-neutral", "rotations": 24, "shapes": 10}
    original = new_image_backbone(published)
    path = tmp_path / "model_checkpoint.pt"
    torch.save({"model": {**original.state_dict(), "smpl.betas": torch.zeros(1, 10)}, "optimizer": {}}, path)
    loaded, settings = load_image_backbone(path)
    assert settings == published
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in original.state_dict().items())


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "broken.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"broken\.pt is no checkpoint of the SPIN release"):
        load_image_backbone(path)
