"""What an option says of camera and picture, the same for every command that reads keypoints."""

import argparse

from pose2mesh.errors import InputError
from pose2mesh.types import Intrinsics


def add_camera_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--focal", type=float, metavar="PX", help="focal length of the camera in pixels (default: EXIF, or a guess)")
    add("--intrinsics", metavar="FILE", help="the camera: fx, fy, cx, cy or a matrix K, as JSON, YAML or NPZ")
    add(
        "--image-size",
        metavar="WxH",
        help="size in pixels of the picture that keypoints are from, where files do not say",
    )


def camera_of(options: argparse.Namespace) -> tuple[Intrinsics | None, tuple[int, int] | None]:
    """The camera and the picture's (width, height), None where the options say nothing. Raises InputError."""
    from pose2mesh.detectors.intrinsics import as_intrinsics, parse_size

    if None not in (options.focal, options.intrinsics):
        raise InputError("--focal and --intrinsics say the same; give one of them")
    given = options.focal if options.intrinsics is None else options.intrinsics
    size = None if options.image_size is None else parse_size(options.image_size)
    return None if given is None else as_intrinsics(given), size
