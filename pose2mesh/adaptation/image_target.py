"""Photos with the 2D keypoints of their people: what an image backbone adapts to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pose2mesh.adaptation.config import TargetConfig
from pose2mesh.detectors.images import IMAGE_SUFFIXES, is_image, read_image
from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.detectors.told import Told
from pose2mesh.errors import InputError
from pose2mesh.geometry.crop import crop_image, keypoint_box, square_box
from pose2mesh.geometry.weak_perspective import SIDE
from pose2mesh.skeletons import convert
from pose2mesh.types import Keypoints2D

FEWEST_CONFIDENT = 4  # joints of a person
_MARGIN = 1.25  # side of the crop over that of the keypoints' box
_NAMED = 3  # files that a message names before it counts the rest


@dataclass(frozen=True)
class ImageTarget:
    """People of photos, one square crop each."""

    images: np.ndarray  # uint8 [N, 224, 224, 3]
    keypoints: Tensor  # [N, 17, 3] COCO-17 in half sides of the crop from its center, confidence

    def draw(self, count: int, generator: torch.Generator) -> tuple[np.ndarray, Tensor]:
        """A random batch: pictures [count,224,224,3] and keypoints [count,17,3]."""
        rows = torch.randint(len(self.images), (count,), generator=generator)
        return self.images[rows.numpy()], self.keypoints[rows]


def load_image_target(target: TargetConfig) -> ImageTarget:
    """Every photo of a folder with its people in a keypoint file, whose frames bear the photos' names.

    Raises InputError for keypoints without a photo, photos without a person or of another size than the target's, and
    people without confident joints, naming them; for a camera, which crops do not have.
    """
    folder, keypoints, least_confidence = target.images, target.keypoints, target.least_confidence
    if target.intrinsics is not None:
        raise InputError("an image backbone sees crops, whatever the camera; leave target.intrinsics out")
    told = Told.checked(target.joint_set, "none", None, None, target.image_size)
    if not folder or not Path(folder).is_dir():
        raise InputError(f"an image backbone needs the photos: target.images={folder!r} is no folder")
    found = [path for path in sorted(Path(folder).iterdir()) if is_image(path)]
    photos = {path.stem: path for path in found}
    if double := [path.name for path in found if photos[path.stem] != path]:
        raise InputError(
            f"target.images: {folder} has two photos named {Path(double[0]).stem}, and keypoints go by that name; "
            f"rename {_listed(double)}"
        )
    if not photos:
        raise InputError(f"target.images: no photo in {folder}; expected {', '.join(IMAGE_SUFFIXES)}")
    frames: dict[str, list[Keypoints2D]] = {}
    for frame in read_keypoints(keypoints, told.joint_set, told.image_size):
        frames.setdefault(frame.name, []).append(frame.keypoints)
    if lost := sorted(name for name, parts in frames.items() if any(map(len, parts)) and name not in photos):
        raise InputError(
            f"{keypoints}: no photo in {folder} for {_listed(lost)}; keypoints alone need another backbone"
        )
    crops, points = [], []
    empty = []
    for name, path in photos.items():
        image = read_image(path)
        told.check_size(image.shape[1::-1], str(path))
        found = [crop for part in frames.get(name, []) for crop in _people(image, part, least_confidence)]
        empty += [] if found else [path.name]
        crops += [crop for crop, _ in found]
        points += [each for _, each in found]
    if empty:
        raise InputError(
            f"{keypoints}: nobody with {FEWEST_CONFIDENT} joints of confidence {least_confidence} in {_listed(empty)}; "
            "detect them, or take those photos out of the folder"
        )
    return ImageTarget(np.stack(crops), torch.from_numpy(np.stack(points)))


def _people(image: np.ndarray, people: Keypoints2D, least_confidence: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(crop [224,224,3], keypoints [17,3]) of everybody in a photo whose joints suffice."""
    points, confidence = convert(people.points, people.confidence, people.joint_set, "coco17")
    for each, seen in zip(points, confidence, strict=True):
        seen = np.where(seen >= least_confidence, seen, 0)
        if (seen > 0).sum() >= FEWEST_CONFIDENT:
            yield crop_person(image, each, seen)[:2]


def crop_person(
    image: np.ndarray, points: np.ndarray, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The square around the joints points [17,2] px of confidence [17].

    Returns the crop uint8 [224,224,3], the joints in it [17,3] (half sides from its center, and confidence), and what
    turns further pixels [...,2] of the picture into half sides.
    """
    from PIL import Image

    box = square_box(keypoint_box(points, confidence), _MARGIN)
    crop, offset = crop_image(image, box)
    small = np.array(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BILINEAR))

    def inside(pixels: np.ndarray) -> np.ndarray:
        return 2 * (pixels - offset) / np.array(crop.shape[1::-1]) - 1

    known = np.where(confidence[:, None] > 0, inside(points), 0)  # [17, 2]
    return small, np.column_stack([known, confidence]).astype(np.float32), inside


def _listed(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
