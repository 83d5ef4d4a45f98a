"""The focal length in a picture's EXIF, against the definition of its 35 mm equivalent."""

import numpy as np
import pytest
from PIL import Image

from pose2mesh.detectors.intrinsics import exif_focal
from pose2mesh.detectors.sources import camera_of_frames

SHAPE = (480, 640, 3)


def picture(path, value, tag=0xA405):
    exif = Image.Exif()
    if value is not None:
        exif[0x8769] = {tag: value}
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_an_equivalent_focal_length_keeps_the_field_of_view(tmp_path, suffix):
    found = exif_focal(picture(tmp_path / f"a.{suffix}", 28), SHAPE)
    assert found.center is None
    view = 2 * np.arctan(np.hypot(640, 480) / 2 / found.focal)  # the diagonal's, of the picture and of the film
    assert view == pytest.approx(2 * np.arctan(np.hypot(36, 24) / 2 / 28))
    assert np.degrees(view) == pytest.approx(75.4, abs=0.1)  # what lens makers print for 28 mm


@pytest.mark.parametrize("value", [None, 0, 1, 9999])
def test_no_or_an_impossible_value_tells_nothing(tmp_path, value):
    assert exif_focal(picture(tmp_path / "a.jpg", value), SHAPE) is None


def test_another_tag_and_a_damaged_one_tell_nothing(tmp_path):
    assert exif_focal(picture(tmp_path / "a.jpg", 28, tag=0xA217), SHAPE) is None
    content = picture(tmp_path / "b.jpg", 28).read_bytes()
    at = content.index(b"Exif\0\0") + 6
    (tmp_path / "b.jpg").write_bytes(content[:at] + b"\xff" * 24 + content[at + 24 :])
    assert exif_focal(tmp_path / "b.jpg", SHAPE) is None


def test_numbered_frames_have_the_camera_of_their_first(tmp_path):
    for i in range(10):
        picture(tmp_path / f"shot_{i:02d}.jpg", 28 if i == 0 else 80)
    assert camera_of_frames(tmp_path) == exif_focal(tmp_path / "shot_00.jpg", SHAPE)
    assert camera_of_frames(tmp_path / "shot_00.jpg") is None
    (tmp_path / "shot_05.jpg").unlink()  # photos, not frames
    assert camera_of_frames(tmp_path) is None
