"""What an index and a citation say of the package agrees with itself; the locked versions are those that are tested."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import pose2mesh

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
ENTRY = re.compile(r"^([\w.-]+)==([^\s;\\]+)(.*(?:\n    --hash=.*)*)", re.MULTILINE)
REMEDY = "run: make lock"


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def locked() -> dict[str, list[tuple[str, str]]]:
    """Versions of each package, several where they depend on the Python, with what follows: markers and hashes."""
    entries: dict[str, list[tuple[str, str]]] = {}
    for name, version, rest in ENTRY.findall((CHECKOUT / "requirements.lock").read_text()):
        entries.setdefault(normalized(name), []).append((version, rest))
    return entries


def test_every_locked_version_has_a_hash(locked):
    assert len(locked) > 50
    assert [name for name, entries in locked.items() for _, rest in entries if "--hash=sha256:" not in rest] == []


def test_locked_versions_are_those_of_the_constraints(locked):
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (CHECKOUT / "constraints.txt").read_text(), re.MULTILINE)
    differing = {
        name: version for name, version in pins for found, _ in locked.get(normalized(name), []) if found != version
    }
    assert differing == {}, REMEDY


def test_what_the_package_needs_is_locked(locked):
    needs = [normalized(re.split(r"[<>=;\[ ]", need)[0]) for need in PROJECT["dependencies"]]
    assert [name for name in needs if name not in locked] == [], REMEDY


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == pose2mesh.__version__
    assert citation["license"] == PROJECT["license"]


def test_an_index_can_show_it():
    assert PROJECT["urls"] and "Typing :: Typed" in PROJECT["classifiers"]
    assert (CHECKOUT / "pose2mesh" / "py.typed").is_file()
    assert all((CHECKOUT / name).is_file() for name in (PROJECT["readme"], *PROJECT["license-files"]))
