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
_WHITE = (255, 255, 255)
_ENDINGS = rf"\.npz|_overlay\.png|_\d+_side\.png|_\d+\.(?:{'|'.join(FORMATS)})"  # of results
_RESULT = re.compile(rf"(.+?)(?:{_ENDINGS})", re.IGNORECASE | re.DOTALL)


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
    drawn on white, at a scale that gives a picture of sane size.
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
        written.append(folder / f"{stem}_overlay.png")
        _write_overlay(written[-1], image, people, overlay, has_keypoints)
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


def _write_overlay(path: Path, image: np.ndarray | None, people: list[Person], style: str, has_keypoints: bool) -> None:
    from pose2mesh.rendering import at_scale, bones_of, draw_keypoints, plain_canvas, render_overlay

    if image is None:
        canvas = plain_canvas(np.concatenate([person.keypoints for person in people]), people[0].camera, _WHITE)
        image, people = canvas.image, [canvas.show(person) for person in people]
    elif max(image.shape) > _LONGEST:
        image, people = at_scale(image, people, 1 / -(-max(image.shape) // _SHRUNK))
    picture = render_overlay(image, [person for person in people if person.camera is not None], style)
    for person in people if has_keypoints else ():
        picture = draw_keypoints(picture, person.keypoints, bones_of(person))
    write_png(path, picture)
