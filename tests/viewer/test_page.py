import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from browser import WINDOW, Page, chromium
from PIL import Image

from pose2mesh.errors import InputError
from pose2mesh.rendering import render_overlay
from pose2mesh.types import Camera, Person
from pose2mesh.viewer import people_page

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.4)
SIZE = WINDOW  # of the photo, too: pixel for pixel the same
PHOTO = np.full((SIZE[1], SIZE[0], 3), (30, 120, 40), np.uint8)


def _person(x: float, **more) -> Person:
    camera = Camera(1000.0, (450.0, 350.0), np.array([x, 0.2, 4.0]), SIZE)
    joints = np.array([[0, 0, 0], [0, -0.3, 0]], np.float32)
    return Person(BALL.vertices, BALL.faces, joints, ("pelvis", "left_eye"), np.ones((2, 3)), camera, 0.75, **more)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("viewer")
    file = people_page([_person(-1.0), _person(0.8)], folder / "result.html", PHOTO, "two </script> balls")
    with chromium(folder / "profile") as page:
        page.open(file)
        yield page


def _shown(page: Page) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(page.picture())).convert("RGB")).astype(int)


def test_the_page_opens_from_disk_alone_and_without_a_complaint(page):
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert page.run("pose2mesh.errors") == []
    assert page.run("document.title") == "two </script> balls"
    assert page.complaints == []
    assert page.requests == []


def test_bodies_stand_where_the_overlay_has_them(page):
    picture = _shown(page)
    overlay = render_overlay(PHOTO, [_person(-1.0), _person(0.8)], "solid")
    assert picture.shape == overlay.shape
    bodies = np.abs(overlay - PHOTO.astype(int)).max(-1) > 30  # [H, W]
    shown = np.abs(picture - PHOTO.astype(int)).max(-1) > 30
    free = np.zeros(bodies.shape, bool)
    free[120:] = True  # under the page's title and buttons
    assert (bodies & shown & free).sum() > 0.98 * (bodies & free).sum()
    assert (shown & ~bodies & free).sum() < 0.02 * (bodies & free).sum()


def test_a_click_chooses_a_body_and_a_click_beside_none(page):
    x, y = _person(0.8).camera.project(np.zeros(3))
    page.click(x, y)
    assert page.run("pose2mesh.selected") == 1
    assert page.run("document.getElementById('facts').textContent") == "person 1, 2562 vertices, score 0.75"
    page.click(450, 650)
    assert page.run("pose2mesh.selected") is None


def test_a_drag_turns_the_view_and_reset_brings_it_back(page):
    page.press("#home")
    page.mouse("mouseMoved", 450, 600)
    page.run("new Promise((done) => setTimeout(done, 300))")
    before = _shown(page)
    page.mouse("mousePressed", 450, 600, button="left", clickCount=1)
    page.mouse("mouseMoved", 600, 600, button="left", buttons=1)
    page.mouse("mouseReleased", 600, 600, button="left", clickCount=1)
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert np.abs(_shown(page) - before).mean() > 5
    page.press("#home")
    page.mouse("mouseMoved", 450, 600)
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert np.abs(_shown(page) - before).mean() < 1


def test_joints_are_shown_with_their_names(page):
    page.press("#joints")
    page.run("new Promise((done) => setTimeout(done, 300))")
    page.mouse("mouseMoved", *_person(0.8).camera.project(np.array([0, -0.3, 0])))
    assert page.run("document.getElementById('tip').textContent") == "left eye"
    page.press("#joints")


def test_the_mesh_is_downloaded(page):
    page.ask("Page.setDownloadBehavior", behavior="deny")
    page.press("#save")
    page.run("new Promise((done) => setTimeout(done, 500))")
    assert page.downloads == ["two_script_balls_person_0.glb"]


def test_uncertainty_is_said(tmp_path):
    person = _person(0.0)
    object.__setattr__(person, "uncertainty", np.array([0.012, 0.043]))
    object.__setattr__(person, "seen", np.array([True, False]))
    with chromium(tmp_path / "profile") as page:
        page.open(people_page([person], tmp_path / "page.html"))
        page.press("#joints")
        page.run("new Promise((done) => setTimeout(done, 300))")
        page.mouse("mouseMoved", *person.camera.project(np.array([0, -0.3, 0])))
        assert page.run("document.getElementById('tip').textContent") == "left eye ± 43 mm, not seen"
        assert page.run("document.getElementById('photo').hidden")
        assert page.complaints == []


def test_nobody_and_bodies_without_meshes_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="nobody"):
        people_page([], tmp_path / "page.html")
    bare = Person(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros((1, 3)), ("pelvis",), np.ones((1, 3)))
    with pytest.raises(InputError, match="no mesh"):
        people_page([bare], tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
