"""Who is who when people cross: rendered walks whose truth is known, seen by the bundled detector.

    python -m tools.studies.crossings [--bare] [--random N] [--pictures FOLDER]

prints for each scene the people found, and IDF1 and identity switches of a tracker that goes by joints and places alone
and of one that looks at clothes too. People of a frame are matched with the true ones that are before the camera by
COCO's similarity of keypoints. `--bare`: all look the same; `--random`: N more scenes of two or three people. With
pictures: a contact sheet of every scene, numbers at the heads.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.optimize import linear_sum_assignment

from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.similarity import similarity, to_coco
from pose2mesh.rendering.software import Color, Pinhole
from pose2mesh.rendering.studio import SKIN_TONE, render_studio
from pose2mesh.rendering.textures import VertexColors
from pose2mesh.synthesis.bodies import shape_table
from pose2mesh.synthesis.walk import FOCAL, IMAGE_SIZE, walking
from pose2mesh.tracking import IdentityTracker
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.tracking.clothes import with_clothes
from pose2mesh.types import Keypoints2D, Motion
from tools.studies.identities import identity_f1, identity_switches

SECONDS, FPS = 3.0, 15.0
Places = Sequence[tuple[float, tuple[float, float]]]
SCENES: Mapping[str, Places] = {  # heading in degrees and start (x, z) in metres, of everybody
    "crossing": [(90, (-1.5, 4.5)), (-90, (1.5, 5.4))],
    "crossing, far apart in depth": [(90, (-1.5, 4.0)), (-90, (1.8, 6.5))],
    "crossing twice": [(90, (-1.5, 4.2)), (-90, (1.5, 5.0)), (90, (-2.4, 6.0))],
    "meeting and parting": [(70, (-1.6, 5.0)), (-75, (1.6, 4.6))],
    "overtaking": [(90, (-1.7, 4.5)), (90, (-0.9, 5.4))],
    "through the picture": [(90, (-2.4, 4.5)), (0, (0.4, 6.0))],
}
_SAME = 0.3  # similarity from which a find is a person


def random_scenes(count: int) -> dict[str, Places]:
    """Two or three people each, who come from both sides."""
    rng, scenes = np.random.default_rng(77), {}
    for number in range(count):
        sides = [1 if person % 2 == 0 else -1 for person in range(2 + number % 2)]
        scenes[f"random {number}"] = [
            (side * 90 + rng.uniform(-40, 40), (-side * rng.uniform(0.8, 2.0), rng.uniform(4.2, 6.5))) for side in sides
        ]
    return scenes


def scene(places: Places) -> list[Motion]:
    """Everybody's motion; each has a shape and walks a little later than the one before."""
    body, (_, shapes) = load_anny_body(), shape_table()
    return [walking(body, SECONDS, FPS, heading, shapes[11 * i], start) for i, (heading, start) in enumerate(places)]


def wardrobe(people: int, seed: int) -> np.ndarray:
    """Colors [P V, 3] of everybody's vertices, one for each garment."""
    colors, rng = VertexColors(load_anny_body()), np.random.default_rng(seed)
    return np.concatenate([colors.static(rng) for _ in range(people)])


def pictures(people: list[Motion], color: Color) -> Iterator[np.ndarray]:
    """Frame after frame, uint8 [H, W, 3]."""
    bodies = [MotionBodies(motion) for motion in people]
    for frame in range(len(people[0])):
        shown = [person for body in bodies for person in body.people(frame)]
        assert all(person.camera for person in shown)
        vertices = [person.vertices + person.camera.translation for person in shown if person.camera]
        starts = np.cumsum([0, *map(len, vertices[:-1])])
        faces = [person.faces + start for person, start in zip(shown, starts, strict=True)]
        center = (IMAGE_SIZE[0] / 2, IMAGE_SIZE[1] / 2)
        yield render_studio(np.concatenate(vertices), np.concatenate(faces), Pinhole(FOCAL, center, IMAGE_SIZE), color)


def who(found: Keypoints2D, true: np.ndarray) -> np.ndarray:
    """Which of the true people [N, 17, 3] each find is [P]; -1 for nobody."""
    finds = to_coco(np.dstack([found.points, found.confidence]))  # [P, 17, 3]
    alike = similarity(finds, true)  # [P, N]
    answer = np.full(len(finds), -1)
    for row, column in zip(*linear_sum_assignment(-alike), strict=True):
        if alike[row, column] >= _SAME:
            answer[row] = column
    return answer


def follow(people: list[Motion], color: Color, sheet: list[np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
    """True numbers [N] of finds and of missed people, and [N, 2] those of both trackers; -1 where there is none.

    `sheet` takes pictures.
    """
    find, trackers = BlazePoseDetector().video().detect, (IdentityTracker(), IdentityTracker())
    truths, numbers = [], []
    for frame, picture in enumerate(pictures(people, color)):
        found = find(picture, frame / FPS)
        found = Keypoints2D(found.points, found.confidence, found.joint_set, found.image_size)  # numbers are ours
        true = np.stack([motion.keypoints[frame] for motion in people])  # [N, 17, 3]
        inside = ((true[..., :2] >= 0) & (true[..., :2] < IMAGE_SIZE)).all(-1).mean(1) > 0.5
        seen = (found, with_clothes(found, picture))
        given = [tracker.update(keypoints, frame / FPS) for tracker, keypoints in zip(trackers, seen, strict=True)]
        are = who(found, true)
        missed = [person for person in np.flatnonzero(inside) if person not in are]
        truths += [*are, *missed]
        numbers += [*zip(*given, strict=True), *[(-1, -1)] * len(missed)]
        if sheet is not None and frame % 5 == 0:
            sheet.append(_numbered(picture, found, given[1]))
    return np.array(truths), np.array(numbers)


def _numbered(picture: np.ndarray, found: Keypoints2D, given: tuple[int, ...]) -> np.ndarray:
    image = Image.fromarray(picture)
    for points, number in zip(found.points, given, strict=True):
        ImageDraw.Draw(image).text((points[0, 0], points[0, 1] - 40), str(number), "red", font_size=32)
    return np.array(image.resize((320, 240)))


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    folder = options.pictures
    print(f"{'scene':30s}{'people':>8s}{'found':>8s}{'joints':>8s}{'switches':>10s}{'clothes':>9s}{'switches':>10s}")
    for number, (name, places) in enumerate({**SCENES, **random_scenes(options.random)}.items()):
        sheet = [] if folder else None
        color = SKIN_TONE if options.bare else wardrobe(len(places), number)
        truth, numbers = follow(scene(places), color, sheet)
        cells = f"{((truth >= 0) & (numbers[:, 0] >= 0)).sum() / (truth >= 0).sum():8.1%}"
        for column in numbers.T:
            cells += f"{identity_f1(truth, column):8.3f}{identity_switches(truth, column):10d} "
        print(f"{name:30s}{len(places):8d}{cells}", flush=True)
        if folder and sheet:
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.concatenate(sheet, 1)).save(folder / f"{name.replace(' ', '_')}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
