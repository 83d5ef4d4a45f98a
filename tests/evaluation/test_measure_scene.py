"""The measures of the closed loop on answers whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.evaluation.closed_loop import MEASURES, measure_closed_loop, measure_scene, scene_pictures, scene_sheet
from pose2mesh.synthesis.studio import StudioScene, figure_scene
from pose2mesh.types import Person


@pytest.fixture(scope="module")
def scene() -> StudioScene:
    return figure_scene(load_anny_body(), "stand")


class Answers:
    """A model that gives prepared answers, one per picture."""

    def __init__(self, *answers: list[Person]) -> None:
        self.answers = iter(answers)

    def predict(self, image, detector):
        people = next(self.answers)
        if not people:
            raise NoPersonFoundError("nobody")
        return people


def test_the_truth_has_no_error(scene):
    values = measure_scene(scene, scene.truth)
    assert values["silhouette_iou"].item() == 1
    for name in set(MEASURES) - {"silhouette_iou"}:
        assert values[name].item() == pytest.approx(0, abs=1e-5), name


def test_errors_are_metres_and_shares_of_the_box(scene):
    truth, height = scene.truth, np.ptp(scene.truth.keypoints[:, 1])
    shift = np.array([0.1, 0, 0], np.float32)
    detected = truth.keypoints + np.array([0, 0.05 * height, 0])
    detected[3] = [1e6, 0, 0]  # a missing joint counts for nothing
    person = replace(truth, vertices=truth.vertices + shift, joints=1.1 * truth.joints, keypoints=detected)
    values = {name: value.item() for name, value in measure_scene(scene, person).items()}
    assert values["mpvpe"] == pytest.approx(0.1, rel=1e-4)
    assert values["pa_mpvpe"] == pytest.approx(0, abs=1e-5)
    assert values["mpjpe"] == pytest.approx(0.1 * np.linalg.norm(truth.joints[:18], axis=1).mean(), rel=1e-3)
    assert values["pa_mpjpe"] == pytest.approx(0, abs=1e-5)
    assert values["keypoint_error"] == pytest.approx(0.05, rel=1e-4)
    assert 0.01 < values["reprojection_error"] < 0.1
    assert 0.1 < values["silhouette_iou"] < 0.8


def test_missed_people_and_false_finds_are_counted(scene):
    truth = scene.truth
    ghost = replace(truth, keypoints=truth.keypoints + np.array([100, 0, 0]), vertices=2 * truth.vertices)
    seen = []
    result = measure_closed_loop(
        Answers([ghost, truth], [], [truth]), [scene] * 3, detector="none", on_result=lambda *pair: seen.append(pair[1])
    )
    assert seen == [truth, None, truth]
    assert result["detected"] == pytest.approx(2 / 3)
    assert result["false_finds"] == pytest.approx(1 / 3)
    assert result["count"] == result["groups"]["figures"]["count"] == 3
    assert result["pa_mpvpe"] == pytest.approx(0, abs=1e-2)  # mm, over the people found
    assert result["median"]["silhouette_iou"] == 1


def test_lengths_are_printed_in_millimetres(scene):
    person = replace(scene.truth, vertices=scene.truth.vertices + np.float32(0.01))
    result = measure_closed_loop(Answers([person]), [scene], detector="none")
    expected = 10 * np.sqrt(3)
    assert result["mpvpe"] == pytest.approx(expected, rel=1e-3)
    assert result["median"]["mpvpe"] == pytest.approx(expected, rel=1e-3)


def test_weights_of_another_mesh_are_refused(scene):
    other = replace(scene.truth, vertices=scene.truth.vertices[:100])
    with pytest.raises(InputError, match=r"100 vertices .* weights of anny-body"):
        measure_closed_loop(Answers([other]), [scene], detector="none")


def test_pictures_of_found_and_missed_people_have_one_size(scene):
    found, missed = scene_pictures(scene, scene.truth), scene_pictures(scene, None)
    assert {picture.shape for picture in (*found, *missed)} == {(256, 256, 3)}
    assert (missed[1] == 255).all()
    sheet = scene_sheet([found, missed])
    assert sheet.shape[1] > 8 * 256
    assert sheet.shape[0] < 2 * 256
