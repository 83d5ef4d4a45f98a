"""Sphinx configuration: `make docs` builds the pages."""

import contextlib
import inspect
import re
import sys
from pathlib import Path

from pose2mesh import __version__

sys.path.append(str(Path(__file__).parent))
import model_cards

project = "pose2mesh"
author = "The pose2mesh developers"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
napoleon_numpy_docstring = False

html_theme = "furo"
exclude_patterns = ["_build"]


FIELD = re.compile(r"^    (\w+): [^\n]*?  # (.+)$", re.MULTILINE)
MARKUP, ESCAPED = re.compile(r"([|*`_])"), r"\\\1"


def setup(app):
    """The page of the model cards is made anew; docstrings are completed on their way into the API."""
    model_cards.PAGE.write_text(model_cards.written())
    app.connect("autodoc-process-docstring", _complete)
    app.connect("autodoc-skip-member", lambda app, what, name, thing, skip, options: skip or _says_nothing(name, thing))


def _complete(app, what, name, thing, options, lines):
    """Fields of a class are listed with the comments beside them; bars are absolute values, not substitutions."""
    lines[:] = [line.replace("|", r"\|") for line in lines]
    if what == "class":
        with contextlib.suppress(OSError, TypeError):  # what has no source of its own, such as an alias
            fields = FIELD.findall(inspect.getsource(thing))
            lines += ["", *(f"* ``{field}``: {MARKUP.sub(ESCAPED, comment)}" for field, comment in fields), ""]


def _says_nothing(name, thing):
    """What torch and pydantic say of their base classes, and fields of a named tuple, which are listed above it."""
    doc = str(getattr(thing, "__doc__", ""))
    inherited = name == "model_config" or (name in ("forward", "extra_repr") and doc == "None")
    return inherited or doc.startswith("Alias for field number")
