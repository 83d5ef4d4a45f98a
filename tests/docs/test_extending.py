"""docs/extending.md: its modules make a package outside of this one, its commands run, nothing of it is long."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(?:# (\S+)\n)?(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = {name: text for _, name, text in BLOCKS if name}
COMMANDS = next(text for language, _, text in BLOCKS if language == "sh").splitlines()
PHOTO = (
    "import numpy as np\nfrom PIL import Image\nImage.fromarray(np.zeros((90, 120, 3), np.uint8)).save('photo.png')\n"
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(folder / "site"), str(CHECKOUT)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )


def run_well(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files; its package is installed in `site`."""
    folder = tmp_path_factory.mktemp("outside")
    for name, text in FILES.items():
        path = folder / ("site" if name.startswith("my_parts/") else "") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    metadata = folder / "site" / "my_parts-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = [f"{name} = {place}" for name, place in project["entry-points"]["pose2mesh"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pose2mesh]", *entries]))
    run_well(folder, "-c", PHOTO)
    return folder


def test_one_of_each_kind_in_less_than_thirty_lines():
    from pose2mesh.plugins import KINDS

    entries = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]["pose2mesh"]
    assert {name.partition(".")[0] for name in entries} == KINDS.keys()
    assert all(len(text.splitlines()) < 30 for text in FILES.values())


def test_the_doctor_lists_all_parts(folder: Path):
    lines = [line for line in run_well(folder, "-m", "pose2mesh", "doctor").splitlines() if line.startswith("plug-in")]
    assert len(lines) == 7 and all(" ok " in line and "my_parts" in line for line in lines)


def test_the_commands_run(folder: Path):
    run_well(folder, "own_mesh.py")
    code = "import sys; from pose2mesh.cli.main import main; sys.exit(max(main(c.split()[1:]) for c in sys.argv[1:]))"
    run_well(folder, "-c", code, *COMMANDS)  # in one process: importing takes the longest
    assert (folder / "runs" / "linear" / "weights.safetensors").is_file()
    result = np.load(folder / "seen" / "photo.npz")
    assert result["vertices"].shape == (1, 117, 3) and np.isfinite(result["vertices"]).all()


def test_the_reader_gives_people(folder: Path):
    np.savez(folder / "train.npz", rotvec=np.zeros((2, 24, 3), np.float32), betas=np.zeros((2, 10), np.float32))
    code = (
        "from pose2mesh.datasets.annotated import read_samples\n"
        "people = list(read_samples('poses', '.'))\nprint(len(people), people[1].body.rotvec.shape)"
    )
    assert run_well(folder, "-c", code).strip() == "2 (24, 3)"
    refused = run(folder, "-c", "from pose2mesh.datasets.annotated import read_samples\nread_samples('pose', '.')")
    assert "unknown dataset 'pose'; did you mean poses?" in refused.stderr
