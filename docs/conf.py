"""Sphinx configuration: `make docs` builds the pages."""

from pose2mesh import __version__

project = "pose2mesh"
author = "The pose2mesh developers"
release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 3

html_theme = "furo"
exclude_patterns = ["_build"]
