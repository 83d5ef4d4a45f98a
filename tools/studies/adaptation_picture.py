"""Before and after adaptation with side views: `python -m tools.studies.adaptation_picture TARGET [key=value] -o OUT`.

TARGET is a keypoint file, or a folder of photos that the detector looks at. The network of `--config` is adapted by
Key2Mesh to its pictures but for those that are drawn. A row is a person: keypoints, the source network's body over the
picture and from the side, the adapted network's. Nothing is fitted to the keypoints after a network's answer, which
would hide the difference.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pose2mesh.adaptation.backbones import load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.materials import Keypoints
from pose2mesh.adaptation.run import make_methods, run_adaptation
from pose2mesh.adaptation.target import read_target, target_of
from pose2mesh.checkpoints import load_network
from pose2mesh.detectors import get_detector
from pose2mesh.detectors.images import is_image, read_image
from pose2mesh.errors import InputError
from pose2mesh.evaluation.photos import keypoint_box, reprojection
from pose2mesh.paths import write_with
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering import contact_sheet, photo_row
from pose2mesh.settings import load_config
from pose2mesh.types import Keypoints2D, Person

_SURE, _FEWEST_SURE = 0.3, 12  # confidence, and joints of that in a person who is drawn
_MARGIN = 0.25  # of the longer side of a person's box, around it
_WHITE = 255


class Frame(NamedTuple):
    """A picture of the target."""

    name: str
    image: np.ndarray | None  # [H, W, 3] uint8
    people: Keypoints2D


def read_frames(path: Path, config: AdaptConfig) -> list[Frame]:
    """The pictures of a keypoint file, or of a folder of photos. Raises InputError, MissingFileError, FormatError."""
    if not path.is_dir():
        people = read_target(config.target.model_copy(update={"keypoints": str(path)}))
        return [Frame(f"{path.stem} {index}", None, each) for index, each in enumerate(people)]
    detector = get_detector("auto")
    images = [(file.name, read_image(file)) for file in sorted(filter(is_image, path.iterdir()))]
    return [Frame(name, image, detector.detect(image)) for name, image in images]


def choose(frames: Sequence[Frame], count: int) -> dict[int, Frame]:
    """At most `count` frames by index, spread over those in which a person is well seen; of each the largest such."""
    shown = {}
    for index, frame in enumerate(frames):
        sure = frame.people.confidence >= _SURE  # [P, J]
        usable = [row for row in range(len(sure)) if sure[row].sum() >= _FEWEST_SURE]
        if usable:
            sizes = {row: np.ptp(frame.people.points[row, sure[row]], axis=0).max() for row in usable}
            largest = max(usable, key=sizes.__getitem__)
            shown[index] = frame._replace(people=frame.people.select(np.arange(len(sure)) == largest))
    indices = np.array(list(shown))[np.linspace(0, len(shown) - 1, min(count, len(shown))).round().astype(int)]
    return {int(index): shown[int(index)] for index in indices}


def recover(model: Pose2Mesh, frames: Sequence[Frame]) -> list[Person]:
    """The one person of each frame, as the network says."""
    return [people[0] for people in model.recover([frame.people for frame in frames], 64, "mesh", fit=False)]


def row_of(frame: Frame, before: Person, after: Person) -> list[np.ndarray]:
    """Five pictures [H, W_i, 3]: keypoints; over the picture and from the side, before and after."""
    width, height = frame.people.image_size or (1, 1)
    image = np.full((height, width, 3), _WHITE, np.uint8) if frame.image is None else frame.image
    left, top, right, bottom = keypoint_box(before)
    margin = _MARGIN * max(right - left, bottom - top)
    low = np.maximum([left - margin, top - margin], 0).astype(int)
    high = np.minimum([right + margin, bottom + margin], image.shape[1::-1]).astype(int)
    crop = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    first, second = (photo_row(crop, [_moved(person, low, crop.shape)]) for person in (before, after))
    return [*first, *second[1:]]


def _moved(person: Person, corner: np.ndarray, shape: tuple[int, ...]) -> Person:
    """The person in a crop of this shape whose first pixel is `corner`."""
    assert person.camera is not None  # recovered ones have it
    (x, y), size = person.camera.center, (shape[1], shape[0])
    camera = replace(person.camera, center=(x - int(corner[0]), y - int(corner[1])), image_size=size)
    return replace(person, keypoints=person.keypoints - np.append(corner, 0).astype(np.float32), camera=camera)


def adaptation_picture(path: Path, config: AdaptConfig, count: int) -> tuple[np.ndarray, list[str]]:
    """The sheet [H, W, 3], and what was measured. Raises InputError for a target that does not serve."""
    frames = read_frames(path, config)
    shown = choose(frames, count)
    if not shown:
        raise InputError(f"{path}: nobody with {_FEWEST_SURE} joints of confidence {_SURE} or more is to be drawn")
    backbone = load_backbone(config.weights, torch.device("cpu"))
    others = [frame.people for index, frame in enumerate(frames) if index not in shown]
    limits = config.target.model_copy(update={"keypoints": str(path)})
    target = target_of(others, limits, backbone.joint_set)
    before = recover(Pose2Mesh(load_network(config.weights)), list(shown.values()))
    material = Keypoints(backbone, target, config)
    outcome = run_adaptation(material, make_methods(material, "key2mesh"))
    after = recover(Pose2Mesh(backbone.network), list(shown.values()))
    errors = [100 * np.array([reprojection(person) for person in people]) for people in (before, after)]
    titles = [
        f"{f.name}: {a:.1f} % of the box, adapted {b:.1f} %" for f, a, b in zip(shown.values(), *errors, strict=True)
    ]
    told = [
        f"adapted to {len(target.keypoints)} people; held-out error {outcome.errors[0][1]:.4f}, at step "
        f"{outcome.best[0]} {outcome.best[1]:.4f}",
        f"drawn: re-projection {errors[0].mean():.2f} % of the box, adapted {errors[1].mean():.2f} %",
    ]
    rows = [row_of(frame, *people) for frame, *people in zip(shown.values(), before, after, strict=True)]
    return contact_sheet(rows, titles), told


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--config", default="assets/configs/adapt_key2mesh.yaml")
    parser.add_argument("--people", type=int, default=8, help="rows of the sheet")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example steps=100")
    options = parser.parse_args(arguments)

    from PIL import Image

    config = load_config(AdaptConfig, options.config, options.overrides)
    torch.manual_seed(config.seed)
    sheet, told = adaptation_picture(options.target, config, options.people)
    print("\n".join(told))
    picture = Image.fromarray(sheet)
    write_with(options.output, lambda stream: picture.save(stream, "PNG"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
