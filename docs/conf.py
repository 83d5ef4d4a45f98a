"""Sphinx configuration: `make docs` builds the pages."""

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


def setup(app):
    """The page of the model cards is made anew; bars in docstrings are absolute values, not substitutions."""
    model_cards.PAGE.write_text(model_cards.written())
    app.connect("autodoc-process-docstring", _keep_bars)


def _keep_bars(app, what, name, obj, options, lines):
    lines[:] = [line.replace("|", r"\|") for line in lines]
