"""Arguments that several commands share: their parser, numbers, and what an option says of camera and picture."""

import argparse
from typing import TYPE_CHECKING, NoReturn

from pose2mesh.errors import InputError

if TYPE_CHECKING:  # it needs numpy, which `doctor` may find missing
    from pose2mesh.types import Intrinsics


class Parser(argparse.ArgumentParser):
    """Wrong arguments become an InputError, one line like every other; inputs may stand before and behind options."""

    def parse_args(self, args=None, namespace=None):
        if args is not None and "--" in args:  # what follows are inputs, also where they begin with a dash
            before = list(args).index("--")
            args = [*args[:before], *(f"./{text}" if text.startswith("-") else text for text in args[before + 1 :])]
        return self.parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def add_camera_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--focal", type=float, metavar="PX", help="focal length of the camera in pixels (default: EXIF, or a guess)")
    add("--intrinsics", metavar="FILE", help="the camera: fx, fy, cx, cy or a matrix K, as JSON, YAML or NPZ")
    add(
        "--image-size",
        metavar="WxH",
        help="size in pixels of the picture that keypoints are from, where files do not say",
    )


def camera_of(options: argparse.Namespace) -> tuple["Intrinsics | None", tuple[int, int] | None]:
    """The camera and the picture's (width, height), None where the options say nothing. Raises InputError."""
    from pose2mesh.detectors.intrinsics import as_intrinsics, parse_size

    if None not in (options.focal, options.intrinsics):
        raise InputError("--focal and --intrinsics say the same; give one of them")
    given = options.focal if options.intrinsics is None else options.intrinsics
    size = None if options.image_size is None else parse_size(options.image_size)
    return None if given is None else as_intrinsics(given), size


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 999999")
    return int(text)


def shard_of_text(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N, for example 0/4")
    if not int(index) < int(count):
        raise argparse.ArgumentTypeError(f"{text!r}: I runs from 0 to N-1")
    return int(index), int(count)
