"""`python docs/model_cards.py`: write docs/model-cards.md from the cards in assets/weights; `make docs` does so too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "model-cards.md"
HEADER = """# Model cards

What each of the shipped weights is, what it has seen, what it does how well, and where it fails. This page is made from
the cards beside the weights, `assets/weights/*.json`, by `python docs/model_cards.py`; do not edit it. What the numbers
mean: [protocols](protocols.md); all of them: [results](results.md).
"""
FACTS = {"parameters": "Parameters", "licence": "Terms", "precision": "Precision", "file": "File", "sha256": "SHA-256"}
PROSE = {
    "data": "Data",
    "trained_by": "Training",
    "note_on_the_run": "Training",
    "reproduction": "Training",
    "intended_use": "Use",
}


def page(cards: list[dict[str, Any]]) -> str:
    """The whole page, a section per card in the given order."""
    return "\n".join([HEADER, *(section(card) for card in cards)])


def section(card: dict[str, Any]) -> str:
    """One card: what it is, facts, prose under headings, numbers, failures; entries that are none of these last."""
    rest = dict(card)
    lines = [f"## {rest.pop('name')}", "", sentence(rest.pop("task")), "", "| | |", "|---|---|"]
    lines += [f"| {title} | {_number(rest.pop(key))} |" for key, title in FACTS.items() if key in rest]
    failures = rest.pop("failure_cases")
    spoken: dict[str, list[str]] = {}
    for key, title in PROSE.items():
        if key in rest:
            value = rest.pop(key)
            entries = [f"{name}: {text}" for name, text in value.items()] if isinstance(value, dict) else [value]
            spoken.setdefault(title, []).extend(map(sentence, entries))
    for title, entries in spoken.items():
        lines += ["", f"### {title}", ""] + [f"- {entry}" for entry in entries]
    lines += ["", "### Numbers", "", *numbers(rest)]
    lines += ["", "### Where it fails", ""] + [f"- {failure}" for failure in failures] + [""]
    return "\n".join(lines)


def numbers(rest: dict[str, Any]) -> list[str]:
    """What is said in words as a list, then a table with a row for every mapping that holds numbers."""
    said, rows = [], {}
    for path, value in leaves(rest):
        where, name = ", ".join(map(_words, path[:-1])), _words(path[-1])
        if isinstance(value, str):
            text = f"`{value}`" if name == "command" else value
            said.append(f"- {f'{where}: ' if where else ''}{name}: {text}")
        else:
            rows.setdefault(where, []).append(f"{name} {_number(value)}")
    return [*said, "", "| | |", "|---|---|", *(f"| {where} | {', '.join(values)} |" for where, values in rows.items())]


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no mapping, with the keys that lead to it."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from leaves(inner, (*path, key))
        else:
            yield (*path, key), inner


def sentence(text: str) -> str:
    first = text[:1] if text.startswith("pose2mesh") else text[:1].upper()
    return first + text[1:].rstrip(".") + "."


def written() -> str:
    """The page of the cards in the checkout."""
    files = sorted((DOCS.parent / "assets" / "weights").glob("*.json"))
    return page([json.loads(file.read_text()) for file in files])


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _words(key: str) -> str:
    return key.upper().replace("_", "-") if key.endswith(("mpjpe", "mpvpe")) else key.replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(written())
