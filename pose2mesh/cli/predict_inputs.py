"""What the inputs of `pose2mesh predict` are, and which options could do nothing for them."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from pose2mesh.cli.writing import FORMATS
from pose2mesh.errors import InputError, warn


def is_motion(path: Path, options: argparse.Namespace) -> bool:
    """Whether an input is followed over time, of bodies: a video, numbered pictures, keypoint files where one asks."""
    from pose2mesh.detectors.sources import is_sequence, keypoint_files

    if options.track is False or options.kind != "body":
        return False
    return is_sequence(path) or bool(options.track and keypoint_files(path))


def files_of(path: Path, options: argparse.Namespace) -> Iterator[Path]:
    """The files behind an input that is no motion. Raises InputError where it was to be one and lacks a picture."""
    from pose2mesh.detectors.sources import expand_inputs, missing_number

    is_apart = options.kind != "body" or options.track is False
    if not is_apart and (gap := missing_number(path)) is not None:
        told = f"{path}: no motion, for its picture number {gap} is missing"
        if options.track or options.smooth or options.fps is not None or not set(options.save) & set(FORMATS):
            raise InputError(f"{told}; add it, number them anew, or leave out what is of motions")
        warn(f"{told}: taken as photos; for one motion add it or number them anew, for photos give --no-track")
    return expand_inputs([path])


def _remedy(file: Path, options: argparse.Namespace) -> str:
    """What to do where nothing but formats of motions is wanted of single frames."""
    from pose2mesh.detectors.sources import keypoint_files

    if options.kind != "body" or options.track is False:
        apart = "--no-track" if options.kind == "body" else f"--kind {options.kind}"
        return f"{apart} recovers frame by frame, so leave that out, or save as {', '.join(FORMATS)}"
    return ("add --track, or " if keypoint_files(file) else "") + f"save it as {', '.join(FORMATS)}"


def check_single(file: Path, options: argparse.Namespace) -> None:
    """Raise InputError where something is wanted of single frames that only motions have."""
    if not options.side_view and not set(options.save) & set(FORMATS):
        raise InputError(f"{file}: {', '.join(options.save)} belong to motions; {_remedy(file, options)}")
    if options.track or options.smooth or options.fps is not None:
        given = "--smooth is" if options.smooth else "--track and --fps are"
        raise InputError(f"{file}: {given} of bodies in videos, numbered pictures, tracked keypoints")


def check_keypoint_options(files: Sequence[Path], options: argparse.Namespace) -> None:
    """Raise InputError for what is said of keypoint files where none is one, and of pictures where all are."""
    from pose2mesh.detectors.images import is_keypoint_file
    from pose2mesh.detectors.sources import is_sequence

    are_keypoints = {not is_sequence(file) if file.is_dir() else is_keypoint_file(file) for file in files}
    if options.joint_set is not None and are_keypoints == {False}:
        raise InputError("--joint-set is of keypoint files, and no input is one; leave it out")
    if options.detector not in ("auto", "none") and are_keypoints == {True}:
        raise InputError(f"--detector {options.detector} is of pictures, and all inputs are keypoints; leave it out")
