"""Every script of docs/examples runs as it is and writes what its page says."""

import re
import runpy
import sys

import pytest
from pages import DOCS

EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
ROW = re.compile(r"^\| \[`(\w+\.py)`\]\(\1\) \| .* \| (?:`([\w.]+)`|nothing) \|$", re.MULTILINE)


def rows() -> dict[str, str]:
    """Script and the file that it writes, "" for none, as the page lists them."""
    return dict(ROW.findall((DOCS / "examples" / "index.md").read_text()))


def test_the_page_lists_every_script():
    assert set(rows()) == {path.name for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch, capsys):
    if path.stem == "contact_sheet":
        for package in ("onnxruntime", "skimage"):
            pytest.importorskip(package, reason=f"{package} is not installed; pip install 'pose2mesh[detect,demo]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()
    assert {file.name for file in tmp_path.iterdir()} == {rows()[path.name]} - {""}
