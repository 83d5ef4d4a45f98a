"""The bundled detector on scikit-image's photos, whose people are known by eye."""

import subprocess
import sys

import numpy as np
import pytest

from pose2mesh.detectors import get_detector
from pose2mesh.skeletons import joint_set

pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[mediapipe]'")
skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
COCO = joint_set("coco17")
pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase")  # pytest undoes the package's own filter


@pytest.fixture(scope="module")
def detector():
    return get_detector("mediapipe")


@pytest.fixture(scope="module")
def camera():
    return np.repeat(skimage_data.camera()[..., None], 3, axis=-1)


def joint(keypoints, name, person=0):
    index = COCO.index(name)
    return keypoints.points[person, index], keypoints.confidence[person, index]


def test_the_photographer(detector, camera):
    found = detector.detect(camera)
    assert len(found) == 1 and found.joint_set == "coco17" and found.image_size == (512, 512)
    by_eye = {
        "nose": (255, 165),
        "right_shoulder": (105, 180),
        "right_elbow": (140, 300),
        "right_hip": (50, 340),
    }
    for name, place in by_eye.items():
        point, confidence = joint(found, name)
        assert confidence > 0.9
        np.testing.assert_allclose(point, place, atol=25)
    for name in ("left_shoulder", "left_hip", "left_knee", "right_knee"):
        assert joint(found, name)[1] > 0
    assert joint(found, "left_ankle")[1] == 0  # behind the coat and outside the picture
    visible = found.points[found.confidence > 0]
    assert (visible >= 0).all() and (visible < 512).all()


def test_two_people_side_by_side(detector, camera):
    found = detector.detect(np.concatenate([camera, camera[:, ::-1]], axis=1))
    assert len(found) == 2
    noses = sorted(joint(found, "nose", person)[0][0] for person in (0, 1))
    np.testing.assert_allclose(noses, [255, 1023 - 255], atol=25)


@pytest.mark.parametrize("name", ["coffee", "rocket", "brick", "coins"])
def test_nobody(detector, name):
    image = getattr(skimage_data, name)()
    image = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image
    found = detector.detect(image)
    assert len(found) == 0 and found.points.shape == (0, 17, 2)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 900, 3), (300, 9, 3)])
def test_odd_picture_sizes(detector, shape):
    assert len(detector.detect(np.zeros(shape, np.uint8))) == 0


def test_same_picture_same_answer(detector, camera):
    first, second = detector.detect(camera), get_detector("auto").detect(camera)
    np.testing.assert_allclose(first.points, second.points, atol=1e-3)


def test_nothing_is_written_to_the_terminal():
    program = (
        "import numpy as np, skimage.data, pose2mesh.detectors as d\n"
        "d.get_detector('mediapipe').detect(np.repeat(skimage.data.camera()[..., None], 3, -1))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0
    assert result.stdout == "" and result.stderr == ""
