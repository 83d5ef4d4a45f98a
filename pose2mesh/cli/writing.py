"""What `predict` and `demo` write for one frame: pictures, meshes and arrays, each file atomically."""

import hashlib
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from unicodedata import category, normalize

import numpy as np

from pose2mesh.paths import write_with
from pose2mesh.types import Person

FORMATS = ("png", "npz", "obj", "ply", "glb", "json", "html")
LONGEST_STEM = 150  # bytes, so that numbers and suffixes still fit into the 255 of a file name
_LONGEST, _SHRUNK = 4096, 3072  # px of overlays: of larger photos, which take seconds to write, at most the second
_ENDINGS = rf"\.npz|_overlay\.png|_\d+_side\.png|_\d+\.(?:{'|'.join(FORMATS)})"  # of results
_RESULT = re.compile(rf"(.+?)(?:{_ENDINGS})", re.IGNORECASE | re.DOTALL)
CANVAS_LIMITS = (64, 4096)  # pixels: keypoints without a picture are drawn on white within these sides


def safe_stem(name: str) -> str:
    """A frame's name as the start of a file name: no folder, no control character.

    Names of more than `LONGEST_STEM` bytes are cut and end in a hash of the whole, so that they still differ.
    """
    plain = "".join(c if c.isalnum() or c in "_.- " or category(c)[0] == "M" else "_" for c in name).strip(". ")
    if len(plain.encode()) <= LONGEST_STEM:
        return plain or "frame"
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:10]
    return f"{plain.encode()[: LONGEST_STEM - 11].decode(errors='ignore')}-{digest}"


class FreeNames:
    """Names of results, none given twice; two that a file system could take for one (case, accents) count as one.

    Results would never go over `inputs` that lie in the folder `output`.
    """

    def __init__(self, output: Path, inputs: Iterable[Path] = ()):
        self._used: set[str] = set()
        folder = output.resolve()
        for path in inputs:
            if path.parent.resolve() == folder and (result := _RESULT.fullmatch(path.name)):
                self._used.add(_key(result[1]))

    def take(self, name: str) -> str:
        """`safe_stem(name)`, or that with `_2` and so on when it is taken."""
        stem = free = safe_stem(name)
        count = 1
        while _key(free) in self._used:
            count += 1
            free = f"{stem}_{count}"
        self._used.add(_key(free))
        return free


def _key(stem: str) -> str:
    return normalize("NFKC", normalize("NFKC", stem).casefold())


def write_frame(
    folder: Path,
    stem: str,
    image: np.ndarray | None,
    people: list[Person],
    formats: tuple[str, ...],
    has_side_view: bool = False,
    overlay: str = "blend",
    has_keypoints: bool = False,
) -> list[Path]:
    """Write `{stem}.{npz,html}`, `{stem}_overlay.png` and `{stem}_{person}.{obj,ply,glb,json}`; returns the paths.

    `overlay` is a style of `rendering.OVERLAYS`, `has_keypoints` draws them on it. Without an image [H, W, 3] it is
    drawn on white, where the keypoints allow a canvas of sane size.
    """
    from pose2mesh.exporters import save_people

    written = []
    if "npz" in formats:
        written.append(folder / f"{stem}.npz")
        save_people(people, written[-1])
    for suffix in [f for f in FORMATS if f in formats and f not in ("png", "npz", "html")]:
        for i, person in enumerate(people):
            written.append(folder / f"{stem}_{i}.{suffix}")
            person.save(written[-1])
    if "png" in formats:
        written += _write_overlay(folder / f"{stem}_overlay.png", image, people, overlay, has_keypoints)
    if "html" in formats:
        from pose2mesh.viewer import people_page

        written.append(people_page(people, folder / f"{stem}.html", image, stem))
    if has_side_view:
        for i, person in enumerate(people):
            written.append(folder / f"{stem}_{i}_side.png")
            write_side_view(written[-1], person, i)
    return written


def write_side_view(path: Path, person: Person, index: int = 0) -> None:
    """Write the picture of a person turned by half of a right angle, and from the side, in the tint of the overlay."""
    from pose2mesh.rendering import render_views, tint_of

    write_png(path, render_views(person, tint=tint_of(person, index)))


def write_png(path: Path, image: np.ndarray) -> None:
    """Write uint8 [H, W, 3] as PNG, with the compression that costs a quarter of the usual time and 5 % of the size."""
    from PIL import Image

    options = {"compress_level": 1, "compress_type": zlib.Z_RLE}
    write_with(path, lambda stream: Image.fromarray(image).save(stream, "PNG", **options))


def _write_overlay(
    path: Path, image: np.ndarray | None, people: list[Person], style: str, has_keypoints: bool
) -> list[Path]:
    from pose2mesh.rendering import at_scale, bones_of, draw_keypoints, render_overlay

    image = _white_canvas(people) if image is None else image
    if image is None:
        return []
    if max(image.shape) > _LONGEST:
        image, people = at_scale(image, people, 1 / -(-max(image.shape) // _SHRUNK))
    picture = render_overlay(image, [person for person in people if person.camera is not None], style)
    for person in people if has_keypoints else ():
        picture = draw_keypoints(picture, person.keypoints, bones_of(person))
    write_png(path, picture)
    return [path]


def _white_canvas(people: list[Person]) -> np.ndarray | None:
    """White picture [H, W, 3] of the size the keypoints come from, or reaching a little beyond them."""
    size = people[0].camera.image_size if people and people[0].camera else None
    if size is None:
        seen = np.concatenate([p.keypoints[p.keypoints[:, 2] > 0, :2] for p in people] or [np.zeros((1, 2))])
        margin = 0.1 * np.ptp(seen, axis=0).max()
        size = tuple(int(side) for side in np.ceil(seen.max(0) + margin))  # (width, height)
    width, height = size
    if not CANVAS_LIMITS[0] <= min(width, height) <= max(width, height) <= CANVAS_LIMITS[1]:
        return None
    return np.full((height, width, 3), 255, np.uint8)
