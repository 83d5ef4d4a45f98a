"""Frames of videos: the file's own, with its numbers and times, upright, with square pixels; hostile ones refused."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from pose2mesh.detectors.images import is_image
from pose2mesh.detectors.sources import Entry, chunks
from pose2mesh.detectors.video_files import is_video, read_video, video_info
from pose2mesh.errors import FormatError, InputError
from pose2mesh.pipeline import Frame

av = pytest.importorskip("av", reason="PyAV is not installed (extra video)")
GRAYS = (40, 80, 120, 160, 200)
TIMES = (0, 1, 2, 22, 23)  # tenths of a second


def write_video(path, images, times=None, codec="mpeg4", pixel_shape=None, b_frames=0):
    """Images [H, W, 3] shown from `times` in tenths of a second, at a regular 10 a second by default."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        stream.time_base = stream.codec_context.time_base = Fraction(1, 10)
        if pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        for i, image in zip(times or range(len(images)), images, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def gray_frames(grays=GRAYS, height=64, width=64):
    return [np.full((height, width, 3), gray, np.uint8) for gray in grays]


def half_black(height=64, width=64):
    """The left half black, the right one white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    return image


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_frames_of_every_container(tmp_path, suffix):
    path = write_video(tmp_path / f"a{suffix}", gray_frames())
    found = list(read_video(path))
    assert [frame.index for frame in found] == list(range(5))
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(5) / 10, atol=1e-3)
    np.testing.assert_allclose([frame.image.mean() for frame in found], GRAYS, atol=4)
    info = video_info(path)
    assert info.fps == pytest.approx(10) and info.num_frames in (5, None) and not info.has_audio


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_that_are_stored_in_another_order(tmp_path, suffix, codec):
    """AVI tells when a frame is decoded, not when it is shown."""
    grays = tuple(range(20, 240, 10))
    path = write_video(tmp_path / f"a{suffix}", gray_frames(grays), codec=codec, b_frames=3)
    found = list(read_video(path))
    assert [frame.index for frame in found] == list(range(len(grays)))
    np.testing.assert_allclose([frame.image.mean() for frame in found], grays, atol=4)
    times = np.array([frame.time_s for frame in found])
    np.testing.assert_allclose(times - times[0], np.arange(len(grays)) / 10, atol=1e-3)


def test_a_variable_rate_doubles_no_frame(tmp_path):
    found = list(read_video(write_video(tmp_path / "a.mp4", gray_frames(), TIMES)))
    np.testing.assert_allclose([frame.time_s for frame in found], np.array(TIMES) / 10, atol=1e-3)
    np.testing.assert_allclose([frame.image.mean() for frame in found], GRAYS, atol=4)


def test_pixels_that_are_not_square(tmp_path):
    path = write_video(tmp_path / "a.mp4", [half_black()] * 2, pixel_shape=Fraction(2, 1))
    image = next(read_video(path)).image
    assert image.shape == (64, 128, 3)
    assert image[:, :60].mean() < 10 and image[:, 68:].mean() > 245


SIGNS = [(x, y) for x in (1, -1) for y in (1, -1)]


@pytest.mark.parametrize("matrix", [*((x, 0, 0, y) for x, y in SIGNS), *((0, x, y, 0) for x, y in SIGNS)])
def test_turned_and_mirrored_recordings(tmp_path, matrix):
    quarters = [(-1, -1, 40), (1, -1, 100), (-1, 1, 160), (1, 1, 220)]  # x, y from the middle, gray
    picture = np.zeros((48, 64, 3), np.uint8)
    for x, y, gray in quarters:
        picture[24 * (y > 0) :, 32 * (x > 0) :] = gray
    path = write_video(tmp_path / "a.mp4", [picture] * 2)
    plain, turned = (np.array(_matrix(*m), ">i4").tobytes() for m in ((1, 0, 0, 1), matrix))
    content = path.read_bytes()
    place = content.index(plain, content.index(b"tkhd"))
    path.write_bytes(content[:place] + turned + content[place + 36 :])
    image = next(read_video(path)).image
    assert image.shape == ((48, 64, 3) if matrix[0] else (64, 48, 3))
    a, b, c, d = matrix
    for x, y, gray in quarters:  # where the matrix takes the quarter's middle
        to_x, to_y = a * x + c * y, b * x + d * y
        row, column = (round(side * (2 + to) / 4) for side, to in zip(image.shape, (to_y, to_x), strict=False))
        assert abs(image[row - 4 : row + 4, column - 4 : column + 4].mean() - gray) < 4


def _matrix(a, b, c, d):
    """The display matrix of MP4 in its fixed-point numbers."""
    return [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_video_says_what_was_lost(tmp_path, suffix, caplog):
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3)).astype(np.uint8)
    path = write_video(tmp_path / f"a{suffix}", list(noise))
    content = path.read_bytes()
    if suffix == ".mp4":  # the table of frames is at the end: put it at the beginning, as for the network
        with av.open(path) as source, av.open(tmp_path / "b.mp4", "w", options={"movflags": "faststart"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        path = tmp_path / "b.mp4"
        content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    found = list(read_video(path))
    assert 20 < len(found) < 40 and [frame.index for frame in found] == list(range(len(found)))
    [message] = [record.getMessage() for record in caplog.records]
    lost = f"{50 - len(found)} of 50 frames" if suffix == ".mp4" else f"{len(found)} frames were read"
    assert f"{path}: {lost}" in message


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.avi", "mjpeg")]
)
def test_a_video_with_wrong_bytes_says_so(tmp_path, name, codec, caplog):
    """Its decoder would show something else without a word; of some bytes nobody can tell."""
    noise = np.random.default_rng(0).integers(0, 255, (10, 64, 64, 3)).astype(np.uint8)
    path, told = write_video(tmp_path / name, list(noise), codec=codec), 0
    assert len(list(read_video(path))) == 10 and not caplog.records
    with av.open(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    content = path.read_bytes()
    for seed in range(12):
        damaged, rng = bytearray(content), np.random.default_rng(seed)
        for packet in rng.choice(np.array(packets, object), 3, replace=False):
            damaged[content.index(packet) + int(rng.integers(len(packet)))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        caplog.clear()
        list(read_video(path))
        told += len(caplog.records)
    assert told >= 8


def test_frames_that_an_edit_list_hides_are_not_lost(tmp_path, caplog):
    """Phones trim so: the first second stays in the file, for the frames that are shown refer to it."""
    content = bytearray(write_video(tmp_path / "a.mp4", gray_frames(range(20, 220, 10)), codec="libx264").read_bytes())
    with av.open(tmp_path / "a.mp4") as container:
        scale = round(1 / container.streams.video[0].time_base)
    place = content.index(b"elst") + 12  # of the only edit: duration, first time
    duration, start = (int.from_bytes(content[i : i + 4], "big") for i in (place, place + 4))
    content[place : place + 8] = (duration - 500).to_bytes(4, "big") + (start + scale // 2).to_bytes(4, "big")
    path = tmp_path / "b.mp4"
    path.write_bytes(content)
    assert len(list(read_video(path))) == 15 == video_info(path).num_frames and not caplog.records


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_held_frames_of_avi_are_not_lost(tmp_path, codec, caplog):
    path = write_video(tmp_path / "a.avi", gray_frames(), TIMES, codec)
    assert len(list(read_video(path))) == 5 and not caplog.records
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"idx1") - 100])
    list(read_video(path))
    assert "cut" in caplog.text


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "mpeg4"), (".webm", "libvpx")])
@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("times", [None, (*range(45), *range(60, 65))])
def test_each_frame_that_is_cut_off_is_told(tmp_path, suffix, codec, tagged, times, caplog):
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3)).astype(np.uint8)
    content = write_video(tmp_path / f"a{suffix}", list(noise), times, codec).read_bytes()
    if not tagged:  # the header alone tells the duration then
        content = content.replace(b"DURATION", b"REMARKED")
    cut = tmp_path / f"b{suffix}"
    cut.write_bytes(content)
    assert len(list(read_video(cut))) == 50 and not caplog.records
    while (size := len(list(read_video(cut)))) > 44:
        assert bool(caplog.records) == (size < 50)
        caplog.clear()
        content = content[:-700]
        cut.write_bytes(content)


def test_sound_that_goes_on_is_no_cut(tmp_path, caplog):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as container:
        picture, sound = container.add_stream("mpeg4", rate=10), container.add_stream("pcm_s16le", rate=8000)
        picture.height = picture.width = 64
        picture.pix_fmt = "yuv420p"
        for image in gray_frames():
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 11200), np.int16), format="s16", layout="mono")  # 1.4 s
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux([*picture.encode(), *sound.encode()])
    for content in (path.read_bytes(), path.read_bytes().replace(b"DURATION", b"REMARKED")):
        path.write_bytes(content)
        assert len(list(read_video(path))) == 5 and not caplog.records


def test_what_is_no_video(tmp_path):
    write_video(tmp_path / "a.mp4", gray_frames())
    (tmp_path / "list.avi").write_text("ffconcat version 1.0\nfile a.mp4\n")  # would open the neighbour
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    (tmp_path / "empty.mkv").touch()
    for name in ("list.avi", "list.mp4", "b.mp4", "empty.mkv"):
        with pytest.raises(FormatError, match=name):
            list(read_video(tmp_path / name))
    with pytest.raises(InputError, match="no such file"):
        list(read_video(tmp_path / "none.mp4"))


def test_a_codec_that_nobody_knows(tmp_path):
    path = write_video(tmp_path / "a.mp4", gray_frames(), codec="libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    for read in (video_info, lambda path: list(read_video(path))):
        with pytest.raises(FormatError, match=r"a\.mp4: FFmpeg does not know the codec"):
            read(path)


def test_a_name_is_never_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_video(tmp_path / "a.mp4", gray_frames()).rename(tmp_path / "concat:a.mp4")
    assert len(list(read_video(path.relative_to(tmp_path)))) == 5


def test_without_a_decoder_the_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    monkeypatch.setattr("pose2mesh.detectors.video_files.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'pose2mesh\[video\]'"):
        list(read_video(tmp_path / "a.mp4"))


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", gray_frames())
    monkeypatch.setattr("pose2mesh.detectors.images.MOST_PIXELS", 64 * 63)
    with pytest.raises(InputError, match="megapixels"):
        next(read_video(path))


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_pictures_that_move_are_sequences(tmp_path, name):
    frames = [Image.fromarray(image) for image in gray_frames()]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=50)
    assert is_video(tmp_path / name) and not is_image(tmp_path / name)
    found = list(read_video(tmp_path / name))
    np.testing.assert_allclose([frame.image.mean() for frame in found], GRAYS, atol=4)
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(5) * 0.05, atol=1e-6)
    assert video_info(tmp_path / name).fps == pytest.approx(20) and video_info(tmp_path / name).num_frames == 5
    frames[0].save(tmp_path / name)
    assert is_image(tmp_path / name) and not is_video(tmp_path / name)


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_pictures_that_move_are_turned_as_their_tag_says(tmp_path, name):
    upright = [Image.fromarray(frame) for frame in gray_frames(height=40, width=60)]
    for picture in upright:
        picture.paste((255, 0, 0), (0, 0, 20, 10))
    lying = [picture.transpose(Image.Transpose.ROTATE_90) for picture in upright]
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if name == "a.webp" else {}
    lying[0].save(tmp_path / name, save_all=True, append_images=lying[1:], duration=100, exif=exif, **options)
    for frame, picture in zip(read_video(tmp_path / name), upright, strict=True):
        np.testing.assert_array_equal(frame.image, np.asarray(picture))


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_a_picture_that_is_held_moves_at_the_rate_of_the_others(tmp_path, name):
    frames = [Image.fromarray(frame) for frame in gray_frames()]
    durations = [1000, 40, 40, 40, 3000]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=durations)
    assert video_info(tmp_path / name).fps == pytest.approx(25)


def test_chunks_are_bounded_by_the_bytes_of_their_pictures():
    image = np.broadcast_to(np.uint8(0), (4096, 4096, 3))  # 48 MiB, were it memory
    frame = Frame("a", range(0))
    found = chunks((Entry(image, frame) for _ in range(10)), 64)
    assert [len(chunk) for chunk in found] == [3, 3, 3, 1]
