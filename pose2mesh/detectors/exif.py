"""The focal length that a camera wrote into its picture."""

from pathlib import Path

from pose2mesh.detectors.images import open_picture
from pose2mesh.geometry.projection import default_focal
from pose2mesh.types import Intrinsics

_EXIF, _FOCAL_35MM = 0x8769, 0xA405  # tags of EXIF 2.3: the camera's part, FocalLengthIn35mmFilm
_FILM = default_focal((36.0, 24.0))  # mm, the diagonal of 35 mm film, by which equivalent focal lengths are defined
_PLAUSIBLE = 5, 2000  # mm


def exif_focal(path: str | Path, shape: tuple[int, ...]) -> Intrinsics | None:
    """Focal length in pixels of a picture of the shape [H, W, ...]; None where it does not tell, or nothing sensible.

    A crop that keeps the tag of the whole picture cannot be told from the whole.
    """
    try:
        with open_picture(Path(path)) as picture:
            millimetres = float(picture.getexif().get_ifd(_EXIF).get(_FOCAL_35MM, 0))
    except Exception:  # damaged tags raise whatever their parser meets; the picture itself was read
        return None
    if not _PLAUSIBLE[0] <= millimetres <= _PLAUSIBLE[1]:  # 0 means unknown
        return None
    return Intrinsics(millimetres / _FILM * default_focal((shape[1], shape[0])))
