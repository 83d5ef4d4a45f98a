"""MediaPipe's own detector, and the bundled one beside it, on a photo whose person is known by eye."""

import numpy as np
import pytest

from pose2mesh.detectors import get_detector
from pose2mesh.skeletons import MEDIAPIPE33

pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[mediapipe]'")
skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase")  # pytest undoes the package's own filter


@pytest.fixture(scope="module")
def detector():
    return get_detector("mediapipe")


def test_both_detectors_mean_the_same_places(detector):
    """They run one network on crops of their own: the mean of joints that both see lies within 2 % of the picture."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")
    picture = skimage_data.astronaut()
    theirs, ours = detector.detect(picture), get_detector("blazepose").detect(picture)
    assert len(theirs) == len(ours) == 1 and theirs.joint_set == ours.joint_set == "mediapipe33"
    seen = (theirs.confidence[0] > 0.8) & (ours.confidence[0] > 0.8)
    assert seen[: MEDIAPIPE33.index("left_elbow")].all()
    distance = np.linalg.norm(theirs.points[0] - ours.points[0], axis=-1)[seen] / 512
    assert distance.mean() < 0.02


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 900, 3)])
def test_nobody(detector, shape):
    assert len(detector.detect(np.zeros(shape, np.uint8))) == 0
