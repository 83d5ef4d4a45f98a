"""The page of web/, built from the shipped weights, in a real browser: what it shows is what Python finds."""

import functools
import http.server
import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Page, chromium
from PIL import Image

from pose2mesh import Pose2Mesh
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.geometry.projection import default_focal
from pose2mesh.rendering.shading import TINTS
from pose2mesh.skeletons import MEDIAPIPE33

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 25e6  # bytes
KEYPOINT_SHARE = 0.02  # of the person's box, median over sure joints: weights are rounded
_SOURCES = (
    "web/*.*",
    "web/src/*",
    "web/networks/*",
    "pose2mesh/detectors/*.py",
    "tools/assets/*_web.py",
    "assets/detectors/*",
    "assets/weights/*",
)
_SIZE = (640, 480)  # of the camera's picture
_MEASURED = 5  # seconds over which frames are counted
_TURN = "document.getElementById('turn').value"
_TURN_EVENT = "document.getElementById('turn').dispatchEvent(new Event('input'))"
_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def close(server: http.server.ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def dist(request, tmp_path_factory) -> Path:
    """The page as `make web` left it, if nothing that it is made of is newer; with --slow one that is built now."""
    if not request.config.getoption("--slow"):
        made = ROOT / "web" / "dist" / "offline.js"
        newest = max(path.stat().st_mtime for pattern in _SOURCES for path in ROOT.glob(pattern))
        if not made.is_file() or made.stat().st_mtime < newest:
            pytest.skip("web/dist is absent or older than its sources; make web")
        return made.parent
    for module in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(module)
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    out = tmp_path_factory.mktemp("web") / "dist"
    command = [sys.executable, str(ROOT / "tools" / "assets" / "build_web.py"), str(out)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if "npm ci failed" in built.stderr:
        pytest.skip("npm cannot install the page's dependencies")
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def address(dist) -> Iterator[str]:
    server = serve(dist)
    yield f"http://127.0.0.1:{server.server_port}/"
    close(server)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """The astronaut in a picture of the camera's size."""
    astronaut = pytest.importorskip("skimage.data").astronaut()
    picture = Image.new("RGB", _SIZE, (90, 90, 90))
    picture.paste(Image.fromarray(astronaut).resize((_SIZE[1], _SIZE[1])), ((_SIZE[0] - _SIZE[1]) // 2, 0))
    return np.asarray(picture)


@pytest.fixture(scope="module")
def page(address, photo, tmp_path_factory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("camera")
    video = folder / "camera.y4m"
    planes = [np.asarray(plane) for plane in Image.fromarray(photo).convert("YCbCr").split()]
    frame = b"FRAME\n" + planes[0].tobytes() + b"".join(plane[::2, ::2].tobytes() for plane in planes[1:])
    video.write_bytes(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n" + 3 * frame)
    with chromium(folder / "profile", *_CAMERA, f"--use-file-for-fake-video-capture={video}") as page:
        page.open(address)
        yield page


def screen(page: Page) -> np.ndarray:
    """What is shown [H, W, 3] in [0, 1]."""
    return np.asarray(Image.open(io.BytesIO(page.picture())).convert("RGB")) / 255


def on_bodies(page: Page) -> float:
    """Share of the vertices within the picture that lie on their body's color on the screen."""
    rows = page.run(
        "(({ people: [body], image }, main) => [[...body.vertices], body.place, [image.width, image.height],"
        " (({ x, y, width, height }) => [x, y, width, height])(main.getBoundingClientRect())])"
        "(pose2mesh.last, document.querySelector('main'))"
    )
    vertices, place, size, box = (np.array(row) for row in rows)
    points = vertices.reshape(-1, 3) + place
    pixels = default_focal(tuple(size)) * points[:, :2] / points[:, 2:]  # [V, 2] from the picture's middle
    pixels = pixels[(np.abs(pixels) < size / 2 - 1).all(1)]
    x, y = (box[:2] + box[2:] / 2 + pixels * (box[2:] / size).min()).astype(int).T
    colors, tint = screen(page)[y, x], np.array(TINTS[0])
    differences = colors / np.maximum(colors.max(1, keepdims=True), 1e-6) - tint / tint.max()  # [V, 3]
    return float((np.abs(differences).max(1) < 0.1).mean())


def test_joints_of_the_same_keypoints_are_those_of_python(page):
    keypoints = np.zeros((2, 33, 3), np.float32)
    keypoints[..., 2] = 0.9
    keypoints[..., :2] = np.array(_STANDING) * 200 + (320, 240)
    keypoints[1, :, 0] += 250  # beside the optical axis
    keypoints[1, 15:23, 2] = 0  # hands not seen
    answer = page.run(
        f"pose2mesh.recover({keypoints.tolist()}, {list(_SIZE)})"
        ".then((bodies) => bodies.map((body) => [[...body.joints], [...body.vertices]]))"
    )
    ours = Pose2Mesh.from_pretrained("anny-body").predict(keypoints, MEDIAPIPE33.name, image_size=_SIZE, fit=False)
    for body, person in zip(answer, ours, strict=True):
        joints, vertices = (np.array(column).reshape(-1, 3) for column in body)
        assert np.linalg.norm(joints - person.joints, axis=-1).max() < 0.002
        assert np.linalg.norm(vertices - person.vertices, axis=-1).mean() < 0.002


def test_a_file_gives_the_keypoints_of_python(page, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    page.choose("#file", tmp_path / "photo.png")
    page.wait("pose2mesh.frames > 0 || pose2mesh.errors.length > 0")
    theirs = np.array(page.run("pose2mesh.last.people.map((person) => person.keypoints)"))
    ours = BlazePoseDetector(opinion=False).detect(photo)  # the page has no room for another network
    assert theirs.shape == (len(ours), 33, 3)
    shared = (ours.confidence[0] >= 0.5) & (theirs[0, :, 2] > 0)
    distance = np.linalg.norm(ours.points[0] - theirs[0, :, :2], axis=-1)[shared]  # px
    assert np.median(distance) < KEYPOINT_SHARE * np.ptp(ours.points[0][shared], axis=0).max()
    assert on_bodies(page) > 0.9


def test_the_camera_runs_frame_after_frame_and_bodies_are_drawn(page):
    page.press("#camera")
    page.wait("pose2mesh.frames >= 20 || pose2mesh.errors.length > 0")
    assert page.run("pose2mesh.errors") == []
    start, before = time.monotonic(), page.run("pose2mesh.frames")
    time.sleep(_MEASURED)
    frames, seconds = page.run("pose2mesh.frames") - before, time.monotonic() - start
    assert frames > 0
    print(f"{frames / seconds:.1f} frames a second, over {seconds:.0f} seconds")  # shown by pytest -s
    assert page.run("pose2mesh.last.people.length") == 1
    for turn, is_faded in ((1, True), (0, False)):
        page.run(f"{_TURN} = {turn}; {_TURN_EVENT}")
        page.wait(f"pose2mesh.frames > {page.run('pose2mesh.frames')} + 2")
        assert (screen(page)[100, 100].min() > 0.7) == is_faded
    page.run("pose2mesh.run++, new Promise((done) => setTimeout(done, 500))")  # no further frame
    assert on_bodies(page) > 0.9


def test_a_file_that_is_no_picture_gets_one_notice(page, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page.choose("#file", tmp_path / "bad.png")
    page.wait("!document.getElementById('notice').hidden")
    assert "bad.png cannot be read" in page.run("document.getElementById('notice').textContent")


def test_nothing_but_the_folder_is_asked_for_and_it_is_small(page, dist, address):
    assert page.complaints == []
    assert [request for request in page.requests if not request.startswith(address)] == []
    assert sum(path.stat().st_size for path in dist.rglob("*")) <= LARGEST


def test_a_refused_camera_gets_one_notice_and_a_narrow_screen_shows_all(address, tmp_path):
    with chromium(tmp_path / "profile", "--use-fake-device-for-media-stream", "--deny-permission-prompts") as page:
        page.open(address)
        page.ask("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=1, mobile=True)
        assert page.run("document.documentElement.scrollWidth") <= 360
        parts = "[...document.querySelectorAll('nav > *')]"
        assert page.run(f"Math.max(...{parts}.map((part) => part.getBoundingClientRect().right))") <= 360
        page.press("#camera")
        page.wait("!document.getElementById('notice').hidden")
        assert "refused" in page.run("document.getElementById('notice').textContent")


def test_a_browser_without_wasm_simd_gets_one_notice(address, tmp_path):
    with chromium(tmp_path / "profile") as page:
        page.open(address)
        page.ask("Page.addScriptToEvaluateOnNewDocument", source="WebAssembly.validate = () => false")
        page.ask("Page.reload")
        page.wait("window.pose2mesh && pose2mesh.errors.length > 0")
        assert "no WebAssembly SIMD" in page.run("document.getElementById('notice').textContent")
        assert page.complaints == []


def test_the_page_opens_again_when_the_server_is_gone(dist, tmp_path):
    server = serve(dist)
    with chromium(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{server.server_port}/")
        page.run("navigator.serviceWorker.ready.then(() => 0)")
        close(server)
        page.run("window.isOld = true")
        page.ask("Page.reload")
        page.wait("!window.isOld && window.pose2mesh && (pose2mesh.ready || pose2mesh.errors.length)")
        assert page.run("pose2mesh.errors") == []
        keypoints = [[[200 * x + 320, 200 * y + 240, 0.9] for x, y in _STANDING]]
        assert page.run(f"pose2mesh.recover({keypoints}, [640, 480]).then((bodies) => bodies.length)") == 1


@pytest.mark.parametrize(
    ("content", "said"), [(None, "missing on the server"), (b"\x1f\x8b damaged", "damaged on the server")]
)
def test_a_network_that_does_not_come_gets_one_notice(content, said, dist, tmp_path):
    folder = tmp_path / "dist"
    shutil.copytree(dist, folder)
    network = folder / "data" / "landmarks.onnx.gz"
    network.unlink()
    if content is not None:
        network.write_bytes(content)
    server = serve(folder)
    with chromium(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{server.server_port}/")
        assert [f"data/landmarks.onnx.gz is {said}" in error for error in page.run("pose2mesh.errors")] == [True]
    close(server)


# x, y of MediaPipe's 33 joints of somebody who stands, arms a little away; y down, hips at 0
_STANDING = [
    *[(0, -0.72), (0.02, -0.75), (0.03, -0.75), (0.04, -0.75), (-0.02, -0.75), (-0.03, -0.75), (-0.04, -0.75)],
    *[(0.07, -0.72), (-0.07, -0.72), (0.03, -0.68), (-0.03, -0.68), (0.18, -0.52), (-0.18, -0.52), (0.27, -0.27)],
    *[(-0.27, -0.27), (0.32, -0.03), (-0.32, -0.03), (0.34, 0.05), (-0.34, 0.05), (0.33, 0.07), (-0.33, 0.07)],
    *[(0.31, 0.04), (-0.31, 0.04), (0.1, 0), (-0.1, 0), (0.11, 0.42), (-0.11, 0.42), (0.12, 0.8), (-0.12, 0.8)],
    *[(0.11, 0.85), (-0.11, 0.85), (0.15, 0.88), (-0.15, 0.88)],
]
