"""Motions as films: over their video, or before a wall where none is known; every frame in its place."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.exporters import load_motion_file
from pose2mesh.rendering.shading import BACKGROUND
from pose2mesh.rendering.video import video_writer
from pose2mesh.synthesis.walk import IMAGE_SIZE, walking
from pose2mesh.viewer import motion_film

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'pose2mesh[video]'")

WALK = walking(load_anny_body(), 0.4, 15.0)


def frames(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def middle(image: np.ndarray, row: int) -> np.ndarray:
    """Color between the hips of a frame of the walk."""
    x, y = WALK.keypoints[row, 11:13, :2].mean(0).round().astype(int)
    return image[y, x]


def test_before_a_wall(tmp_path):
    motion = load_motion_file(WALK.save(tmp_path / "motion.npz"))
    seen = frames(motion.save(tmp_path / "walk.mp4"))
    assert len(seen) == len(WALK) and seen[0].shape[1::-1] == IMAGE_SIZE
    wall = np.rint(255 * np.array(BACKGROUND))
    for row, image in enumerate(seen):
        assert np.abs(image[5, 5] - wall).max() <= 4
        assert np.abs(middle(image, row) - wall).max() > 20


@pytest.mark.parametrize("factor", [30, -1])
def test_a_wall_has_a_sane_size_wherever_the_keypoints_are(tmp_path, factor):
    """Of keypoints alone the camera's picture is not known."""
    few, away = WALK.select(WALK.frame < 1), [0 if factor > 0 else -2000, 0]
    keypoints = few.keypoints * [abs(factor), abs(factor), 1] + [*away, 0]
    center = tuple(np.multiply(few.camera.center, abs(factor)) + away)
    camera = replace(few.camera, focal=few.camera.focal * abs(factor), center=center, image_size=None)
    (image,) = frames(replace(few, camera=camera, keypoints=keypoints).save(tmp_path / "walk.mp4"))
    assert 64 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 4096
    assert np.ptp(image, axis=(0, 1)).max() > 20


def test_over_its_video_frame_by_frame(tmp_path):
    """Frames without anybody stay as they are, and the others keep their places whichever is drawn first."""
    shades = [20 * i for i in range(len(WALK))]
    with video_writer(tmp_path / "source.mp4", WALK.fps) as video:
        for row, shade in enumerate(shades):
            video.add(np.full((*IMAGE_SIZE[::-1], 3), shade, np.uint8), float(WALK.time[row]))
    calls = []
    motion = replace(WALK.select(WALK.frame != 2), source=tmp_path / "source.mp4")
    motion_film(motion, tmp_path / "film.mp4", "solid", drawn=lambda: calls.append(1))
    seen = frames(tmp_path / "film.mp4")
    assert len(seen) == len(WALK) == len(calls)
    for row, (image, shade) in enumerate(zip(seen, shades, strict=True)):
        assert np.abs(image[5, 5] - shade).max() <= 4
        assert (np.abs(middle(image, row) - shade).max() > 20) == (row != 2)


def test_the_last_frame_of_a_gif_is_held(tmp_path):
    pictures = [Image.new("RGB", IMAGE_SIZE, (i, 0, 0)) for i in range(len(WALK))]
    durations = [60] * (len(WALK) - 1) + [3000]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=durations)
    motion_film(replace(WALK, source=tmp_path / "a.gif"), tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(sum(durations) / 1000, abs=0.1)


def test_without_a_camera_there_is_no_place(tmp_path):
    with pytest.raises(InputError, match="no camera"):
        replace(WALK, camera=None).save(tmp_path / "walk.mp4")
    assert list(tmp_path.iterdir()) == []
