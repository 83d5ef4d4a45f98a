"""What `track` and `motion` say of arguments that are none of theirs, and of trackers that number nobody."""

import numpy as np
import pytest
from fake_network import FlatNetwork
from test_pipeline import person

from pose2mesh.errors import InputError
from pose2mesh.pipeline import Pose2Mesh


class Numbers:
    """Gives the same numbers for every frame."""

    def __init__(self, numbers):
        self.numbers = numbers

    def update(self, keypoints, time):
        return self.numbers


@pytest.fixture
def walk(tmp_path):
    np.save(tmp_path / "walk.npy", np.stack([[person(), person(1)], [person(), person(1)]]))
    return tmp_path / "walk.npy"


@pytest.mark.parametrize("numbers", [(1, 1), None, (1,), (1, 2, 3), ("a", "b"), (1, -1), (1.5, 2), ([], [])])
def test_a_tracker_gives_each_person_a_number_of_its_own(walk, numbers):
    with pytest.raises(InputError, match=r"time\) must return a whole number for each, from 0 on and none twice"):
        list(Pose2Mesh(FlatNetwork()).track(walk, tracker=Numbers(numbers)))


def test_numbers_may_be_an_array(walk):
    frames = Pose2Mesh(FlatNetwork()).track(walk, tracker=Numbers(np.array([7, 3])))
    assert [[person.track for person in frame.people] for frame in frames] == [[7, 3], [7, 3]]


def test_motion_knows_its_own_arguments(walk):
    model = Pose2Mesh.from_pretrained("anny-body")
    for wrong in ({"outputs": "joints"}, {"dectector": "auto"}):
        with pytest.raises(TypeError, match=rf"motion\(\) got an unexpected keyword argument '{next(iter(wrong))}'"):
            model.motion(walk, **wrong)
    with pytest.raises(InputError, match="batch size is 'a'; it must be a whole number"):
        model.motion(walk, batch_size="a")
    with pytest.raises(InputError, match="smooth 'very' is none of auto, off"):
        model.motion("nowhere.mp4", "very")  # before anybody is looked for
    for frames in (model.track, model.predict_frames):
        with pytest.raises(InputError, match="batch size is 'a'"):
            next(frames(walk, batch_size="a"))
