"""The focal length in a picture's EXIF, against the definition of its 35 mm equivalent."""

import numpy as np
import pytest
from PIL import Image

from pose2mesh.detectors.intrinsics import exif_focal

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
