"""Videos are written as they are meant: pictures, times, sound; nothing is left behind by a failure."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pose2mesh.errors import InputError
from pose2mesh.rendering.video import video_writer

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'pose2mesh[video]'")

TIMES = [0.0, 0.04, 0.1, 0.5, 0.52]


def picture(shade: int) -> np.ndarray:
    return np.full((97, 130, 3), shade, np.uint8)


def with_sound(path, codec="aac", rate=16000) -> None:
    with av.open(str(path.absolute()), "w") as container:
        sound = container.add_stream(codec, rate=rate, layout="mono")
        wave = (8000 * np.sin(np.arange(rate) * 0.2)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


@pytest.mark.parametrize(
    ("name", "codec"), [("sound.mp4", "aac"), ("12:30.mkv", "flac"), ("a.avi", "pcm_s16le"), ("a.mkv", "pcm_s16le")]
)
def test_pictures_times_and_sound(tmp_path, monkeypatch, name, codec):
    """Sounds that MP4 does not take as they are (cameras write PCM into AVI) are heard, whatever the file's name."""
    monkeypatch.chdir(tmp_path)
    with_sound(Path(name), codec)
    with video_writer(tmp_path / "a.mp4", 25.0, Path(name)) as video:
        for i, time in enumerate(TIMES):
            video.add(picture(40 * i), time)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = list(container.decode(video=0))
        assert [round(float(f.time), 3) for f in frames] == TIMES
        shades = [f.to_ndarray(format="rgb24").mean() for f in frames]
        np.testing.assert_allclose(shades, [0, 40, 80, 120, 160], atol=3)
        assert (frames[0].width, frames[0].height) == (130, 96)
    with av.open(str(tmp_path / "a.mp4")) as container:
        heard = [frame.to_ndarray() for frame in container.decode(audio=0)]
        assert sum(part.shape[1] for part in heard) >= 16000 and np.concatenate(heard, 1).std() > 0.1


@pytest.mark.parametrize(
    ("codec", "rate", "written"),
    [("pcm_s16le", rate, 48000) for rate in (4000, 7875, 11024, 192000)] + [("libmp3lame", 8000, 8000)],
)
def test_sounds_at_rates_that_mp4_does_not_take(tmp_path, codec, rate, written):
    with_sound(tmp_path / "a.mkv", codec, rate)
    with av.open(film_with_sound_of(tmp_path / "a.mkv")) as container:
        assert container.streams.audio[0].codec_context.sample_rate == written
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], 1)
        assert abs(heard.shape[1] / written - 1) < 0.05 and heard.std() > 0.1


@pytest.mark.parametrize("fault", ["unknown", "noise", "partly noise"])
def test_a_film_does_not_fail_for_its_sound(tmp_path, fault, caplog):
    source = tmp_path / "a.mkv"
    with_sound(source, "flac" if fault == "noise" else "mp2")
    content = source.read_bytes()
    if fault == "unknown":
        content = content.replace(b"A_MPEG/L2", b"A_NONE/L2")
    with av.open(source) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    for packet in packets[5:8] if fault == "partly noise" else packets:
        content = content if fault == "unknown" else content.replace(packet, b"\1" * len(packet))
    source.write_bytes(content)
    with av.open(film_with_sound_of(source)) as container:
        assert bool(container.streams.audio) == (fault == "partly noise")
        assert len(list(container.decode(video=0))) == 2
    [message] = [record.getMessage() for record in caplog.records]
    assert str(source) in message and "sound" in message


def film_with_sound_of(source: Path) -> str:
    with video_writer(source.with_name("film.mp4"), 25.0, source) as video:
        video.add(picture(0), 0.0)
        video.add(picture(100), 0.5)
    return str(source.with_name("film.mp4"))


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="another size"), video_writer(tmp_path / "a.mp4", 25.0) as video:
        video.add(picture(1), 0.0)
        video.add(picture(1)[:50], 0.1)
    with pytest.raises(InputError, match="without frames"), video_writer(tmp_path / "a.mp4", 25.0):
        pass
    assert not list(tmp_path.iterdir())


def test_rates_that_are_fractions(tmp_path):
    with video_writer(tmp_path / "a.mp4", 30000 / 1001) as video:
        for i in range(6):
            video.add(picture(0), i * 1001 / 30000)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == pytest.approx(Fraction(30000, 1001), rel=0.01)


def test_frames_that_are_held_for_hours(tmp_path):
    """MP4 takes none of more than a few hours, so that they are repeated; the last one as well."""
    with video_writer(tmp_path / "a.mp4", 25.0) as video:
        for i, time in enumerate([0.0, 0.04, 25200.0]):
            video.add(picture(80 * i), time)
        video.hold(25203.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        shown = [(float(f.time), f.to_ndarray(format="rgb24").mean()) for f in container.decode(video=0)]
        assert container.duration / 1e6 == pytest.approx(25203.0, abs=0.05)
    expected = [0.0, *(3600.0 * hour + 0.04 for hour in range(7)), 25200.0, 25202.96]
    np.testing.assert_allclose([time for time, _ in shown], expected, atol=0.01)
    np.testing.assert_allclose([shade for _, shade in shown], [0, *[80] * 7, 160, 160], atol=3)
    with pytest.raises(InputError, match="hours"), video_writer(tmp_path / "b.mp4", 25.0) as video:
        video.add(picture(0), 0.0)
        video.add(picture(0), 1e9)
