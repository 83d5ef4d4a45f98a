"""The sheet of adaptation: who is drawn, that nobody of them is adapted to, and a picture in a file."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_adaptation import adapt_config, people

from pose2mesh.types import Keypoints2D
from tools.studies.adaptation_picture import Frame, choose, main

FRAMES = 20


def test_the_largest_well_seen_person_of_spread_frames_is_drawn():
    points = people(6)[:, :, :2]
    sure = np.full((6, 17), 0.9, np.float32)
    sure[[1, 4], 5:] = 0.1  # too few joints
    points[3] = 3 * points[2]
    pairs = [
        Frame(str(i), None, Keypoints2D(points[2 * i : 2 * i + 2], sure[2 * i : 2 * i + 2], "coco17")) for i in range(3)
    ]
    found = choose(pairs, 5)
    assert list(found) == [0, 1, 2] and all(len(frame.people) == 1 for frame in found.values())
    expected = {0: points[0], 1: points[3], 2: points[5]}
    for index, frame in found.items():
        np.testing.assert_array_equal(frame.people.points[0], expected[index])
    assert list(choose(pairs, 2)) == [0, 2]
    nobody = Frame("nobody", None, Keypoints2D(points[1:2], sure[1:2], "coco17"))
    assert choose([nobody], 3) == {}


def test_a_sheet_is_written_and_its_people_are_not_adapted_to(tmp_path: Path, capsys: pytest.CaptureFixture):
    found = [{"image_id": i, "category_id": 1, "score": 1.0, "keypoints": p.flatten().tolist()}
             for i, p in enumerate(people(FRAMES))]  # fmt: skip
    (tmp_path / "found.json").write_text(json.dumps(found))
    settings = adapt_config(tmp_path).model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "adapt.yaml").write_text(yaml.safe_dump(settings))
    sheet = tmp_path / "sheet.png"
    arguments = [str(tmp_path / "found.json"), "target.held_out=0.2", "target.image_size=[700, 700]"]
    assert main([*arguments, "-o", str(sheet), "--config", str(tmp_path / "adapt.yaml"), "--people", "2"]) == 0
    from PIL import Image

    assert np.asarray(Image.open(sheet)).std() > 10
    told = capsys.readouterr().out
    assert "adapted to 14 people" in told  # of 20, two are drawn and a fifth of the rest held out
