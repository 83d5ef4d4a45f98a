"""The measures of real photos, on pictures and people that are known, and the command on a free photograph."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError, InputError, MissingFileError, NoPersonFoundError
from pose2mesh.evaluation.photos import keypoint_box, measure_photos, overlap, read_photos, reprojection
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.studio import figure_scene
from pose2mesh.types import Keypoints2D


@pytest.fixture(scope="module")
def scene():
    return figure_scene(load_anny_body(), "stand")


def _folder(tmp_path, scene, known):
    for name in known:
        Image.fromarray(scene.image).save(tmp_path / name)
    (tmp_path / "photos.json").write_text(json.dumps(known))
    return tmp_path


class Looking:
    """A detector whose findings do not matter."""

    def detect(self, image):
        return None


class Answers:
    """A model that gives these people, one list for each picture."""

    kind = "body"

    def converted(self, found):
        return found

    def __init__(self, *answers):
        self._answers = iter(answers)

    def predict(self, image, detector):
        if not (people := next(self._answers)):
            raise NoPersonFoundError("nobody")
        return people


def test_people_are_counted_and_upright_ones_measured(tmp_path, scene):
    box = [float(v) for v in keypoint_box(scene.truth)]
    elsewhere = [0, 0, 5, 5]
    known = {
        "a.png": {"prominent": 1, "upright": [{"box": box, "truncated": False}]},
        "b.png": {"prominent": 3, "upright": [{"box": box, "truncated": True}, {"box": elsewhere, "truncated": False}]},
        "c.png": {"prominent": 1},
    }
    photos = read_photos(_folder(tmp_path, scene, known))
    seen = []
    metrics = measure_photos(
        Answers([scene.truth] * 2, [scene.truth], []), photos, Looking(), on_result=lambda *result: seen.append(result)
    )
    assert metrics["seconds_per_photo"] >= 0
    assert {key: metrics[key] for key in ("photos", "prominent", "found", "recall", "extra")} == {
        **{"photos": 3, "prominent": 5, "found": 2, "recall": 2 / 5, "extra": 1},
    }
    assert metrics["upright"]["count"] == 2
    assert metrics["upright"]["knee_flexion_median"] == metrics["upright"]["truncated_knee_flexion_median"] < 15
    assert metrics["reprojection"] == pytest.approx(0, abs=1e-6)
    assert [len(people) for _, _, people in seen] == [2, 1, 0]


def test_reprojection_counts_confident_keypoints_in_heights_of_their_box(scene):
    keypoints = scene.truth.keypoints.copy()
    height = np.ptp(keypoints[:, :2], axis=0).max()
    keypoints[:, 0] += 0.1 * height
    assert reprojection(replace(scene.truth, keypoints=keypoints)) == pytest.approx(0.1, rel=1e-4)
    keypoints[:, 2] = 0.4
    assert np.isnan(reprojection(replace(scene.truth, keypoints=keypoints)))


def test_overlap_of_boxes():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0 == overlap((0, 0, 0, 0), (0, 0, 0, 0))


def test_bad_folders(tmp_path):
    with pytest.raises(MissingFileError, match=r"data\.folder=FOLDER"):
        read_photos(tmp_path)
    for content in ("[1]", "{", '{"a.jpg": {}}', '{"a.jpg": {"prominent": 1, "upright": [{"box": 3}]}}'):
        (tmp_path / "photos.json").write_text(content)
        with pytest.raises(FormatError, match="prominent"):
            read_photos(tmp_path)


def test_a_photo_that_is_not_there_is_told(tmp_path):
    (tmp_path / "photos.json").write_text('{"gone.jpg": {"prominent": 1}}')
    with pytest.raises(InputError, match=r"gone\.jpg: no such file"):
        measure_photos(Pose2Mesh.from_pretrained("anny-key2mesh"), read_photos(tmp_path), Looking())


class Finding:
    """A detector of one person with so many joints seen."""

    def __init__(self, seen: int):
        self._seen = seen

    def detect(self, image):
        points = np.random.default_rng(0).uniform(5, 50, (1, 17, 2)).astype(np.float32)
        return Keypoints2D(points, (np.arange(17)[None] < self._seen).astype(np.float32), "coco17")


@pytest.mark.parametrize(
    ("weights", "detector", "message"),
    [
        ("anny-body", "blazepos", "unknown detector 'blazepos'; did you mean blazepose"),
        ("anny-body", "none", "a picture needs a detector"),
        ("anny-hand", "auto", "photos count people; these weights give a hand"),
    ],
)
def test_what_cannot_find_anybody_is_no_recall_of_zero(tmp_path, scene, weights, detector, message):
    photos = read_photos(_folder(tmp_path, scene, {"a.png": {"prominent": 1}}))
    with pytest.raises(InputError, match=message):
        measure_photos(Pose2Mesh.from_pretrained(weights), photos, detector)


def test_people_with_too_few_joints_are_nobody(tmp_path, scene):
    photos = read_photos(_folder(tmp_path, scene, {"a.png": {"prominent": 1}}))
    model = Pose2Mesh.from_pretrained("anny-body")
    assert [measure_photos(model, photos, Finding(seen))["found"] for seen in (1, 17)] == [0, 1]


def test_the_command_finds_the_astronaut(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    Image.fromarray(skimage_data.astronaut()).save(tmp_path / "a.png")
    (tmp_path / "photos.json").write_text('{"a.png": {"prominent": 1}}')
    out, pictures = tmp_path / "out.json", tmp_path / "pictures"
    command = ["test", "--config", "assets/configs/test_photos.yaml", f"data.folder={tmp_path}"]
    assert main([*command, "--json", str(out), "--pictures", str(pictures)]) == 0
    metrics = json.loads(out.read_text())
    assert (metrics["found"], metrics["extra"], metrics["upright"]["knee_flexion_median"]) == (1, 0, None)
    assert Image.open(pictures / "photos_00.png").size[0] > 500
