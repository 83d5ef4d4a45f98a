"""Run the code of a documentation page as it is printed, block after block, in the current folder.

`python` blocks share their names; `sh` blocks hold `pose2mesh` commands, one a line (or continued by a backslash),
which run in this process. What cannot run here stands in blocks of another language.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pose2mesh.cli.main import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_page(page: str, small: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Run every block; `small` holds, per command, overrides that follow its --config so that a test takes seconds.

    Returns the names of the Python blocks.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    blocks = _BLOCK.findall((DOCS / page).read_text())
    assert blocks, f"{page} holds no code"
    for language, code in blocks:
        if language == "python":
            exec(compile(code, page, "exec"), names)
        else:
            for command in commands(code):
                run_command(command, small)
    return names


def commands(code: str) -> list[list[str]]:
    """The words of each command of a `sh` block, comments left out."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run_command(words: list[str], small: Mapping[str, Sequence[str]]) -> None:
    program, command, *arguments = words
    assert program == "pose2mesh", f"{shlex.join(words)}: only pose2mesh runs in a `sh` block; use `text`"
    if command in small:
        place = arguments.index("--config") + 2  # before the page's own overrides, which win
        arguments[place:place] = small[command]
    assert main([command, *arguments]) == 0, shlex.join(words)
