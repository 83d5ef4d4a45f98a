"""The wheel holds the code and the data that it needs, works from another folder, and holds nothing else."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pose2mesh

pytest.importorskip("hatchling", reason="hatchling is not installed; pip install hatchling")
pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]


def checkout_files(folder: str, pattern: str = "*") -> set[str]:
    """Files of the checkout that belong into the wheel, relative to the checkout."""
    found = (path for path in (CHECKOUT / folder).rglob(pattern) if path.is_file())
    return {path.relative_to(CHECKOUT).as_posix() for path in found if "__pycache__" not in path.parts}


def build_wheel(folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


def test_all_code_is_inside(wheel):
    expected = checkout_files("pose2mesh", "*.py") | {"pose2mesh/py.typed"}
    assert expected - set(wheel.namelist()) == set()


@pytest.mark.parametrize("folder", ["assets", "graphs"])
def test_all_data_is_inside(wheel, folder):
    expected = {f"pose2mesh/{name}" for name in checkout_files(folder)}
    assert expected, f"the checkout has no {folder}/"
    assert expected - set(wheel.namelist()) == set()


def test_nothing_else_is_inside(wheel):
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pose2mesh"}
    assert [name for name in names if "tests" in name.split("/") or name.endswith((".pyc", ".tmp"))] == []


def test_licences_are_inside(wheel):
    names = {name.rsplit("/", 1)[-1] for name in wheel.namelist() if ".dist-info/" in name}
    assert {"LICENSE", "NOTICE"} <= names


def test_it_fits_the_package_index(wheel):
    assert Path(str(wheel.filename)).stat().st_size < 100e6


def test_it_works_unpacked_elsewhere(wheel, tmp_path):
    """Import it from the unpacked wheel, not from the checkout, and find a data file with it."""
    wheel.extractall(tmp_path)
    data = sorted(checkout_files("assets"))[0].removeprefix("assets/")
    code = (
        "import sys, pose2mesh; from pose2mesh import paths; from pose2mesh.cli.main import main; "
        "print(pose2mesh.__file__); print(paths.asset(sys.argv[1])); sys.exit(main(['--version']))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POSE2MESH_")}
    environment["PYTHONPATH"] = str(tmp_path)
    command = [sys.executable, "-c", code, data]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    module, asset, _ = done.stdout.splitlines()
    assert module == str(tmp_path / "pose2mesh" / "__init__.py")
    assert asset == str(tmp_path / "pose2mesh" / "assets" / data)
    again = [sys.executable, "-m", "pose2mesh", "--version"]
    done = subprocess.run(again, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"pose2mesh {pose2mesh.__version__}\n"


def test_a_wheel_for_every_platform_holds_nothing_compiled(tmp_path):
    built = build_wheel(tmp_path, POSE2MESH_BUILD_KERNELS="0")
    assert built.name.endswith("-py3-none-any.whl")
    assert [name for name in zipfile.ZipFile(built).namelist() if name.endswith(".so")] == []


def test_a_compiled_wheel_for_linux_gets_a_tag_that_indexes_take(wheel, tmp_path):
    if not Path(str(wheel.filename)).name.endswith("linux_x86_64.whl"):
        pytest.skip("no compiled wheel for Linux here")
    pytest.importorskip("auditwheel", reason="auditwheel is not installed; pip install 'pose2mesh[wheels]'")
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel.filename)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "manylinux_2_17_x86_64" in done.stdout
