"""Plant bugs, one at a time, and print those that no test notices: `python -m tests.mutants [words of their names]`.

Each bug is planted in a copy of the package, so the checkout stays as it is. Exit code 1 if one survives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pose2mesh.ops import native
from tests.mutants.planted import MUTANTS, Mutant

CHECKOUT = Path(__file__).resolve().parents[2]
_LINKED = ("assets", "graphs", "tests", "docs", "tools")


def main(words: list[str]) -> int:
    if not native.is_available():
        print("no compiled kernels, so bugs of their path would survive; first: pose2mesh build-kernels")
        return 2
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    contents = {mutant: planted(mutant) for mutant in chosen}  # an old text that is gone is an error before hours
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        place = copy_of_checkout(Path(folder) / "checkout")
        for mutant in chosen:
            start = time.monotonic()
            is_killed = dies(place, mutant, contents[mutant])
            survivors += [] if is_killed else [mutant.name]
            print(
                f"{'killed' if is_killed else 'SURVIVED':<9} {time.monotonic() - start:5.0f} s  {mutant.name}",
                flush=True,
            )
    print(f"{len(survivors)} of {len(chosen)} survived" + "".join(f"\n  {name}" for name in survivors))
    return int(bool(survivors))


def planted(mutant: Mutant) -> str:
    """The file of a mutant with its bug in it. Raises ValueError where its text is not there exactly once."""
    content = (CHECKOUT / mutant.file).read_text()
    if content.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.old!r} stands {content.count(mutant.old)} times in {mutant.file}; "
            "bring tests/mutants/planted.py up to date"
        )
    return content.replace(mutant.old, mutant.new)


def copy_of_checkout(place: Path) -> Path:
    """The package itself, links to everything else."""
    shutil.copytree(CHECKOUT / "pose2mesh", place / "pose2mesh", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", place)
    for name in _LINKED:
        (place / name).symlink_to(CHECKOUT / name)
    return place


def dies(place: Path, mutant: Mutant, content: str) -> bool:
    """Whether a test fails with the bug in place. Raises RuntimeError where tests could not even run."""
    target = place / mutant.file
    original = target.read_text()
    target.write_text(content)
    tests = [str(place / test) for test in mutant.tests]
    paths = os.pathsep.join([str(place), str(place / "tests"), os.environ.get("PYTHONPATH", "")])
    data = os.environ.get("POSE2MESH_DATA", str(CHECKOUT.parent / "shared" / "data"))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests],
            cwd=place, env={**os.environ, "PYTHONPATH": paths, "POSE2MESH_DATA": data}, capture_output=True, text=True,
            timeout=1200, check=False,
        )  # fmt: skip
    finally:
        target.write_text(original)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{mutant.name}: pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
