"""The doctor's report: true about what is here, and with a remedy for what is not."""

import json
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from pose2mesh import paths
from pose2mesh.cli import doctor

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def findings():
    return {(finding.topic, finding.name): finding for finding in doctor.examine()}


def test_versions_are_those_of_the_installed_packages(findings):
    torch = pytest.importorskip("torch")
    assert findings["torch", "version"].detail.startswith(torch.__version__)
    for name in doctor.CORE_PACKAGES:
        assert findings["package", name].detail == version(name)


def test_everything_that_is_missing_has_a_remedy(findings):
    assert [finding for finding in findings.values() if not finding.ok and not finding.remedy] == []


def test_a_package_that_is_not_there_is_missing():
    finding = doctor._package("package", "no-such-package-anywhere", "pip install it")
    assert not finding.ok and finding.remedy == "pip install it"


def test_every_extra_for_users_is_told_of():
    """Of pyproject.toml, so that a new one is not forgotten."""
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = {extra for _, extra in doctor.OPTIONAL_PACKAGES.values()}
    told |= {"detect", "render", "smpl", *doctor.OTHER_DETECTORS}  # findings of their own
    assert told == extras.keys() - {"assets", "dev", "docs", "wheels"}


def test_a_broken_torch_is_reported_not_raised(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # makes `import torch` fail
    (finding,) = doctor._made_by(doctor._torch)
    assert not finding.ok and finding.remedy == "pip install torch"


def test_missing_kernels_are_reported_with_the_remedy(monkeypatch):
    from pose2mesh.ops import native

    monkeypatch.setattr(native, "is_available", lambda: False)
    monkeypatch.setattr(native, "find_library", lambda: None)
    (finding,) = doctor._kernels()
    assert not finding.ok and "slower without them" in finding.detail and "build-kernels" in finding.remedy


def test_a_broken_renderer_is_reported_not_raised(monkeypatch):
    monkeypatch.setitem(sys.modules, "pose2mesh.rendering", None)
    (finding,) = doctor._renderer()
    assert not finding.ok and "software" in finding.detail and "apt-get" in finding.remedy


def test_files_are_looked_for_where_the_package_finds_them(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE2MESH_ASSETS", str(tmp_path))
    body = tmp_path / "body_models" / "anny_body.npz"
    body.parent.mkdir()
    body.write_bytes(bytes(2_000_000))
    shipped = {finding.topic: finding for finding in doctor._shipped_files()}
    assert shipped["body model"].ok and shipped["body model"].detail == f"{body} (2.0 MB)"


def test_all_weights_that_ship_are_looked_at(tmp_path, monkeypatch):
    folder = paths.asset("weights/anny-body.safetensors").parent
    shutil.copytree(folder, tmp_path / "weights")
    (tmp_path / "weights" / "anny-hand.safetensors").unlink()
    (tmp_path / "weights" / "anny-motion.safetensors").write_bytes(b"cut")
    monkeypatch.setenv("POSE2MESH_ASSETS", str(tmp_path))
    found = {finding.name: finding for finding in doctor._weights()}
    assert found.keys() == {path.stem for path in folder.glob("*.json")}
    assert {name for name, finding in found.items() if not finding.ok} == {"anny-hand", "anny-motion"}
    assert "damaged" in found["anny-motion"].detail and "no anny-hand" in found["anny-hand"].detail


def test_licensed_files_are_looked_for_and_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSE2MESH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path / "mine"))
    findings = list(doctor._licensed_files())
    assert [finding.name for finding in findings] == ["SMPL", "MANO", "regressors"]
    assert not any(finding.ok for finding in findings)
    assert all("only for the licensed models" in finding.detail for finding in findings)
    assert "smpl.is.tue.mpg.de" in findings[0].remedy and "POSE2MESH_MODELS" in findings[0].remedy
    for name in ("smpl/SMPL_NEUTRAL.pkl", "mano/MANO_LEFT.pkl", "J_regressor_coco.npy", "J_regressor_h36m_correct.npy"):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("no pickle")
    smpl, mano, regressors = doctor._licensed_files()
    assert smpl.ok and smpl.detail == f"{tmp_path}/mine/smpl/SMPL_NEUTRAL.pkl; no smpl-male, smpl-female"
    assert not mano.ok and "MANO_LEFT.pkl; no mano-right" in mano.detail and "mano.is.tue" in mano.remedy
    assert regressors.ok and not regressors.remedy and "h36m_correct.npy, " in regressors.detail


def test_motion_packs_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))
    (finding,) = doctor._motion_packs()
    assert not finding.ok and "POSE2MESH_DATA" in finding.remedy
    np.savez(tmp_path / "coco2d_train.npz", keypoints=np.zeros((1, 17, 3)))
    (tmp_path / "half_copied.npz").write_bytes(b"PK")
    assert not next(iter(doctor._motion_packs())).ok
    for name in ("mocap2_train", "my_motion"):
        np.savez(tmp_path / f"{name}.npz", rotvec=np.zeros((1, 19, 3)), clip_id=np.zeros(1, int))
    (finding,) = doctor._motion_packs()
    assert finding.ok and finding.detail == "mocap2_train.npz, my_motion.npz"


def test_report_has_one_line_per_finding(findings):
    rows = [doctor.Finding("body model", "anny", False, "no file", "make it"), *findings.values()]
    lines = doctor.format_report(rows).splitlines()
    assert len(lines) == len(rows)
    assert "missing" in lines[0] and lines[0].endswith("-> make it")


def test_json_holds_the_same_findings(monkeypatch, capsys):
    made = [doctor.Finding("python", "version", True, "3.11.7")]
    monkeypatch.setattr(doctor, "examine", lambda: made)
    assert doctor.run(["--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["findings"]
    assert row == {"topic": "python", "name": "version", "ok": True, "detail": "3.11.7", "remedy": ""}
