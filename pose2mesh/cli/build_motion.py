"""`pose2mesh build-motion`: your own copy of CMU's database, BVH files or glTF characters to a motion pack."""

from pathlib import Path
from typing import TYPE_CHECKING

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import FormatError, InputError

if TYPE_CHECKING:
    from pose2mesh.datasets.motion_pack import MotionClip, MotionPack

SPLITS = ("train", "validation", "test")
_SHOWN = 8  # takes that a line lists at most


def run(arguments: list[str]) -> int:
    """Read, retarget, clean, calibrate and store recordings; errors are raised (see `pose2mesh.errors`)."""
    options = _parser().parse_args(arguments)
    if options.output.suffix != ".npz":
        raise InputError(f"-o {options.output}: a motion pack is stored as .npz")

    from pose2mesh.datasets.recordings import join_clips
    from pose2mesh.paths import check_writable

    check_writable(options.output)  # not after an hour of reading
    takes = _listed(options.takes) if options.takes else {}
    clips = _read(options.places, takes)
    if not clips:
        raise FormatError(f"{options.places[0]}: no recording could be read; see the lines above")
    pack = join_clips(clips)
    pack, taken_out = (pack, {}) if options.as_recorded else _calibrated(pack)
    pack.save(options.output)
    _report(pack, taken_out, takes)
    print(f"wrote {options.output} ({options.output.stat().st_size / 1e6:.1f} MB)")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="pose2mesh build-motion", description=__doc__)
    parser.add_argument("places", type=Path, nargs="+", metavar="FOLDER", help="folders, searched below too, or files")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACK", help="the .npz to write")
    parser.add_argument(
        "--takes", choices=SPLITS, help="only those CMU takes that are in this split of the shipped weights"
    )
    parser.add_argument(
        "--as-recorded", action="store_true", help="leave in what keeps a performer's knees bent all the time"
    )
    return parser


def _listed(split: str) -> dict[str, int]:
    """Frames that each CMU take of a split has in the packs behind the shipped weights."""
    import json

    from pose2mesh import paths

    return json.loads(paths.asset("statistics/cmu_takes.json").read_text(encoding="utf-8"))[split]


def _read(places: list[Path], takes: dict[str, int]) -> "list[tuple[Path, Path, MotionClip]]":
    """Clips with their place and file; a file that cannot be used gets a line and is left out."""
    from tqdm import tqdm

    from pose2mesh.datasets.recordings import find_recordings, number_of, read_clips

    files = {  # a take of CMU's counts once, wherever it lies; other names are given again and again
        path.stem if number_of(path) else path.resolve(): (place, path)
        for place in places
        for path in find_recordings(place)
    }
    wanted = [found for found in files.values() if not takes or found[1].stem in takes]
    if not wanted:
        raise InputError(
            f"{places[0]}: none of the takes of this split is there; their names are like {next(iter(takes))}"
        )
    clips = []
    for place, path in tqdm(wanted, desc="reading", unit="file"):
        try:
            clips += [(place, path, clip) for clip in read_clips(path)]
        except FormatError as error:
            tqdm.write(f"left out: {error}")
    return clips


def _calibrated(pack: "MotionPack") -> "tuple[MotionPack, dict[str, tuple[float, float]]]":
    from dataclasses import replace

    from pose2mesh.datasets.calibration import straighten_knees

    rotvec, taken_out = straighten_knees(pack.rotvec, [pack.clip_subject[clip] for clip in pack.clip_id])
    return replace(pack, rotvec=rotvec), taken_out


def _report(pack: "MotionPack", taken_out: dict[str, tuple[float, float]], takes: dict[str, int]) -> None:
    """A line per performer, and how the takes compare with those of the split."""
    import numpy as np

    counts = np.bincount(pack.clip_id).tolist()
    print(f"{'performer':16s}{'takes':>7s}{'frames':>8s}  knee bend taken out, left and right (degrees)")
    for subject in dict.fromkeys(pack.clip_subject):
        own = [count for count, of in zip(counts, pack.clip_subject, strict=True) if of == subject]
        bend = "  {:.1f} {:.1f}".format(*taken_out[subject]) if taken_out else "  -"
        print(f"{subject:16s}{len(own):7d}{sum(own):8d}{bend}")
    if takes:
        frames = dict(zip(pack.clip_name, counts, strict=True))
        missing = [name for name in takes if name not in frames]
        different = [f"{n} ({frames[n]}, listed {c})" for n, c in takes.items() if n in frames and frames[n] != c]
        for what, names in (("are missing", missing), ("have other frame counts", different)):
            shown = ": " + ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "") if names else ""
            print(f"{len(names)} of the {len(takes)} listed takes {what}{shown}")
