"""Files and folders of recordings as motion packs, whatever their format."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pose2mesh.datasets.acclaim import read_amc
from pose2mesh.datasets.bvh import read_bvh
from pose2mesh.datasets.gltf_animation import read_gltf
from pose2mesh.datasets.motion_pack import MotionClip, MotionPack
from pose2mesh.datasets.recording import Recording
from pose2mesh.errors import FormatError, MissingFileError, warn

_READERS: dict[str, Callable[[Path], list[Recording]]] = {
    **{".bvh": read_bvh, ".amc": read_amc},
    **{".glb": read_gltf, ".gltf": read_gltf},
}
SUFFIXES = tuple(_READERS)


def read_clips(path: str | Path) -> list[MotionClip]:
    """Every recording of one file on Anny's bones, cleaned, at 30 Hz (docs/data.md gives the rules).

    A recording of which cleaning leaves nothing gives a clip with no frames; what of a file cannot be used beside other
    recordings (a horse) is left out with a warning. Raises MissingFileError; FormatError for a malformed file, joints
    that were not recognized, or no T-pose; MissingDependencyError.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} not found; give a recording ({', '.join(SUFFIXES)}) or a folder of them")
    try:
        return _usable_clips(_READERS[path.suffix.lower()](path), path)
    except FormatError as error:
        raise FormatError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _usable_clips(recordings: list[Recording], path: Path) -> list[MotionClip]:
    """Clips of the recordings that can be used; raises the first error where none can."""
    clips, errors = [], []
    for recording in recordings:
        try:
            clips.append(recording.clip())
        except FormatError as error:
            errors.append((recording.name, error))
    if errors and not clips:
        raise errors[0][1]
    for name, error in errors:
        warn(f"{path}: {name} is left out: {error}")
    return clips


def find_recordings(place: str | Path) -> list[Path]:
    """The recordings in a folder and below it, in the order of their paths; or the one file that is given.

    Raises MissingFileError if there is none.
    """
    place = Path(place)
    if not place.exists():
        raise MissingFileError(f"{place} not found; give a recording ({', '.join(SUFFIXES)}) or a folder of them")
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in _READERS) if place.is_dir() else [place]
    if not found:
        raise MissingFileError(f"{place} holds no {', '.join(SUFFIXES)} files; give the folder that does")
    return found


def load_recordings(place: str | Path) -> MotionPack:
    """Read every recording in a folder and below it, or one file.

    Recordings of which cleaning leaves nothing are left out. Raises MissingFileError if there is none; FormatError if
    one is malformed or nothing is left.
    """
    place = Path(place)
    return join_clips([(place, path, clip) for path in find_recordings(place) for clip in read_clips(path)])


def join_clips(clips: Sequence[tuple[Path, Path, MotionClip]]) -> MotionPack:
    """A pack of clips, each with the place it was found in and its file; at least one, and empty ones are left out.

    The subject of a clip is the number in a CMU name (`07` of `07_12`), else its subfolder of the place, else its
    file's name. Raises FormatError if nothing is left.
    """
    kept = [found for found in clips if len(found[2].rotvec)]
    if not kept:
        raise FormatError(f"{clips[0][0]}: nothing is left after cleaning (too short, or tracking flips throughout)")
    subjects = [_subject(path, place) for place, path, _ in kept]
    sources = [f"{path.suffix.lower()[1:]}:{path.name}" for _, path, _ in kept]
    return MotionPack.from_clips([clip for *_, clip in kept], subjects, sources)


def number_of(path: Path) -> str:
    """Of the performer of a take of CMU's, `07` of `07_12`; "" for other names, such as `run_01_02`."""
    found = re.match(r"(\d{2,3})_\d{2,3}(?![^_])", path.stem)
    return found[1] if found else ""


def _subject(path: Path, place: Path) -> str:
    name = path.stem if path.parent in (place, place.parent) else path.parent.name
    return number_of(path) or name
