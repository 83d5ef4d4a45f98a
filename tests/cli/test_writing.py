"""Pictures of one result agree with one another."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image

from pose2mesh.cli.writing import write_frame, write_side_view
from pose2mesh.types import Camera, Person


def ball(track=None) -> Person:
    mesh = trimesh.creation.icosphere(2)
    keypoints = np.ones((1, 3), np.float32)
    vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
    return Person(vertices, faces, np.zeros((1, 3), np.float32), ("nose",), keypoints, track=track)


@pytest.mark.parametrize(
    ("index", "track", "is_blue"), [(0, None, True), (1, None, False), (1, 1, True), (0, 2, False)]
)
def test_a_side_view_has_the_tint_of_its_person_on_the_overlay(tmp_path, index, track, is_blue):
    """The first two tints are blue and amber; numbers over time go before places in the list."""
    write_side_view(tmp_path / "side.png", ball(track), index)
    side = np.asarray(Image.open(tmp_path / "side.png")).astype(int)
    body = side[np.ptp(side, axis=-1) > 30]  # [N, 3] what is no gray
    assert len(body) > 1000
    assert ((body[:, 2] > body[:, 0]) == is_blue).all()


@pytest.mark.parametrize(("size", "written"), [((5760, 4320), (4096, 3072)), ((40, 30), (85, 64))])
def test_overlays_without_a_photo_are_written_whatever_their_size(tmp_path, size, written):
    camera = Camera(max(size), (size[0] / 2, size[1] / 2), np.array([0, 0, 5.0]), size)
    write_frame(tmp_path, "a", None, [replace(ball(), camera=camera)], ("png",))
    picture = np.asarray(Image.open(tmp_path / "a_overlay.png"))
    assert picture.shape[1::-1] == written
    assert (picture[written[1] // 2, written[0] // 2] < 255).any() and (picture[:2] == 255).all()
