import numpy as np
import pytest
import trimesh

from pose2mesh.errors import InputError
from pose2mesh.rendering import contact_sheet, photo_row
from pose2mesh.types import Camera, Person

BALL = trimesh.creation.icosphere(subdivisions=2, radius=0.3)


def test_rows_and_columns_hold_every_picture_whole():
    images = [np.full((20 + i, 30 - i, 3), 40 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet([images[:2], images[2:4], images[4:]])
    centers = []
    for i, image in enumerate(images):
        hits = np.argwhere((sheet == 40 * i).all(axis=-1))
        assert len(hits) == image.shape[0] * image.shape[1]
        centers.append(hits.mean(axis=0))
    rows, columns = np.array(centers).T
    assert rows[0] == pytest.approx(rows[1], abs=1)
    assert rows[1] < rows[2] < rows[4]
    assert columns[0] == pytest.approx(columns[2], abs=1)
    assert columns[0] < columns[1]


def test_a_title_stands_over_its_row():
    black = np.zeros((40, 60, 3), np.uint8)
    plain, titled = contact_sheet([[black], [black]]), contact_sheet([[black], [black]], ["first", "second"])
    assert titled.shape[1] == plain.shape[1]
    first = int(np.flatnonzero((titled == 0).all(axis=(-1))[:, 30])[0])  # the row's first line of pixels
    assert (titled[:first] < 120).any()  # ink over it


@pytest.mark.parametrize(("rows", "titles"), [([], []), ([[]], []), ([[np.zeros((4, 4, 3), np.uint8)]], ["a", "b"])])
def test_sheets_without_pictures_or_with_other_titles_are_refused(rows, titles):
    with pytest.raises(InputError, match="contact sheet"):
        contact_sheet(rows, titles)


def test_a_photo_row_shows_the_body_where_the_photo_has_it():
    image = np.zeros((400, 600, 3), np.uint8)
    camera = Camera(800.0, (300.0, 200.0), np.array([0.5, 0, 3.0]), (600, 400))
    keypoints = np.tile(np.array([[433.0, 200, 1]], np.float32), (17, 1))
    person = Person(BALL.vertices, BALL.faces, np.zeros((1, 3)), ("pelvis",), keypoints, camera)
    skeletons, overlay, side = photo_row(image, [person, person], height=100)
    assert {picture.shape[0] for picture in (skeletons, overlay, side)} == {100}
    for picture in (skeletons, overlay):  # 433 of 600 pixels to the right: 108 of 150
        assert np.argwhere(picture.any(-1)).mean(0) == pytest.approx((50, 108), abs=1)
    assert side.shape[1] == 2 * 50
    assert [picture.shape for picture in photo_row(image, [], height=100)] == [(100, 150, 3)]
