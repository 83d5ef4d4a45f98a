from dataclasses import replace

import numpy as np
import pytest
import trimesh

from pose2mesh.errors import InputError
from pose2mesh.rendering import OVERLAYS, render_overlay, render_views
from pose2mesh.rendering.shading import BACKGROUND, TINTS, shade
from pose2mesh.types import Camera, Person

SIZE = (200, 150)
SPHERE = trimesh.creation.icosphere(subdivisions=3, radius=0.3)


def _person(translation=(0.0, 0.0, 3.0), vertices=None, image_size=SIZE, faces=None) -> Person:
    vertices = np.asarray(SPHERE.vertices if vertices is None else vertices, np.float32)
    camera = Camera(300.0, (100.0, 75.0), np.array(translation), image_size)
    faces = np.asarray(SPHERE.faces if faces is None else faces, np.int32)
    return Person(vertices, faces, np.zeros((1, 3)), ("pelvis",), np.ones((1, 3)), camera)


def _photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def _silhouette(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that a sphere of 0.3 m surely covers and surely does not touch, by its analytic outline."""
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5 - 100, np.arange(SIZE[1]) + 0.5 - 75)
    rays = np.stack([x / 300, y / 300, np.ones_like(x)], axis=-1)
    center = person.camera.translation
    foot = center - rays * ((rays @ center) / (rays**2).sum(-1))[..., None]
    distance = np.linalg.norm(foot, axis=-1)  # of the ray from the sphere's center; a pixel is 10 mm wide here
    return distance < 0.28, distance > 0.32


def test_photo_is_untouched_outside_and_covered_inside():
    person, photo = _person((0.2, -0.1, 3.0)), _photo()
    before = photo.copy()
    picture = render_overlay(photo, [person], "solid")
    inside, outside = _silhouette(person)
    np.testing.assert_array_equal(photo, before)
    assert picture[outside].tobytes() == photo[outside].tobytes()
    black = render_overlay(np.zeros_like(photo), [person], "solid")
    np.testing.assert_array_equal(picture[inside], black[inside])


def test_the_tints_are_told_apart_and_the_nearer_person_is_in_front():
    near, far = _person((0.1, 0, 2.5)), _person((-0.1, 0, 3.5))
    covered, _ = _silhouette(near)
    x, y = near.camera.project(np.zeros(3)).astype(int)
    for index, people in enumerate(([near, far], [far, near])):
        picture = render_overlay(_photo(), people, "solid")
        lit = shade(np.array([[0, 0, -1.0]], np.float32), TINTS[index])[0]
        assert np.abs(picture[y, x].astype(int) - lit).max() < 8
        far_away = [person if person is near else _person((0, 0, -9.0)) for person in people]
        np.testing.assert_array_equal(picture[covered], render_overlay(_photo(), far_away, "solid")[covered])


def test_outlines_are_smoothed():
    white = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    black = np.zeros_like(white)
    person = _person()
    difference = render_overlay(white, [person], "solid").astype(int) - render_overlay(black, [person], "solid")
    shares = np.unique(difference[..., 0])  # how much of the photo shines through
    np.testing.assert_allclose(shares, [0, 63.75, 127.5, 191.25, 255], atol=1)  # quarters


def test_blend_lets_the_photo_through_and_beside_keeps_it():
    photo, person = _photo(), _person()
    solid, blend, beside = (render_overlay(photo, [person], style) for style in ("solid", "blend", "beside"))
    np.testing.assert_allclose(blend, 0.75 * solid.astype(float) + 0.25 * photo, atol=2)
    np.testing.assert_array_equal(beside, np.concatenate([photo, solid], axis=1))
    assert set(OVERLAYS) == {"solid", "blend", "beside"}


def test_a_close_up_is_as_round_as_a_figure():
    """Bodies whose windows hold many pixels are drawn smaller; the enlarged outline stays where it is."""
    photo = np.zeros((1500, 2000, 3), np.uint8)
    camera = Camera(3000.0, (1000.0, 750.0), np.array([0, 0, 3.0]), (2000, 1500))
    picture = render_overlay(photo, [replace(_person(), camera=camera)], "solid")
    x, y = np.meshgrid(np.arange(2000) - 999.5, np.arange(1500) - 749.5)
    radius = 3000 * np.tan(np.arcsin(0.3 / 3))  # pixels of the sphere's outline; its facets lie up to 1 % inside
    assert picture[np.hypot(x, y) < 0.98 * radius].any(axis=-1).all()
    assert not picture[np.hypot(x, y) > 1.01 * radius].any()


def test_unseen_limbs_are_faded():
    photo = _photo()
    joints = np.array([[-0.3, 0, 0], [0.3, 0, 0]], np.float32)
    person = replace(_person(), joints=joints, joint_names=("left", "right"))
    solid = render_overlay(photo, [person], "solid").astype(float)
    object.__setattr__(person, "seen", np.array([False, True]))
    faded = render_overlay(photo, [person], "solid")
    x, y = person.camera.project(joints * 0.8).astype(int).T
    np.testing.assert_allclose(faded[y[1], x[1]], solid[y[1], x[1]], atol=3)  # the seen half
    np.testing.assert_allclose(faded[y[0], x[0]], 0.35 * solid[y[0], x[0]] + 0.65 * photo[y[0], x[0]], atol=6)


@pytest.mark.parametrize("translation", [(0, 0, -3.0), (30.0, 0, 3.0), (0, -30.0, 3.0)])
def test_people_out_of_sight_leave_the_photo_as_it_is(translation):
    photo = _photo()
    np.testing.assert_array_equal(render_overlay(photo, [_person(translation)]), photo)
    np.testing.assert_array_equal(render_overlay(photo, []), photo)


def test_a_person_at_the_border_is_drawn_in_part():
    picture = render_overlay(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), [_person((1.0, 0.7, 3.0))])
    assert picture[-1, -1].any()
    assert not picture[:75].any()


def test_overlay_refuses_what_it_cannot_place():
    photo, person = _photo(), _person()
    with pytest.raises(InputError, match=r"people\[1\] has no camera"):
        render_overlay(photo, [person, replace(person, camera=None)])
    with pytest.raises(InputError, match="640x480"):
        render_overlay(photo, [_person(image_size=(640, 480))])
    with pytest.raises(InputError, match="uint8"):
        render_overlay(photo.astype(np.float32), [person])
    with pytest.raises(InputError, match="uint8"):
        render_overlay(photo[..., 0], [person])
    with pytest.raises(InputError, match="blend, solid, beside"):
        render_overlay(photo, [person], "opaque")


def _body(picture: np.ndarray) -> np.ndarray:
    """[H, W] where neither the background nor the ground's line is."""
    background = np.rint(255 * np.array(BACKGROUND)).astype(np.uint8)
    line = picture[:, 0][(picture[:, 0] != background).any(axis=-1)][0]
    return (picture != background).any(axis=-1) & (picture != line).any(axis=-1)


def test_side_view_shows_the_depth_centered_and_whole():
    box = trimesh.creation.box((0.4, 1.6, 0.8))  # x, y (height), z (depth)
    person = _person(vertices=box.vertices + np.array([1, 2, 3]), faces=box.faces)
    rows, columns = np.nonzero(_body(render_views(person, (90.0,), (300, 400))))
    top, bottom, left, right = rows.min(), 399 - rows.max(), columns.min(), 299 - columns.max()
    assert abs(top - bottom) <= 2
    assert abs(left - right) <= 1
    width, height = 300 - left - right, 400 - top - bottom
    assert width / height == pytest.approx(0.8 / 1.6, rel=0.02)  # the depth, not the width
    assert height == pytest.approx(400 - 2 * 0.08 * 300, abs=4)


def test_views_share_scale_and_ground():
    box = trimesh.creation.box((0.4, 0.5, 0.8))
    picture = render_views(_person(vertices=box.vertices, faces=box.faces), (0.0, 45.0, 90.0), (200, 200))
    parts = [np.nonzero(_body(part)) for part in np.split(picture, 3, axis=1)]
    widths, heights = ([np.ptp(ends[axis]) + 1 for ends in parts] for axis in (1, 0))
    assert widths[2] / widths[0] == pytest.approx(2, rel=0.05)
    assert widths[1] / widths[2] == pytest.approx((0.4 + 0.8) / 2**0.5 / 0.8, rel=0.05)
    assert np.ptp(heights) <= 3  # the near edge of a turned box looks a little larger
    line = np.flatnonzero((picture[:, 0] != picture[0, 0]).any(axis=-1))
    assert [line[0]] * 3 == pytest.approx([rows.max() + 1 for rows, _ in parts], abs=2)


def test_side_view_has_the_far_end_on_the_right():
    wedge = trimesh.creation.box((0.4, 1.0, 1.0)).vertices
    wedge[wedge[:, 2] > 0, 1] *= 0.2  # the far end is thin
    body = _body(render_views(_person(vertices=wedge, faces=trimesh.creation.box().faces), (90.0,), (200, 200)))
    assert body[:, :100].sum() > 1.3 * body[:, 100:].sum()


def test_a_person_without_a_mesh_has_no_other_side():
    with pytest.raises(InputError, match="no mesh"):
        render_views(_person(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3))))


def test_pictures_are_the_same_bytes_on_every_run():
    people, photo = [_person(), _person((0.2, 0, 2.8))], _photo()
    assert render_overlay(photo, people).tobytes() == render_overlay(photo, people).tobytes()
    assert render_views(people[0]).tobytes() == render_views(people[0]).tobytes()
