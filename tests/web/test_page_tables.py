"""What the page's scripts take from the package is there, whatever was renamed in it."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install 'pose2mesh[export]'")

from pose2mesh.checkpoints import load_network
from tools.assets.build_web import tables

SCRIPTS = Path(__file__).resolve().parents[2] / "web" / "src"


def test_the_tables_hold_what_the_scripts_ask_for():
    text = "\n".join(path.read_text() for path in sorted(SCRIPTS.glob("*.js")))
    asked = {name for group in re.findall(r"const \{([^}]*)\} = tables;", text) for name in group.split(",")}
    asked |= set(re.findall(r"\btables\.(\w+)", text))
    asked = {name.split("=")[0].strip() for name in asked}
    given = tables(load_network("anny-body"))  # pyright: ignore[reportArgumentType]
    assert len(asked) > 30 and asked <= set(given)
    json.dumps(given)
