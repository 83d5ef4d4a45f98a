"""Pictures of every mode come back as the same upright RGB bytes; damaged and hostile ones end in one clear error."""

import base64
import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from pose2mesh.detectors.images import is_image, list_folder, read_image
from pose2mesh.errors import FormatError, InputError

RGB = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
GRAY = RGB[..., 0]
HEIC = (  # made with pillow-heif 1.8: Pillow cannot write it
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAGQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5j"
    "bHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAACAAAAABAAAAIAAAAAH////gAAAAAv///+AAAAACAAAAEHBp"
    "eGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAGxtZGF0AAAAYCgBrxOA5TORf/+htT/1HhP+wtDV/9xiKPzfcf/D"
    "wypQd+J3/ysg49jfHijtvV+tdLtCSc9VopM2SOzL8jGno4ijhPbIdX1jqHWkwdjgAvYfNMiJ+2AoAw1WkP7OfDmlLA=="
)


def save(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_rgb_and_gray(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path, Image.fromarray(RGB))), RGB)
    gray = read_image(save(tmp_path, Image.fromarray(GRAY)))
    np.testing.assert_array_equal(gray, np.stack([GRAY] * 3, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, Image.fromarray(RGB), exif=exif)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(picture)))


def test_transparency_becomes_white(tmp_path):
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:10] = 255
    found = read_image(save(tmp_path, Image.fromarray(np.dstack([RGB, alpha]))))
    np.testing.assert_array_equal(found[:10], RGB[:10])
    assert (found[10:] == 255).all()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_gray_of_fewer_bits_than_its_file_is_not_dark(tmp_path, bits):
    stored = (GRAY / 255 * (2**bits - 1)).round().astype(np.uint16)
    stored[0, 0] = 2**bits - 1
    found = read_image(save(tmp_path, Image.fromarray(stored)))[..., 1]
    assert abs(found.astype(int) - GRAY)[1:].max() <= 1


@pytest.mark.parametrize(
    "stored",
    [GRAY / np.float32(127.5) - 1, GRAY.astype(np.int32) << 22, GRAY.astype(np.int32) * 257 - 32768, GRAY * np.nan],
)
def test_gray_whose_range_nobody_knows_is_refused(tmp_path, stored):
    with pytest.raises(FormatError, match=r"a\.tif: its gray runs from .* to .*; save it with 8 or 16 bits"):
        read_image(save(tmp_path, Image.fromarray(stored.astype(stored.dtype.newbyteorder("="))), "a.tif"))


def test_gray_that_resampling_left_below_black_is_read(tmp_path):
    stored = np.where(GRAY < 1, -0.01, GRAY / 254).astype(np.float32)
    stored[0, 0] = 1
    found = read_image(save(tmp_path, Image.fromarray(stored), "a.tif"))[..., 0]
    assert abs(found.astype(int) - GRAY)[1:].max() <= 1


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_gray_of_which_white_is_zero_is_no_negative(tmp_path, kind):
    stored = (GRAY.astype(np.uint16) * 257) if kind is np.uint16 else (GRAY / 255).astype(kind)
    stored[0, 0] = 65535 if kind is np.uint16 else 1
    plain = read_image(save(tmp_path, Image.fromarray(stored), "a.tif"))
    content = bytearray((tmp_path / "a.tif").read_bytes())
    entry = content.index(struct.pack("<HHIH", 262, 3, 1, 1))
    content[entry + 8] = 0
    (tmp_path / "b.tif").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), 255 - plain)


def test_pages_that_are_not_read_are_told(tmp_path, caplog):
    pages = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    np.testing.assert_array_equal(read_image(save(tmp_path, pages[0], "a.tif")), RGB)
    assert not caplog.text
    found = read_image(save(tmp_path, pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    np.testing.assert_array_equal(found, RGB)
    assert "a.tif: only the first of its pages is read" in caplog.text


def test_a_tiff_of_other_pixels_is_not_called_no_picture(tmp_path):
    path = save(tmp_path, Image.fromarray(GRAY.astype(np.float32)), "a.tif")
    content = bytearray(path.read_bytes())
    content[content.index(struct.pack("<HHIH", 258, 3, 1, 32)) + 8] = 64  # bits
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.tif: a TIFF of pixels that are not read"):
        read_image(path)


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


def test_pictures_that_take_too_much_memory_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path, Image.fromarray(RGB))
    monkeypatch.setattr("pose2mesh.detectors.images.MOST_PIXELS", 500)
    with pytest.raises(InputError, match="megapixels"):
        read_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow raises above twice its limit
    with pytest.raises(InputError, match="scale it down"):
        read_image(path)


def test_large_jpegs_are_read_at_half_their_size(tmp_path, monkeypatch, caplog):
    """The decoder's halves are the means of the picture's squares of four; the orientation is that of the file."""
    smooth = np.linspace(0, 255, 33 * 60 * 3).reshape(33, 60, 3).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path, Image.fromarray(smooth), "a.jpg", quality=95, exif=exif)
    whole = read_image(path).astype(float)
    monkeypatch.setattr("pose2mesh.detectors.images.MOST_PIXELS", 1000)
    half = read_image(path)
    assert half.shape == (30, 17, 3) and "read at half its size" in caplog.text and "30x17" in caplog.text
    means = (
        whole[:, 1:].reshape(30, 2, 16, 2, 3).mean((1, 3))
    )  # the rows of the file were padded on what is now the left
    np.testing.assert_allclose(half[:, 1:], means, atol=6)
    monkeypatch.setattr("pose2mesh.detectors.images.MOST_PIXELS", 900)
    with pytest.raises(InputError, match="megapixels"):
        read_image(path)


READ = """
import resource, sys
from pose2mesh.detectors.images import read_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(read_image(sys.argv[1]).shape)
except Exception as error:
    print(type(error).__name__)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def black_png(path, side):
    """A black square of few bytes: its rows are deflated from one row at a time."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(side)) + packer.flush()
    chunks = [(b"IHDR", side.to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))), (b"IDAT", rows), (b"IEND", b"")]
    parts = [len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize(("side", "answer"), [(7900, "(7900, 7900, 3)"), (9400, "InputError")])
def test_large_pictures_take_bounded_memory(tmp_path, side, answer):
    path = black_png(tmp_path / "a.png", side)
    assert path.stat().st_size < 1e6
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, timeout=60, check=True)
    shape, megabytes = done.stdout.splitlines()
    assert shape == answer and float(megabytes) < 800


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.heic", "a.tif"])
def test_content_does_not_choose_a_decoder_that_runs_programs(tmp_path, name, monkeypatch):
    pytest.importorskip("pi_heif", reason="pi-heif is not installed")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("Ghostscript was called"))
    (tmp_path / name).write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(FormatError, match="not a picture"):
        read_image(tmp_path / name)


def test_a_wrong_suffix_within_the_family_is_read(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), RGB)


def test_avif_and_jfif(tmp_path):
    flat = np.full((32, 48, 3), (200, 100, 50), np.uint8)
    for name, kind in (("a.avif", "AVIF"), ("a.jfif", "JPEG")):
        Image.fromarray(flat).save(tmp_path / name, kind)
        assert is_image(tmp_path / name)
        np.testing.assert_allclose(read_image(tmp_path / name), flat, atol=4)


def test_heic(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(base64.b64decode(HEIC))
    with monkeypatch.context() as patched:
        patched.setattr("pose2mesh.detectors.images.find_spec", lambda name: None)
        with pytest.raises(InputError, match=r"pip install 'pose2mesh\[heif\]'"):
            read_image(tmp_path / "a.heic")
    pytest.importorskip("pi_heif", reason="pi-heif is not installed")
    found = read_image(tmp_path / "a.heic")  # left half red, right half blue
    assert found.shape == (32, 32, 3)
    np.testing.assert_allclose(found[:, [4, 28]].mean(axis=0), [(200, 40, 40), (40, 40, 200)], atol=8)


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
    (tmp_path / "c.png").symlink_to(tmp_path / "gone")  # which who reads it will tell
    (tmp_path / "d.png").mkdir()
    assert [p.name for p in list_folder(tmp_path)] == ["a.jpg", "b.PNG", "c.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        list_folder(tmp_path / "empty")


def mutated(content, draw):
    """The content cut, with bytes changed, a part taken out or doubled."""
    content = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place, length = draw.randrange(len(content)), draw.randrange(1, 40)
        kind = draw.randrange(5)
        if kind == 0:
            del content[max(place, 8) :]
        elif kind == 1:
            del content[place : place + length]
        elif kind == 2:
            content[place:place] = content[place : place + length]
        else:
            content[place] = draw.choice((0, 255, draw.randrange(256)))
        if not content:
            break
    return bytes(content)


def check_mutated_pictures(tmp_path, count):
    """Whatever happens to a file, it is a picture of plausible size or an error of ours."""
    names = ("a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif", "a.ppm", "a.avif")
    contents = [save(tmp_path, Image.fromarray(np.tile(RGB, (2, 2, 1))), name).read_bytes() for name in names]
    draw = random.Random(0)
    for i in range(count):
        path = tmp_path / f"mutated{names[i % len(names)][1:]}"
        path.write_bytes(mutated(contents[i % len(names)], draw))
        try:
            image = read_image(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and min(image.shape) > 0


def test_mutated_pictures(tmp_path):
    check_mutated_pictures(tmp_path, 400)


@pytest.mark.slow
def test_ten_thousand_mutated_pictures(tmp_path):
    check_mutated_pictures(tmp_path, 10_000)
