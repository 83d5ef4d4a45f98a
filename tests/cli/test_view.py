import os
import re
import webbrowser

import numpy as np
import pytest
import trimesh

from pose2mesh.cli.main import main
from pose2mesh.exporters import save_people
from pose2mesh.types import Person


@pytest.fixture
def person() -> Person:
    ball = trimesh.creation.icosphere(subdivisions=1)
    return Person(ball.vertices, ball.faces, np.zeros((1, 3)), ("pelvis",), np.ones((1, 3)))


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    pages = []
    monkeypatch.setattr(webbrowser, "open", lambda address: pages.append(address) or True)
    return pages


def test_every_kind_of_result_is_opened(person, opened, tmp_path, capsys):
    save_people([person], tmp_path / "a.npz")
    person.save(tmp_path / "b.glb")
    for name in ("a.npz", "b.glb", "a.html"):
        assert main(["view", str(tmp_path / name)]) == 0
    pages = [tmp_path / name for name in ("a.html", "b.html", "a.html")]
    assert opened == [page.as_uri() for page in pages]
    assert capsys.readouterr().out.split() == [str(page) for page in pages]


def test_a_page_with_the_photo_is_shown_and_not_written_over(person, opened, tmp_path):
    save_people([person], tmp_path / "a.npz")
    page = tmp_path / "a.html"
    page.write_text("with the photo")
    assert main(["view", str(tmp_path / "a.npz")]) == 0
    assert page.read_text() == "with the photo"
    os.utime(page, (1, 1))  # of an earlier result
    assert main(["view", str(tmp_path / "a.npz")]) == 0
    assert page.read_text() != "with the photo"


def test_the_page_goes_where_it_is_told_and_stays_closed(person, opened, tmp_path):
    save_people([person], tmp_path / "a.npz")
    assert main(["view", str(tmp_path / "a.npz"), "-o", str(tmp_path / "b.html"), "--no-open"]) == 0
    assert opened == []
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "b.html"}


def test_nothing_but_pages_is_written(person, opened, tmp_path, capsys):
    save_people([person], tmp_path / "a.npz")
    person.save(tmp_path / "a.glb")
    before = (tmp_path / "a.glb").read_bytes()
    assert main(["view", f"{tmp_path}/a.npz", "-o", f"{tmp_path}/a.glb"]) == 2
    assert "a page ends in .html" in capsys.readouterr().err and (tmp_path / "a.glb").read_bytes() == before
    (tmp_path / "page.html").write_text("with the photo")
    assert main(["view", f"{tmp_path}/page.html", "-o", f"{tmp_path}/copy.html", "--no-open"]) == 0
    assert (tmp_path / "copy.html").read_text() == "with the photo"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npz", None, "no such file"),
        (".", None, "a folder; give a result"),
        ("a.glb", b"glTX", "damaged"),
        ("a.npz", b"PK", "damaged|not"),
        ("a.obj", b"v", "give .html, .npz or .glb"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(name, content, message, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["view", str(tmp_path / name), "--no-open"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
    assert list(tmp_path.glob("*.html")) == []


def test_a_page_never_takes_the_place_of_its_result(person, tmp_path, capsys):
    result = save_people([person], tmp_path / "a.npz")
    before = result.read_bytes()
    assert main(["view", str(result), "--no-open", "-o", str(tmp_path / "." / "a.npz")]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert result.read_bytes() == before
