"""Pictures of every mode come back as the same upright RGB bytes."""

import numpy as np
import pytest
from PIL import Image

from pose2mesh.detectors.images import list_folder, read_image, read_video
from pose2mesh.errors import FormatError, InputError

RGB = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
GRAY = RGB[..., 0]


def save(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_rgb_and_gray(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path, Image.fromarray(RGB))), RGB)
    gray = read_image(save(tmp_path, Image.fromarray(GRAY)))
    np.testing.assert_array_equal(gray, np.stack([GRAY] * 3, -1))


@pytest.mark.parametrize(
    ("orientation", "upright"), [(3, np.rot90(RGB, 2)), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB, 1))]
)
def test_exif_orientation(tmp_path, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read_image(save(tmp_path, Image.fromarray(RGB), exif=exif)), upright)


def test_transparency_becomes_white(tmp_path):
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:10] = 255
    found = read_image(save(tmp_path, Image.fromarray(np.dstack([RGB, alpha]))))
    np.testing.assert_array_equal(found[:10], RGB[:10])
    assert (found[10:] == 255).all()


def test_16_bit_palette_and_cmyk(tmp_path):
    found = read_image(save(tmp_path, Image.fromarray(GRAY.astype(np.uint16) * 257)))
    np.testing.assert_array_equal(found[..., 1], GRAY)
    palette = Image.fromarray(RGB).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(read_image(save(tmp_path, palette)), expected)
    cmyk = Image.fromarray(RGB).convert("CMYK")
    np.testing.assert_array_equal(read_image(save(tmp_path, cmyk, "a.tif")), np.asarray(cmyk.convert("RGB")))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif"])
def test_truncated_empty_and_foreign_files(tmp_path, name):
    path = save(tmp_path, Image.fromarray(np.tile(RGB, (8, 8, 1))), name)
    content = path.read_bytes()
    for part in (0, 0.01, 0.3, 0.6):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(FormatError, match=name):
            read_image(path)
    path.write_bytes(b"this is no picture")
    with pytest.raises(FormatError, match="not a picture"):
        read_image(path)


def test_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path, Image.fromarray(RGB))
    for limit in (500, 100):  # Pillow warns above its limit and raises above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match="megapixels"):
            read_image(path)


def test_missing_and_tiny_pictures(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "no.png")
    with pytest.raises(InputError, match="3x20"):
        read_image(save(tmp_path, Image.fromarray(RGB[:, :3])))


def test_folder_lists_one_kind_in_order(tmp_path):
    for name in ("b.json", ".hidden.png", "notes.txt", "clip.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in list_folder(tmp_path)] == ["clip.mp4"]
    for name in ("b.PNG", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in list_folder(tmp_path)] == ["a.jpg", "b.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        list_folder(tmp_path / "empty")


def test_video_without_a_decoder_names_the_package(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'imageio\[ffmpeg\]'"):
        list(read_video(tmp_path / "a.mp4"))


def test_video_frames(tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="imageio[ffmpeg] is not installed")
    import imageio.v3 as imageio

    frames = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (40, 120, 200)])
    imageio.imwrite(tmp_path / "a.mp4", frames, plugin="FFMPEG", fps=10)
    found = list(read_video(tmp_path / "a.mp4"))
    assert len(found) == 3
    np.testing.assert_allclose([f.mean() for f in found], [40, 120, 200], atol=4)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(FormatError, match=r"b\.mp4"):
        list(read_video(tmp_path / "b.mp4"))
