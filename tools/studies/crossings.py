"""Who is who when people cross: rendered walks whose truth is known, seen by the bundled detector.

    python -m tools.studies.crossings [--pictures FOLDER]

prints for each scene the people found, IDF1 and identity switches. People of a frame are matched with the true ones
that are before the camera by COCO's similarity of keypoints. With pictures: a contact sheet of every scene, numbers at
the heads.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.optimize import linear_sum_assignment

from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.similarity import similarity, to_coco
from pose2mesh.rendering.software import Pinhole
from pose2mesh.rendering.studio import render_studio
from pose2mesh.synthesis.bodies import shape_table
from pose2mesh.synthesis.walk import FOCAL, IMAGE_SIZE, walking
from pose2mesh.tracking import IdentityTracker, Tracker
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.types import Keypoints2D, Motion
from tools.studies.identities import identity_f1, identity_switches

SECONDS, FPS = 3.0, 15.0
SCENES = {  # heading in degrees and start (x, z) in metres, of everybody
    "crossing": [(90, (-1.5, 4.5)), (-90, (1.5, 5.4))],
    "crossing, far apart in depth": [(90, (-1.5, 4.0)), (-90, (1.8, 6.5))],
    "crossing twice": [(90, (-1.5, 4.2)), (-90, (1.5, 5.0)), (90, (-2.4, 6.0))],
    "meeting and parting": [(70, (-1.6, 5.0)), (-75, (1.6, 4.6))],
    "overtaking": [(90, (-1.7, 4.5)), (90, (-0.9, 5.4))],
    "through the picture": [(90, (-2.4, 4.5)), (0, (0.4, 6.0))],
}
_SAME = 0.3  # similarity from which a find is a person


def scene(places: Sequence[tuple[float, tuple[float, float]]]) -> list[Motion]:
    """Everybody's motion; each has a shape and walks a little later than the one before."""
    body, (_, shapes) = load_anny_body(), shape_table()
    return [walking(body, SECONDS, FPS, heading, shapes[11 * i], start) for i, (heading, start) in enumerate(places)]


def pictures(people: list[Motion]) -> Iterator[np.ndarray]:
    """Frame after frame, uint8 [H, W, 3]."""
    bodies = [MotionBodies(motion) for motion in people]
    for frame in range(len(people[0])):
        shown = [person for body in bodies for person in body.people(frame)]
        assert all(person.camera for person in shown)
        vertices = [person.vertices + person.camera.translation for person in shown if person.camera]
        starts = np.cumsum([0, *map(len, vertices[:-1])])
        faces = [person.faces + start for person, start in zip(shown, starts, strict=True)]
        center = (IMAGE_SIZE[0] / 2, IMAGE_SIZE[1] / 2)
        yield render_studio(np.concatenate(vertices), np.concatenate(faces), Pinhole(FOCAL, center, IMAGE_SIZE))


def who(found: Keypoints2D, true: np.ndarray) -> np.ndarray:
    """Which of the true people [N, 17, 3] each find is [P]; -1 for nobody."""
    finds = to_coco(np.dstack([found.points, found.confidence]))  # [P, 17, 3]
    alike = similarity(finds, true)  # [P, N]
    answer = np.full(len(finds), -1)
    for row, column in zip(*linear_sum_assignment(-alike), strict=True):
        if alike[row, column] >= _SAME:
            answer[row] = column
    return answer


def follow(people: list[Motion], tracker: Tracker, sheet: list[np.ndarray] | None = None) -> tuple[np.ndarray, ...]:
    """True numbers and found ones [N] of finds and of missed people, -1 where there is none; `sheet` takes pictures."""
    find, truths, numbers = BlazePoseDetector().video().detect, [], []
    for frame, picture in enumerate(pictures(people)):
        found = find(picture, frame / FPS)
        found = Keypoints2D(found.points, found.confidence, found.joint_set, found.image_size)  # numbers are ours
        true = np.stack([motion.keypoints[frame] for motion in people])  # [N, 17, 3]
        inside = ((true[..., :2] >= 0) & (true[..., :2] < IMAGE_SIZE)).all(-1).mean(1) > 0.5
        given, are = tracker.update(found, frame / FPS), who(found, true)
        missed = [person for person in np.flatnonzero(inside) if person not in are]
        truths += [*are, *missed]
        numbers += [*given, *[-1] * len(missed)]
        if sheet is not None and frame % 5 == 0:
            sheet.append(_numbered(picture, found, given))
    return np.array(truths), np.array(numbers)


def _numbered(picture: np.ndarray, found: Keypoints2D, given: tuple[int, ...]) -> np.ndarray:
    image = Image.fromarray(picture)
    for points, number in zip(found.points, given, strict=True):
        ImageDraw.Draw(image).text((points[0, 0], points[0, 1] - 40), str(number), "red", font_size=32)
    return np.array(image.resize((320, 240)))


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    folder = parser.parse_args(arguments).pictures
    print(f"{'scene':30s}{'people':>8s}{'found':>8s}{'IDF1':>8s}{'switches':>10s}")
    for name, places in SCENES.items():
        sheet = [] if folder else None
        truth, numbers = follow(scene(places), IdentityTracker(), sheet)
        seen, found = (truth >= 0).sum(), ((truth >= 0) & (numbers >= 0)).sum()
        cells = f"{found / seen:8.1%}{identity_f1(truth, numbers):8.3f}{identity_switches(truth, numbers):10d}"
        print(f"{name:30s}{len(places):8d}{cells}", flush=True)
        if folder and sheet:
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.concatenate(sheet, 1)).save(folder / f"{name.replace(' ', '_')}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
