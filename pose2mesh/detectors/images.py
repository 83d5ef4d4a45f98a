"""Read pictures, folders of them, and the frames of videos."""

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose2mesh.detectors.readers import KEYPOINT_SUFFIXES
from pose2mesh.errors import FormatError, InputError, MissingDependencyError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
SMALLEST_SIDE = 8  # pixels


def is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_keypoint_file(path: Path) -> bool:
    return path.suffix.lower() in KEYPOINT_SUFFIXES


def read_image(path: str | Path) -> np.ndarray:
    """Picture as uint8 [H, W, 3] RGB: upright by its EXIF tag, transparency on white, 16-bit scaled to 8.

    Raises InputError when there is no such file or it is too large, FormatError when it is damaged or no
    picture.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                array = _to_rgb(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"{path}: more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; scale it down"
        ) from error
    except UnidentifiedImageError as error:
        raise FormatError(f"{path}: not a picture (or empty); expected {', '.join(IMAGE_SUFFIXES)}") from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # Pillow's decoders leak OSError, SyntaxError, struct.error, ... on damaged files
        raise FormatError(f"{path}: damaged or truncated picture ({error})") from error
    if min(array.shape[:2]) < SMALLEST_SIDE:
        raise InputError(f"{path}: {array.shape[1]}x{array.shape[0]} pixels is too small to show a person")
    return array


def _to_rgb(picture) -> np.ndarray:
    """Pixels of a Pillow picture as uint8 [H, W, 3]."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        gray = _gray_to_8_bit(np.asarray(picture, np.float64))  # [H, W]
        return np.repeat(gray[..., None], 3, axis=-1)
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def _gray_to_8_bit(gray: np.ndarray) -> np.ndarray:
    """Scale gray [H, W] by the range it seems to be stored in: 0..1, 0..255 or 0..65535."""
    if not np.isfinite(gray).all():
        raise ValueError("pixels are not finite")
    highest = gray.max(initial=0)
    scale = 255 if highest <= 1 else 1 if highest <= 255 else 255 / 65535
    return (gray * scale).clip(0, 255).round().astype(np.uint8)


def _is_surely_keypoints(path: Path) -> bool:
    """Not a `.txt`, which may be labels or anything."""
    return is_keypoint_file(path) and path.suffix.lower() != ".txt"


def list_folder(folder: Path) -> list[Path]:
    """Pictures of a folder by name; videos if it holds none; keypoint files if it holds neither.

    One kind only, because detectors write their keypoint files beside the pictures. Raises InputError when
    empty.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for is_kind in (is_image, is_video, _is_surely_keypoints, is_keypoint_file):
        found = [path for path in files if is_kind(path)]
        if found:
            return found
    raise InputError(f"{folder}: no picture, video or keypoint file in this folder")


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Frames uint8 [H, W, 3] RGB of a video, one at a time.

    Raises MissingDependencyError without imageio's FFmpeg, FormatError when the file cannot be decoded.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if importlib.util.find_spec("imageio") is None or importlib.util.find_spec("imageio_ffmpeg") is None:
        raise MissingDependencyError(f"{path}: videos need imageio; pip install 'imageio[ffmpeg]'")
    import imageio.v3 as imageio

    try:
        yield from (np.asarray(frame) for frame in imageio.imiter(path, plugin="FFMPEG"))
    except (OSError, RuntimeError, ValueError, IndexError, StopIteration) as error:
        raise FormatError(f"{path}: not a video that FFmpeg can decode ({str(error)[:100]!r})") from error
