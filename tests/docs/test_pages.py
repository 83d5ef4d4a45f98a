"""Pages say what the package has: names of the API, cards of the weights, links and numbers of the README."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import DOCS

sys.path.append(str(DOCS))
import model_cards

from pose2mesh.exporters.person import person_record
from pose2mesh.skeletons import joint_set, joint_sets
from pose2mesh.types import Person

CHECKOUT = DOCS.parent
PAGES = sorted(str(path.relative_to(CHECKOUT)) for path in (*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")))
DIRECTIVE = re.compile(r"^\.\. auto(module|class):: (\S+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)")
BLOCK, HEADING = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL), re.compile(r"^#+ (.*)$", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def documented() -> list[tuple[str, str]]:
    return [pair for page in sorted((DOCS / "api").glob("*.md")) for pair in DIRECTIVE.findall(page.read_text())]


@pytest.mark.parametrize(("kind", "name"), documented())
def test_what_the_api_pages_name_exists_and_explains_itself(kind, name):
    if kind == "module":
        thing = importlib.import_module(name)
    else:
        module, _, attribute = name.rpartition(".")
        thing = getattr(importlib.import_module(module), attribute)
    assert thing.__doc__, f"{name} has no docstring"


def test_the_page_of_model_cards_is_that_of_the_cards():
    assert model_cards.PAGE.read_text() == model_cards.written(), "run: python docs/model_cards.py"


def test_no_entry_of_a_card_is_lost():
    """Every number and sentence of a made-up card stands on its page, known keys or not."""
    card = {"name": "n", "task": "t", "licence": "free", "data": {"motion": "m1"}, "trained_by": "pose2mesh train x"}
    card |= {"metrics_mm": {"clean": {"pa_mpjpe": 12.25}, "command": "pose2mesh test y"}, "new_key": "said"}
    card |= {"failure_cases": ["fails here"]}
    section = model_cards.section(card)
    wanted = ("free", "Motion: m1.", "pose2mesh train x.", "PA-MPJPE 12.25", "`pose2mesh test y`", "said", "fails here")
    assert [text for text in wanted if text not in section] == []


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link, as GitHub and myst have it."""
    headings = HEADING.findall(BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = CHECKOUT / page
    broken = []
    for file, _, anchor in (link.partition("#") for link in LINK.findall(BLOCK.sub("", path.read_text()))):
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_the_table_of_joint_sets_is_that_of_the_package():
    page = (DOCS / "conventions.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]*) \|", page[page.index("## Joint sets") :], re.MULTILINE)
    told = {name: counts for names, counts in rows for name in re.findall(r"`(\w+)`", names)}
    assert told.keys() == {known.name for known in joint_sets()}
    wrong = [name for name, counts in told.items() if counts and str(len(joint_set(name).joints)) not in counts]
    assert wrong == []


def test_the_keys_of_a_person_s_json_are_told():
    page = (DOCS / "conventions.md").read_text()
    start = page.index("`--save json`")
    keys = re.findall(r"^\| (`.*?) \|", page[start : page.index("`pose2mesh mesh`", start)], re.MULTILINE)
    names = [name for row in keys for name in re.findall(r"`(\w+)`", row)]
    person = Person(np.zeros((1, 3)), np.zeros((0, 3), int), np.zeros((1, 3)), ("pelvis",), np.zeros((1, 3)))
    assert sorted(names) == sorted(person_record(person))


def test_the_numbers_of_the_readme_s_table_are_those_of_the_results():
    (table,) = re.findall(
        r"^\| weights `anny-body` \| \|\n(.*?)\n\n", (CHECKOUT / "README.md").read_text(), re.M | re.S
    )
    results = set(NUMBER.findall((DOCS / "results.md").read_text()))
    values = [number for row in table.splitlines()[1:] for number in NUMBER.findall(row.split("|")[2])]
    assert len(values) >= 6 and [value for value in values if value not in results] == []


CARDS = [(name, (kind,)) for name in ("anny-body", "anny-key2mesh", "anny-hand") for kind in ("clean", "noisy")]


@pytest.mark.parametrize(("name", "keys"), [*CARDS, ("anny-motion", ("noisy", "single"))])
def test_the_errors_in_a_card_are_those_of_the_results(name, keys):
    errors = json.loads((CHECKOUT / "assets" / "weights" / f"{name}.json").read_text())["metrics_mm"]
    for key in keys:
        errors = errors[key]
    results = set(NUMBER.findall((DOCS / "results.md").read_text()))
    values = [f"{errors[measure]:.1f}" for measure in ("pa_mpjpe", "mpjpe")]
    assert [value for value in values if value not in results] == []
