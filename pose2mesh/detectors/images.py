"""Read pictures, and list folders of them."""

import mimetypes
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.own_results import belongs, results_among
from pose2mesh.detectors.readers import KEYPOINT_SUFFIXES
from pose2mesh.errors import FormatError, InputError, MissingDependencyError, warn

_HEIF_SUFFIXES = (".heic", ".heif")
_MOVING_SUFFIXES = (".gif", ".webp", ".png", ".apng", ".avif", ".avifs")
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".ppm", ".pgm"),
    *_HEIF_SUFFIXES,
)
# What the content may be, whatever the suffix says: formats that are pixels alone. Others (EPS, WMF, FPX) are programs
# or run some.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "GIF", "PPM")
VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
SMALLEST_SIDE = 8  # pixels
MOST_PIXELS = 64_000_000  # read in 0.5 GB; photos of 50 megapixels are common, of 100 rare
_GRAY_RANGES = (1, *(2**bits - 1 for bits in (8, 10, 12, 14, 16)))  # cameras of 12 bits write files of 16
_OVERSHOOT = 0.05  # of the highest, below black: what resampling leaves
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF
_STRIP = 64  # rows that are converted at once: copies that stay in the processor's cache cost a third


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.suffix.lower() in suffixes


def is_image(path: Path) -> bool:
    """Whether a file is one picture; those that move are videos."""
    return has_suffix(path, IMAGE_SUFFIXES) and not is_animated(path)


def is_animated(path: Path) -> bool:
    """Whether a file is a picture that moves. Files that cannot be read do not."""
    if not has_suffix(path, _MOVING_SUFFIXES) or not path.is_file():
        return False
    try:
        with open_picture(path) as picture:
            return getattr(picture, "is_animated", False)
    except InputError:  # told by who reads it
        return False


def is_keypoint_file(path: Path) -> bool:
    return has_suffix(path, KEYPOINT_SUFFIXES)


def read_image(path: str | Path) -> np.ndarray:
    """Picture as uint8 [H, W, 3] RGB: upright by its EXIF tag, transparency on white, 16-bit scaled to 8.

    A JPEG of more than `MOST_PIXELS`, up to twice as many, comes at half its width and height, with a warning.
    Raises InputError when there is no such file or it is too large, MissingDependencyError for HEIC without its
    package, FormatError when it is damaged or no picture.
    """
    path = Path(path)
    with open_picture(path) as picture:
        _halve(path, picture)
        check_size(path, picture.size)
        if picture.format == "TIFF" and picture.is_animated:
            warn(f"{path}: only the first of its pages is read; save the others as pictures of their own")
        array = from_pillow(picture)
    return array


def from_pillow(picture: Any) -> np.ndarray:
    """Pixels uint8 [H, W, 3] of a Pillow picture, upright as its EXIF says."""
    return upright(to_rgb(picture), picture.getexif().get(0x0112, 1))


@contextmanager
def open_picture(path: Path) -> Iterator[Any]:
    """Pillow's picture, its header read; whatever goes wrong with it, also in the block, is explained."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags; sizes are checked here
            with _open(path) as picture:
                yield picture
    except Image.DecompressionBombError as error:
        raise _too_large(path, f"more than {2e-6 * (Image.MAX_IMAGE_PIXELS or 0):.0f}") from error
    except UnidentifiedImageError as error:
        if _is_tiff(path):
            raise FormatError(f"{path}: a TIFF of pixels that are not read; save it with 8 bits a color") from error
        raise FormatError(f"{path}: not a picture (or empty); expected {', '.join(IMAGE_SUFFIXES)}") from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders leak OSError, SyntaxError, struct.error, ... on damaged files
        raise FormatError(f"{path}: damaged or truncated picture ({error})") from error


def _open(path: Path):
    from PIL import Image, UnidentifiedImageError

    names = _FORMATS
    if has_suffix(path, _HEIF_SUFFIXES):
        if find_spec("pi_heif") is None:
            raise MissingDependencyError(f"{path}: HEIC needs pi-heif; pip install 'pose2mesh[heif]'")
        import pi_heif

        pi_heif.register_heif_opener()
        names = ("HEIF", *_FORMATS)
    Image.preinit()  # JPEG, PNG and a few more, whatever the suffix says; all formats take longer to import
    try:
        return Image.open(path, formats=[name for name in names if name in Image.OPEN])  # AVIF: not in each Pillow
    except UnidentifiedImageError:
        Image.init()
        return Image.open(path, formats=[name for name in names if name in Image.OPEN])


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in (b"II*\0", b"MM\0*")


def _halve(path: Path, picture: Any) -> None:
    """Let the decoder give a JPEG beyond the limit at half its size, which takes a quarter of the memory."""
    width, height = picture.size
    if picture.format == "JPEG" and picture.mode in ("L", "RGB") and MOST_PIXELS < width * height <= 2 * MOST_PIXELS:
        picture.draft(None, (width // 2, height // 2))
        halved, size = "x".join(map(str, picture.size)), f"{width * height / 1e6:.0f} megapixels"
        warn(f"{path}: {size}, read at half its size; pixels of results and of --focal are those of {halved}")


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Raise InputError for a picture of (width, height) pixels that shows nobody or does not fit into memory."""
    width, height = size
    if min(size) < SMALLEST_SIDE:
        raise InputError(f"{path}: {width}x{height} pixels is too small to show a person")
    if width * height > MOST_PIXELS:
        raise _too_large(path, f"{width * height / 1e6:.0f}")


def _too_large(path: Path, megapixels: str) -> InputError:
    return InputError(f"{path}: {megapixels} megapixels; scale it down to at most {MOST_PIXELS / 1e6:.0f} megapixels")


def to_rgb(picture: Any) -> np.ndarray:
    """Pixels of a Pillow picture as uint8 [H, W, 3], not turned. A few rows at a time: copies of the whole add up."""
    picture.load()
    width, height = picture.size
    if picture.mode.startswith(("I", "F")):
        gray = _gray_to_8_bit(np.asarray(picture), getattr(picture, "filename", "") or "the picture")  # [H, W]
        if getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # which Pillow turns of 8 bits alone
            gray = 255 - gray
        return np.repeat(gray[..., None], 3, axis=-1)
    rgb = np.empty((height, width, 3), np.uint8)
    for start in range(0, height, _STRIP):
        end = min(start + _STRIP, height)
        rgb[start:end] = np.asarray(_opaque(picture.crop((0, start, width, end))))
    return rgb


def _opaque(strip: Any) -> Any:
    """As RGB, transparency on white."""
    from PIL import Image

    if "A" in strip.getbands() or "transparency" in strip.info:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, (255, 255, 255, 255)), strip)
    return strip.convert("RGB")


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image [H, W, 3] as its EXIF orientation (1 to 8) shows it; above 4 the sides are exchanged."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _gray_to_8_bit(gray: np.ndarray, where: str) -> np.ndarray:
    """Scale gray [H, W] by the range that it seems to be stored in: 0..1, or that of 8 to 16 bits; else FormatError."""
    lowest, highest = float(gray.min(initial=0)), float(gray.max(initial=0))
    if not (lowest >= -_OVERSHOOT * highest and highest <= _GRAY_RANGES[-1]):  # NaN, too
        raise FormatError(f"{where}: its gray runs from {lowest:g} to {highest:g}; save it with 8 or 16 bits")
    stored = next(most for most in _GRAY_RANGES if highest <= most)
    return (gray * np.float32(255 / stored)).clip(0, 255).round().astype(np.uint8)


def list_folder(folder: Path) -> list[Path]:
    """Pictures of a folder by name; videos if it holds none; keypoint files if it holds neither.

    One kind only, because detectors write their keypoint files beside the pictures; pictures that move are among the
    pictures. Warnings tell of those of other kinds, and of overlays and side views of files here, which are no inputs.
    Raises InputError when empty.
    """
    files = sorted(path for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    if results := results_among(files):
        warn(
            f"{folder}: {len(results)} picture(s) of results left out ({results[0].name}, ...); name them to take them"
        )
    files = [path for path in files if path not in results]
    sure = tuple(suffix for suffix in KEYPOINT_SUFFIXES if suffix != ".txt")  # which may be labels or anything
    for suffixes in (IMAGE_SUFFIXES, VIDEO_SUFFIXES, sure, KEYPOINT_SUFFIXES):
        found = [path for path in files if has_suffix(path, suffixes)]
        if found:
            _tell_of_others(folder, files, found)
            return found
    raise InputError(f"{folder}: no picture, video or keypoint file in this folder")


def _tell_of_others(folder: Path, files: list[Path], taken: list[Path]) -> None:
    """A warning of the pictures, videos and keypoint files of other kinds; not of keypoints of what was taken."""
    stems = {path.stem for path in taken}
    others = Counter(
        path.suffix.lower()
        for path in files
        if path not in taken
        and (
            _is_shown(path)
            or (is_keypoint_file(path) and path.suffix.lower() != ".txt" and not belongs(path.stem, stems))
        )
    )
    if others:
        told = ", ".join(f"{count} {suffix}" for suffix, count in others.items())
        warn(f"{folder}: of a folder one kind is taken, {taken[0].suffix} here; left out {told}: give them by name")


def _is_shown(path: Path) -> bool:
    """Whether a file is a picture or a video by its suffix, also one of those that cannot be read."""
    kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
    return kind in ("image", "video") or has_suffix(path, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
