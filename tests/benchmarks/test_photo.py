import json
import os

import numpy as np
import pytest
from PIL import Image

from pose2mesh.benchmarks import photo
from pose2mesh.cli.main import main
from pose2mesh.skeletons import COCO17
from pose2mesh.types import Keypoints2D


class _Finder:
    """One standing person in the middle of any picture."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        height, width = image.shape[:2]
        assert max(height, width) == photo.LONGEST_SIDE
        x = 0.5 + 0.06 * np.array([0, 0.3, -0.3, 0.5, -0.5] + [1, -1] * 6)
        y = np.array([0.15, 0.13, 0.13, 0.14, 0.14, 0.25, 0.25, 0.4, 0.4, 0.5, 0.5, 0.52, 0.52, 0.7, 0.7, 0.9, 0.9])
        points = np.stack([x * width, y * height], axis=-1)[None]
        return Keypoints2D(points.astype(np.float32), np.ones((1, 17), np.float32), COCO17.name, (width, height))


def test_every_stage_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(photo, "get_detector", lambda name, kind: _Finder())
    Image.new("RGB", (300, 400), (80, 90, 100)).save(tmp_path / "photo.png")
    command = ["benchmark", "photo", "--photo", str(tmp_path / "photo.png"), "--quick", "--json", str(tmp_path / "out")]
    assert main(command) == 0
    rows = {row["stage"]: row for row in json.loads((tmp_path / "out").read_text())["rows"]}
    assert set(rows) == {"detector", "network", "camera", "overlay", "side", "obj", "glb", "html", photo.TOTAL}
    for unit in ("ms", "cpu_ms"):
        parts = [rows[stage][unit] for stage in ("detector", "network", "camera", "overlay", "glb")]
        assert rows[photo.TOTAL][unit] == pytest.approx(sum(parts), abs=0.3)
        assert min(rows[stage][unit] for stage in ("overlay", "side", "obj")) > 1
    assert "| overlay |" in capsys.readouterr().out


def test_a_folder_is_told_by_the_number_of_people(tmp_path, monkeypatch, capsys):
    class Some(_Finder):
        """Nobody in the lower of the pictures."""

        def detect(self, image: np.ndarray) -> Keypoints2D:
            found = super().detect(image)
            return found.select(np.array([image.shape[0] > 600]))

    monkeypatch.setattr(photo, "get_detector", lambda name, kind: Some())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # so that what the command sets does not stay
    for i, size in enumerate([(300, 400), (400, 300), (400, 200)]):
        Image.new("RGB", size, (80, 90, 100)).save(tmp_path / f"{i}.png")
    command = [
        "benchmark",
        "photo",
        "--photo",
        str(tmp_path),
        "--quick",
        "--threads",
        "1",
        "--json",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0 and os.environ["OMP_NUM_THREADS"] == "1"
    rows = {row["people"]: row for row in json.loads((tmp_path / "out").read_text())["rows"]}
    assert {people: row["photos"] for people, row in rows.items()} == {0: 1, 1: 2}
    assert rows[0]["most_ms"] < rows[1]["least_ms"] <= rows[1]["median_ms"] <= rows[1]["most_ms"]
    assert "| 1 | 2 |" in capsys.readouterr().out


def test_a_photo_that_is_none_is_told(tmp_path, capsys):
    assert main(["benchmark", "photo", "--photo", str(tmp_path / "none.jpg")]) == 2
    assert "no such file" in capsys.readouterr().err
