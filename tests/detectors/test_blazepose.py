"""The bundled detector: its networks against their originals, people known by eye, and bad input."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors import blazepose, finder, get_detector, sessions
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.finder import find_people, tiles, wanted_tiles
from pose2mesh.detectors.landmarks import region_of, warmest
from pose2mesh.detectors.multipose import people_in
from pose2mesh.detectors.sessions import load_session, read_network
from pose2mesh.detectors.similarity import to_coco
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.skeletons import MEDIAPIPE33
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.synthesis.studio import protocol_scenes

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")
skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
ORIGINALS = json.loads((Path(__file__).parent / "original_outputs.json").read_text())
FINDER = ORIGINALS.pop("movenet_multipose")
ORIGINALS.pop("movenet_thunder")  # test_opinion


@pytest.fixture(scope="module")
def detector():
    return BlazePoseDetector()


@pytest.fixture(scope="module")
def camera():
    return np.repeat(skimage_data.camera()[..., None], 3, axis=-1)


@pytest.mark.parametrize("name", ORIGINALS)
def test_networks_are_their_originals(name):
    """What TensorFlow (Lite) answered to the same noise, to a thousandth of each output's range."""
    shape, recorded = ORIGINALS[name]["shape"], ORIGINALS[name]["outputs"]
    rng = np.random.default_rng(0)
    values = rng.random(shape, np.float32)
    for ours, theirs in zip(load_session(name)(values), recorded, strict=True):
        flat = ours.ravel()[:: max(1, ours.size // 12)][:12]
        np.testing.assert_allclose(flat, theirs, atol=1e-3 * max(np.ptp(theirs), 1e-2))


def test_the_finder_is_its_original(camera):
    """The photographer at half the size: the original's joints as y, x (shares of the sides) and score; the score."""
    maps = load_session("movenet_multipose")(camera[None, ::2, ::2].astype(np.int32))
    pose, original = people_in(maps, 0.2)[0], np.array(FINDER["joints"])  # [18, 3] px, [17, 3]
    np.testing.assert_allclose(pose[:17, [1, 0]] / 256, original[:, :2], atol=1e-3)
    np.testing.assert_allclose(pose[:17, 2], original[:, 2], atol=0.1)  # rounded weights move scores more than joints
    np.testing.assert_allclose(pose[17, 2], FINDER["score"], atol=0.01)


def test_the_photographer(detector, camera):
    found = detector.detect(camera)
    assert len(found) == 1 and found.joint_set == "mediapipe33" and found.image_size == (512, 512)
    by_eye = {"nose": (255, 165), "right_shoulder": (105, 180), "right_elbow": (85, 305), "right_hip": (50, 340)}
    for name, place in by_eye.items():
        index = MEDIAPIPE33.index(name)
        np.testing.assert_allclose(found.points[0, index], place, atol=32)
        assert found.confidence[0, index] > 0.3
    assert found.confidence[0, MEDIAPIPE33.index("left_ankle")] == 0  # behind the coat and outside the picture
    visible = found.points[found.confidence > 0]
    assert (visible >= 0).all() and (visible < 512).all()


def test_two_people_the_larger_first(detector):
    astronaut = skimage_data.astronaut()
    picture = np.zeros((512, 800, 3), np.uint8)
    picture[:, :512] = astronaut
    picture[200:456, 530:786] = astronaut[::2, ::2]
    found = detector.detect(picture)
    assert len(found) == 2
    nose = MEDIAPIPE33.index("nose")
    np.testing.assert_allclose(found.points[0, nose], (223, 125), atol=20)
    np.testing.assert_allclose(found.points[1, nose], (530 + 111, 200 + 62), atol=12)


@pytest.mark.parametrize("name", ["coffee", "rocket", "cat", "brick", "coins"])
def test_nobody(detector, name):
    image = getattr(skimage_data, name)()
    image = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image
    found = detector.detect(image)
    assert len(found) == 0 and found.points.shape == (0, 33, 2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 900, 3), (300, 9, 3)])
def test_odd_picture_sizes(detector, shape):
    assert len(detector.detect(np.zeros(shape, np.uint8))) == 0


def test_a_picture_of_100_megapixels(detector):
    picture = np.zeros((10_000, 10_000, 3), np.uint8)
    picture[2_000:7_120, 2_000:7_120] = np.repeat(np.repeat(skimage_data.astronaut(), 10, 0), 10, 1)
    found = detector.detect(picture)
    assert len(found) == 1
    np.testing.assert_allclose(found.points[0, MEDIAPIPE33.index("nose")], (4_230, 3_250), atol=250)


def test_same_picture_same_answer(detector, camera):
    first, second = detector.detect(camera), get_detector("auto").detect(camera)
    np.testing.assert_array_equal(first.points, second.points)


def _pose(dx=0.0):
    """A standing find [18, 3] of 200 px."""
    parts = {
        "nose": (0, 0),
        "eye": (6, -6),
        "ear": (12, -3),
        "shoulder": (25, 30),
        "elbow": (32, 65),
        "wrist": (34, 95),
    }
    parts |= {"hip": (15, 95), "knee": (16, 145), "ankle": (17, 195)}
    pose = np.ones((18, 3))
    for i, joint in enumerate(blazepose.COCO17.joints):
        side, _, part = joint.rpartition("_")
        x, y = parts[part or joint]
        pose[i] = (300 + dx + (x if side == "left" else -x), 150 + y, 0.9)
    return pose


def _landmarks(pose, score=1.0):
    joints = np.zeros((33, 3))
    joints[:] = [*pose[:17, :2].mean(0), 0.9]
    joints[blazepose._COCO_ROWS] = pose[:17]
    return blazepose.Landmarks(joints, score, region_of(pose[:17]))


def test_landmarks_that_jumped_to_a_neighbor_are_not_taken():
    pose, neighbor = _pose(), _pose(120.0)
    sure = blazepose.decide(pose, _landmarks(neighbor))
    assert sure is not None
    np.testing.assert_allclose(to_coco(sure.joints)[:, :2], pose[:17, :2])  # the finder's own
    assert (sure.joints[MEDIAPIPE33.index("left_heel")] == 0).all()
    pose[17, 2] = 0.26
    assert blazepose.decide(pose, _landmarks(neighbor)) is None  # a weak find needs the landmarks' word
    assert blazepose.decide(pose, _landmarks(pose, score=0.1)) is None
    assert blazepose.decide(pose, _landmarks(pose)) is not None


def test_joints_seen_elsewhere_by_the_finder_are_trusted_less():
    pose = _pose()
    moved = pose.copy()
    wrist = blazepose.COCO17.index("left_wrist")
    moved[wrist, 0] += 150
    joints = to_coco(blazepose.blended(_landmarks(moved).joints, pose))
    assert joints[wrist, 2] < 0.3 and np.delete(joints[:, 2], wrist).min() > 0.85
    np.testing.assert_allclose(joints[wrist, :2], moved[wrist, :2], atol=1)  # not dragged half-way


def test_heat_moves_joints_to_its_center():
    heat = np.full((1, 64, 64, 2), -20.0, np.float32)
    heat[0, 10:13, 20:23, 0] = 5
    points = np.array([[[20.4, 10.2], [20.4, 10.2]]]) / 64
    moved = warmest(points, heat)
    np.testing.assert_allclose(moved[0, 0], np.array([21, 11]) / 64, atol=1e-6)
    np.testing.assert_array_equal(moved[0, 1], points[0, 1])  # cold: stays
    outside = np.array([[[1.3, -0.2], [2, 2]]])
    np.testing.assert_array_equal(warmest(outside, heat), outside)


def test_tiles_cover_the_picture():
    covered = np.zeros((90, 160), bool)
    for left, top, right, bottom in tiles(160, 90):
        covered[round(top) : round(bottom), round(left) : round(right)] = True
    assert covered.all()


def test_the_finder_sees_small_people_in_tiles_only(detector):
    picture = np.full((1500, 2000, 3), 127, np.uint8)
    picture[700:764, 900:964] = skimage_data.astronaut()[::8, ::8]
    assert len(find_people(detector.finder, picture, with_tiles=False)) <= len(find_people(detector.finder, picture))


def test_a_margin_moves_nobody(detector, camera):
    whole = (0, 0, camera.shape[1], camera.shape[0])
    plain, *_ = finder.look(detector.finder, camera, whole, 256)
    framed, *_ = finder.look(detector.finder, camera, whole, 384, margin=0.25)  # the picture is as large as before
    seen = np.minimum(plain[:17, 2], framed[:17, 2]) > 0.3
    assert seen.sum() >= 6
    assert np.linalg.norm(plain[:17, :2] - framed[:17, :2], axis=1)[seen].max() < 12  # px of 512


def test_pictures_of_nobody_who_is_sure_are_looked_at_with_a_margin(detector, camera, monkeypatch):
    margins, look = [], finder.look

    def watched(*arguments, margin=0.0, **options):
        margins.append(margin)
        return look(*arguments, margin=margin, **options)

    monkeypatch.setattr(finder, "look", watched)
    find_people(detector.finder, camera)
    assert not any(margins)
    find_people(detector.finder, np.full((400, 300, 3), 127, np.uint8))
    assert margins[-2:] == [finder.MARGIN, finder.MARGIN]


@pytest.mark.data
def test_who_fills_the_picture_is_found(detector):
    """The only one of 91 rendered people, each cut out at the edges of the body, whom the plain looks miss."""
    scene = next(islice(protocol_scenes(MocapProtocol(load_anny_body(), "mocap2_val.npz", 40)), 68, None))
    outline = scene.truth.camera.project(scene.truth.vertices)  # [V, 2]
    low, high = np.clip([outline.min(0), outline.max(0)], 0, 512).astype(int)
    cut = scene.image[low[1] : high[1], low[0] : high[0]].repeat(2, 0).repeat(2, 1)
    (points,) = to_coco(np.dstack([(found := detector.detect(cut)).points, found.confidence]))[..., :2]
    off = np.linalg.norm(points / 2 + low - scene.truth.keypoints[:, :2], axis=1)
    assert off.mean() < 0.1 * (high - low).max()


def test_tiles_are_looked_at_where_small_people_are():
    def person(x: float, y: float, height: float, score: float) -> np.ndarray:
        pose = np.column_stack([np.full(18, x), y + height * np.linspace(-0.5, 0.5, 18), np.full(18, score)])
        pose[17, :2] = 0
        return pose

    large, small = person(700, 250, 480, 0.8), person(100, 100, 60, 0.4)
    upper_left, *_ = everywhere = list(tiles(1000, 500))
    assert wanted_tiles(np.stack([large]), 1000, 500) == []
    assert wanted_tiles(np.stack([large, small]), 1000, 500) == [upper_left]
    assert wanted_tiles(np.stack([large, person(500, 250, 60, 0.4)]), 1000, 500) == everywhere
    assert wanted_tiles(np.stack([person(100, 100, 60, 0.25)]), 1000, 500) == everywhere  # nobody is sure


def test_absent_and_damaged_networks_are_one_clear_line(tmp_path, monkeypatch):
    with pytest.raises(MissingFileError, match=r"convert_detectors\.py"):
        read_network("pose_landmark_gigantic")
    with pytest.raises(MissingFileError, match=r"does not ship with the package; make it with .* --heavy"):
        read_network("no_such_heavy")
    folder = tmp_path / "detectors"
    folder.mkdir()
    content = bytearray(paths.asset("detectors/pose_landmark_full.onnx.gz").read_bytes())
    content[1000] ^= 1
    (folder / "pose_landmark_full.onnx.gz").write_bytes(content)
    monkeypatch.setenv("POSE2MESH_ASSETS", str(tmp_path))
    with pytest.raises(FormatError, match="damaged"):
        read_network("pose_landmark_full")
    with pytest.raises(MissingFileError, match="Reinstall"):
        monkeypatch.setattr(paths, "_CHECKOUT", tmp_path / "none")
        monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "none")
        monkeypatch.setenv("POSE2MESH_CACHE", str(tmp_path / "none"))
        read_network("movenet_multipose")


def test_every_network_is_in_the_manifest_and_the_notice():
    notice = (Path(__file__).parents[2] / "NOTICE").read_text()
    shipped = sorted(paths.asset("detectors/manifest.json").parent.glob("*.onnx.gz"))
    assert sum(path.stat().st_size for path in shipped) <= 25_000_000
    for path in shipped:
        assert path.name in notice
        read_network(path.name.removesuffix(".onnx.gz"))  # its digest is the manifest's


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert sessions.default_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert 1 <= sessions.default_threads() <= 4


def test_nothing_is_written_to_the_terminal():
    program = (
        "import numpy as np, skimage.data, pose2mesh.detectors as d\n"
        "d.get_detector().detect(np.repeat(skimage.data.camera()[..., None], 3, -1))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0
    assert result.stdout == "" and result.stderr == ""
