"""Colors of clothes: what is read off a picture, and people whom nothing else tells apart."""

from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.rendering.textures import VertexColors
from pose2mesh.skeletons import COCO17
from pose2mesh.synthesis.walk import FOCAL, IMAGE_SIZE, walking
from pose2mesh.tracking import IdentityTracker
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.tracking.clothes import alike, blended, with_clothes
from pose2mesh.types import Keypoints2D

FIGURE = {  # x, y px of the corners of somebody who stands
    "left_shoulder": (60, 20), "right_shoulder": (20, 20), "left_hip": (55, 80), "right_hip": (25, 80),
    "left_knee": (55, 120), "right_knee": (25, 120), "left_ankle": (55, 160), "right_ankle": (25, 160),
}  # fmt: skip
RED, BLUE, BLACK, SKIN = ((200, 10, 20), (20, 40, 220), (15, 15, 15), (220, 170, 140))


def figure(points=FIGURE, confidence: float = 1.0) -> Keypoints2D:
    rows = np.array([points.get(name, (0, 0)) for name in COCO17.joints], np.float32)[None]
    seen = np.array([confidence if name in points else 0 for name in COCO17.joints], np.float32)[None]
    return Keypoints2D(rows, seen, "coco17", (80, 180))


def bands(*colors: tuple[int, int, int]) -> np.ndarray:
    """A picture [180, 80, 3] with a color for chest, belly, thighs and shins."""
    image = np.zeros((180, 80, 3), np.uint8)
    for color, (top, bottom) in zip(colors, ((0, 50), (50, 80), (80, 120), (120, 180)), strict=True):
        image[top:bottom] = color
    return image


def test_colors_are_those_of_each_part() -> None:
    """Opponent colors, worked out by hand."""
    (worn,) = with_clothes(figure(), bands(RED, BLUE, SKIN, BLACK)).clothes
    for row, color in zip(worn, (RED, BLUE, SKIN, BLACK), strict=True):
        r, g, b = np.array(color) / 255
        assert row == pytest.approx([(r + g + b) / 3, 1.5 * (r - g), 1.5 * ((r + g) / 2 - b)])


def test_what_is_hidden_or_outside_the_picture_is_unknown() -> None:
    image = bands(RED, RED, BLUE, BLUE)
    above = {name: place for name, place in FIGURE.items() if "knee" not in name and "ankle" not in name}
    assert np.isfinite(with_clothes(figure(above), image).clothes[0]).all(1).tolist() == [True, True, False, False]
    one_leg = {name: place for name, place in FIGURE.items() if name not in ("left_knee", "left_ankle")}
    assert np.isfinite(with_clothes(figure(one_leg), image).clothes).all()
    assert np.isfinite(with_clothes(figure(), image[:45]).clothes[0]).all(1).tolist() == [True, False, False, False]
    assert np.isnan(with_clothes(figure(confidence=0.1), image).clothes).all()


def test_hands_wear_nothing_and_nobody_has_no_colors() -> None:
    image = bands(RED, RED, RED, RED)
    hands = Keypoints2D(np.zeros((1, 21, 2), np.float32), np.ones((1, 21), np.float32), "hand21")
    assert with_clothes(hands, image).clothes is None
    nobody = figure().select(np.array([False]))
    assert with_clothes(nobody, image).clothes.shape == (0, 4, 3)
    assert with_clothes(figure(), image).select(np.array([False])).clothes.shape == (0, 4, 3)


def test_shade_is_no_other_shirt() -> None:
    (red,), (dark,), (blue,) = (
        with_clothes(figure(), bands(c, c, BLACK, BLACK)).clothes for c in (RED, (170, 8, 17), BLUE)
    )
    assert alike(red, dark) == 1.0 and alike(red, blue) < 1e-3
    assert alike(red, None) == alike(red, np.full((4, 3), np.nan)) == 1.0


def test_new_colors_fill_in_and_are_averaged() -> None:
    old, new = np.full((4, 3), 0.2), np.full((4, 3), 0.6)
    old[3], new[0] = np.nan, np.nan
    mixed = blended(old, new, 0.25)
    assert mixed is not None and mixed[:, 0] == pytest.approx([0.2, 0.3, 0.3, 0.6])
    assert blended(None, new, 0.25) is new and blended(old, None, 0.25) is old


@pytest.mark.parametrize("looks", [False, True])
def test_who_turns_back_behind_another_is_told_by_the_clothes(looks: bool) -> None:
    """Two come together, one of them unseen for a while, and part the way they came; ways say that they cross."""
    body, fps = load_anny_body(), 15.0
    colors = VertexColors(body)
    walks = [walking(body, 1.2, fps, heading, start=start) for heading, start in ((90, (-1.3, 4.5)), (-90, (1.3, 5.0)))]
    worn = [colors.static(np.random.default_rng(seed)) for seed in (1, 2)]
    there = range(len(walks[0]))
    order, tracker, numbers = [*there, *reversed(there)], IdentityTracker(), []
    for step, frame in enumerate(order):
        points = np.stack([walk.keypoints[frame] for walk in walks]).astype(np.float32)
        keypoints = Keypoints2D(points[..., :2], points[..., 2], "coco17", IMAGE_SIZE)
        if looks:
            keypoints = with_clothes(keypoints, picture(walks, worn, frame))
        is_hidden = abs(step - len(there)) < 5
        given = tracker.update(keypoints.select(np.array([True, not is_hidden])), step / fps)
        numbers.append(given)
    assert numbers[0] == (1, 2)
    assert numbers[-1] == ((1, 2) if looks else (2, 1))


def picture(walks, worn, frame: int) -> np.ndarray:
    people = [person for walk in walks for person in MotionBodies(walk).people(frame)]
    vertices = [person.vertices + person.camera.translation for person in people]
    faces = np.concatenate([people[0].faces, people[1].faces + len(vertices[0])])
    view = Pinhole(FOCAL, (IMAGE_SIZE[0] / 2, IMAGE_SIZE[1] / 2), IMAGE_SIZE)
    return render(np.concatenate(vertices), faces, view, np.concatenate(worn))[0]


def test_clothes_go_with_their_people_through_selections() -> None:
    both = replace(figure(), points=np.repeat(figure().points, 2, 0), confidence=np.repeat(figure().confidence, 2, 0))
    both = replace(both, clothes=np.arange(24.0).reshape(2, 4, 3))
    assert both.select(np.array([False, True])).clothes.tolist() == [both.clothes[1].tolist()]


def test_a_find_that_drifts_onto_somebody_else_takes_nobody_along() -> None:
    """It keeps its number, its place does not count: who is found again at the own place, after a while, is known."""
    (red,), (blue,), (skin,) = (with_clothes(figure(), bands(c, c, c, c)).clothes for c in (RED, BLUE, SKIN))
    tracker = IdentityTracker()

    def seen(step: int, *people: tuple[float, np.ndarray]) -> tuple[int, ...]:
        points = np.concatenate([figure().points + np.float32([x, 0]) for x, _ in people])
        confidence = np.repeat(figure().confidence, len(people), 0)
        worn = np.stack([clothes for _, clothes in people])
        return tracker.update(Keypoints2D(points, confidence, "coco17", clothes=worn), step / 30)

    for step in range(10):
        assert seen(step, (0, red), (50, blue)) == (1, 2)
    for step in range(10, 14):  # 210 px a second
        assert seen(step, (0, red), (50 - 7 * (step - 9), red)) == (1, 2)
    for step in range(14, 30):
        assert seen(step, (0, red)) == (1,)
    assert seen(30, (0, red), (50, blue), (-40, skin)) == (1, 2, 3)
