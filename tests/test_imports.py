"""Importing costs nothing: no files, no network, no changed settings, and torch only where it is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pose2mesh

CHECKOUT = Path(__file__).resolve().parents[1]
FILES = sorted((CHECKOUT / "pose2mesh").rglob("*.py"))
MODULES = [".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__") for path in FILES]
KERNELS = "pose2mesh.ops.chebyshev.kernels."  # written in triton's language; loaded when a kernel is first used
MODULES = [name for name in MODULES if not name.startswith(KERNELS)]
HIERARCHY = [name for name in MODULES if name.startswith("pose2mesh.hierarchy")]

IMPORT_ALL = """
import os, random, sys
import numpy, torch

def state():
    return (random.getstate(), str(numpy.random.get_state()), torch.initial_seed(), torch.get_num_threads(),
            torch.get_default_dtype(), numpy.geterr(), dict(os.environ), os.getcwd())

def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        raise RuntimeError(f"import reached for {event} {arguments}")

import scipy.sparse, scipy.spatial, trimesh, pydantic, yaml, safetensors.torch
before = state()
sys.addaudithook(forbid)
for name in sys.argv[1:]:
    __import__(name)
changed = [i for i, (a, b) in enumerate(zip(before, state())) if a != b]
assert not changed, f"import changed the settings numbered {changed}"
"""


def run_python(code: str, *arguments: str, home: Path) -> subprocess.CompletedProcess:
    """Run `code` in a new interpreter, in an empty folder that is its home as well."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("POSE2MESH_", "XDG_"))}
    ours = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=home, env={**inherited, **ours}, capture_output=True, text=True, timeout=300)


def test_importing_every_module_leaves_no_trace(tmp_path):
    assert len(MODULES) > 5
    done = run_python(IMPORT_ALL, *MODULES, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_no_module_but_the_kernels_loads_triton(tmp_path):
    code = "import sys\nfor m in sys.argv[1:]: __import__(m)\nprint('triton' in sys.modules)"
    done = run_python(code, *MODULES, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "modules",
    [["pose2mesh"], ["pose2mesh.cli.main", "pose2mesh.cli.doctor"], ["pose2mesh.skeletons"], HIERARCHY],
    ids=["package", "command", "skeletons", "hierarchy"],
)
def test_light_modules_do_not_load_torch(modules, tmp_path):
    if not modules:
        pytest.skip("no such part in this checkout")
    code = "import sys\nfor m in sys.argv[1:]: __import__(m)\nprint('torch' in sys.modules)"
    done = run_python(code, *modules, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_help_is_fast_and_loads_neither_torch_nor_numpy(tmp_path):
    code = (
        "import sys; from pose2mesh.cli.main import main; code = main(['--help']); "
        "print({'torch', 'numpy'} & set(sys.modules)); sys.exit(code)"
    )
    times = []
    for _ in range(3):  # the best of three, in processor time: the machine may be busy
        start = os.times()
        done = run_python(code, home=tmp_path)
        end = os.times()
        times.append(end.children_user + end.children_system - start.children_user - start.children_system)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
    assert min(times) <= 0.5


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = pose2mesh.NoSuchThing
