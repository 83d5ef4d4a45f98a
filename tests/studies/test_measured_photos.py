"""Lists of photos in mmpose's layout, with a rendered person in place of a measured one."""

import numpy as np
import pytest
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import FormatError
from pose2mesh.skeletons import COCO17
from pose2mesh.synthesis.studio import StudioScene, figure_scene
from tools.studies.harder_loop import LIMBS
from tools.studies.measured_photos import FILES, measure

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")


@pytest.fixture(scope="module")
def scene() -> StudioScene:
    return figure_scene(load_anny_body(), "stand")


@pytest.fixture
def folder(tmp_path, scene):
    """Three lists: one whose person is known, one whose joints lie elsewhere in the picture, one that is empty."""
    truth = scene.truth
    for i, (file, place, order) in enumerate(FILES):
        part, joints = np.ones((1, 17, 3)), np.ones((1, 17, 4))
        for limb in LIMBS:
            row = order.index(limb)
            part[0, row, :2] = truth.keypoints[COCO17.index(limb), :2] + (300 if i == 1 else 0)
            joints[0, row, :3] = truth.joints[truth.joint_names.index(limb)] + [0.2, 0, 4]
        (tmp_path / place).mkdir(exist_ok=True)
        Image.fromarray(scene.image).save(tmp_path / place / f"{i}.png")
        keep = slice(0 if i == 2 else 1)
        np.savez(tmp_path / file, imgname=np.array([f"{i}.png"])[keep], part=part[keep], S=joints[keep])
    return tmp_path


def test_the_person_who_was_measured_is_compared(folder):
    found = measure(folder)
    assert found["0"]["picture"] == pytest.approx(found["0"]["true_2d"], abs=40)
    assert found["0"]["true_2d"] < 60
    assert found["1"]["picture"] is None  # nobody is where the joints are
    assert found.keys() == {"0", "1"}


def test_a_list_without_truth_is_named(folder):
    np.savez(folder / FILES[0][0], imgname=np.array(["0.png"]))
    with pytest.raises(FormatError, match=r"test_h36m_body3d.npz.*part.*mmpose checkout"):
        measure(folder)
