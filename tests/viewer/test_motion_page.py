import io

import numpy as np
import pytest
from browser import chromium
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.synthesis.walk import walking
from pose2mesh.viewer import result_page

pytest.importorskip("pygltflib", reason="pygltflib is not installed; pip install 'pose2mesh[motion]'")


def _shown(page) -> np.ndarray:
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.array(Image.open(io.BytesIO(page.picture())).convert("RGB")).astype(int)[120:-90]  # without the buttons


def _seek(page, seconds: float) -> None:
    moved = f"Object.assign(document.getElementById('frame'), {{ value: {seconds} }})"
    page.run(f"{moved}.dispatchEvent(new Event('input'))")


def test_a_motion_plays_pauses_and_seeks(tmp_path):
    motion = walking(load_anny_body(), 1.0)
    file = result_page(motion.save(tmp_path / "motion.npz"))
    assert file == tmp_path / "motion.html"
    with chromium(tmp_path / "profile") as page:
        page.open(file)
        page.press("#play")
        assert page.run("pose2mesh.isPlaying") is False
        _seek(page, 0.1)
        first = _shown(page)
        np.testing.assert_array_equal(_shown(page), first)  # it stands
        _seek(page, 0.6)
        assert np.abs(_shown(page) - first).max(axis=-1).mean() > 1
        assert page.run("document.getElementById('clock').textContent").startswith("0.60 / 0.9")
        page.press("#play")
        page.wait("Number(document.getElementById('frame').value) !== 0.6")
        assert page.complaints == []
        assert page.requests == []


def test_who_walks_stays_in_the_picture(tmp_path):
    """Two metres to the side and towards the camera: nothing of the body touches the picture's border."""
    motion = walking(load_anny_body(), 1.5, 10.0)
    with chromium(tmp_path / "profile") as page:
        page.open(result_page(motion.save(tmp_path / "motion.npz")))
        page.press("#play")
        for seconds in (0.0, 0.7, 1.39):
            _seek(page, seconds)
            spot = (
                "people[0].meshes[0].boneTransform(%d, new THREE.Vector3())"
                ".applyMatrix4(people[0].meshes[0].matrixWorld).project(camera).toArray()"
            )
            _shown(page)
            places = np.array([page.run(spot % vertex) for vertex in range(0, 13000, 400)])
            assert np.abs(places[:, :2]).max() < 0.95


def test_the_light_comes_from_where_one_looks(tmp_path):
    """From the front and from the side: a person four metres from the scene's origin is not lit from behind."""
    motion = walking(load_anny_body(), 0.3, 10.0)
    with chromium(tmp_path / "profile") as page:
        page.open(result_page(motion.save(tmp_path / "motion.npz")))
        page.press("#play")
        for _ in range(4):
            page.press("#side")
            picture = _shown(page)
            body = picture[picture[..., 2] - picture[..., 0] > 25]  # [N, 3] the bluish pixels
            assert len(body) > 10_000
            assert np.median(body[:, 2]) > 180


def test_a_glb_of_a_motion_plays_and_a_person_saves_a_page(tmp_path):
    motion = walking(load_anny_body(), 0.3)
    with chromium(tmp_path / "profile") as page:
        page.open(result_page(motion.save(tmp_path / "walk.glb")))
        assert not page.run("document.getElementById('time').hidden")
        page.wait("Number(document.getElementById('frame').value) > 0")
        assert page.complaints == []
    assert motion.save(tmp_path / "page.html").stat().st_size > 1_000_000
