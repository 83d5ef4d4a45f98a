"""The sheet of the gap in pictures on a tiny backbone: its rows, and that they show what they are said to."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pictures import study

from pose2mesh.geometry.weak_perspective import FOCAL, SIDE
from pose2mesh.rendering import contact_sheet
from tools.studies.gap_picture import COLUMNS, _over, gap_picture, main
from tools.studies.gap_study import StudyConfig
from tools.studies.image_bench import ImageGapBench


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StudyConfig:
    return study(tmp_path_factory.mktemp("gap"))


def cells(sheet: np.ndarray) -> np.ndarray:
    """The pictures [rows, columns, 224, 224, 3] of a sheet, found as the sheet places numbered ones."""
    gap = contact_sheet([[np.zeros((SIDE, SIDE, 3), np.uint8)]]).shape[0] - SIDE  # above and below a picture
    step = SIDE + gap // 2
    rows, columns = ((size - gap // 2) // step for size in sheet.shape[:2])
    corners = [[(gap // 2 + step * y, gap // 2 + step * x) for x in range(columns)] for y in range(rows)]
    return np.stack([[sheet[y : y + SIDE, x : x + SIDE] for y, x in row] for row in corners])


def test_rows_show_the_test_part_its_bodies_and_two_textures(config: StudyConfig):
    source, found, photo, static = cells(gap_picture(config, None))
    bench = ImageGapBench(config.weights[0], config.gap, config.adapt, COLUMNS)
    np.testing.assert_array_equal(source, bench.test.target.images)
    for picture, with_body in zip(source, found, strict=True):
        assert 0.005 < (picture != with_body).any(-1).mean() < 0.7  # a body, not another picture
    assert not np.array_equal(photo, static) and not np.array_equal(photo, source)


def test_a_mesh_hides_what_lies_behind_it_and_nothing_else():
    picture = np.full((SIDE, SIDE, 3), 7, np.uint8)
    half, depth = 0.3, 2 * FOCAL / SIDE  # a square of 0.6 m where a half side of the picture is 1 m
    corners = np.array([[-half, -half, depth], [half, -half, depth], [half, half, depth], [-half, half, depth]])
    drawn = (_over(picture, corners, np.array([[0, 1, 2], [0, 2, 3]])) != 7).any(-1)
    rows, columns = (np.flatnonzero(drawn.any(axis)) for axis in (1, 0))
    edge = SIDE / 2 * (1 - half)  # pixels
    for hit in (rows, columns):
        assert abs(hit[0] - edge) <= 1 and abs(hit[-1] - (SIDE - edge)) <= 1
    assert drawn.sum() == len(rows) * len(columns)


def test_the_command_draws_another_backbone_below(config: StudyConfig, tmp_path: Path):
    path, out = tmp_path / "study.yaml", tmp_path / "out.png"
    path.write_text(config.model_dump_json())
    assert main(["--config", str(path), "-o", str(out), "--adapted", config.weights[0]]) == 0
    drawn = cells(np.asarray(Image.open(out)))
    assert len(drawn) == 5
    np.testing.assert_array_equal(drawn[1], drawn[2])  # the same weights find the same bodies
