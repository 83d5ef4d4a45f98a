"""`pose2mesh predict VIDEO`: one motion, in one folder, that a killed run goes on with.

The frames are gone through once for the people's poses; rows of them are put aside in `OUT/STEM/.parts` as they come,
and a later run begins behind them. Only then is it known who is who over the whole video and how they move, so the
overlay takes a second look at the frames.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh import __version__
from pose2mesh.cli.progress import expect
from pose2mesh.errors import InputError, nobody_named
from pose2mesh.npz import read_arrays, write_arrays, write_long_array
from pose2mesh.paths import check_writable, held, write_json
from pose2mesh.skeletons import convert
from pose2mesh.types import Keypoints2D, Motion

MOTION_FORMATS = ("mp4", "npz", "glb", "bvh", "html", "vertices")
_PART = 150  # frames between two parts on disk


def predict_video(model: Any, source: Path, folder: Path, options: argparse.Namespace, bar: Any) -> Motion:
    """Recover the motion of a video, numbered pictures or keypoint files; write what `options.save` lists to `folder`.

    `bar` counts frames. Raises InputError for formats of single frames, NoPersonFoundError, FormatError.
    """
    from pose2mesh.detectors.sources import is_sequence, sequence_info

    formats = ["mp4" if name == "png" else name for name in options.save]
    if wrong := [name for name in formats if name not in MOTION_FORMATS]:
        raise InputError(
            f"{source}: a video is one motion, saved as {', '.join(MOTION_FORMATS)}; "
            f"for {', '.join(wrong)} of every frame add --no-track"
        )
    if options.side_view or options.handedness:
        given = (
            "--side_view is of pictures (or of frames, with --no-track)"
            if options.side_view
            else "--handedness is of hands"
        )
        raise InputError(f"{source}: {given}, and this is a motion of bodies; leave it out")
    if source.resolve() == folder.resolve():
        raise InputError(f"{source}: its results would lie among its own files; give another -o")
    options = argparse.Namespace(**{**vars(options), "smooth": options.smooth or "auto"})
    fps, count = sequence_info(source, options.fps)
    known = 1 if source.is_dir() else count or 1  # to the bar
    expect(bar, (count or 1) * (1 + ("mp4" in formats)) - known)
    builder, parts = model.motion_builder(), folder / ".parts"
    lock = folder.with_name(f".{folder.name}.lock")
    check_writable(lock)
    with held(lock, f"{folder}: another run writes there; wait for its end, or give another -o"):  # parts would mix
        rows = builder.join(list(_all_rows(model, builder, source, parts, options, bar)))
        with nobody_named(source):
            motion = builder.build(rows, fps, options.smooth, options.fit, options.subject)
        motion = replace(motion, source=source if is_sequence(source) else None)
        _save(motion, folder, formats, options, bar)
        if "bvh" in formats:
            _remove_others(folder, motion)
        shutil.rmtree(parts)
    return motion


def _remove_others(folder: Path, motion: Motion) -> None:
    """Bones of people of an earlier run who are not in this one."""
    own = {f"animation_{track}.bvh" for track in motion.tracks}
    for path in folder.glob("animation_*.bvh"):
        if path.name not in own and path.stem.removeprefix("animation_").isdecimal():
            path.unlink()


def _all_rows(
    model: Any, builder: Any, source: Path, parts: Path, options: argparse.Namespace, bar: Any
) -> Iterator[Any]:
    """Rows of all frames: those that an earlier run put aside, then new ones, which are put aside as well."""
    from pose2mesh.tracking import IdentityTracker
    from pose2mesh.tracking.motion import Rows

    _begin(parts, source, options)
    tracker, start = IdentityTracker(), 0
    for path in sorted(parts.glob("*.npz")):
        arrays = read_arrays(path, (*Rows._fields, "end", "joint_set"), remedy=f"remove {parts} to begin again")
        rows = Rows(**{name: arrays[name] for name in Rows._fields})
        _remember(tracker, rows, model.network.joint_set, str(arrays["joint_set"]))
        start = int(arrays["end"])
        yield rows
    told = {name: getattr(options, name) for name in ("intrinsics", "image_size", "fit", "subject")}
    frames = model.track(
        source,
        options.joint_set,
        options.finder,
        options.batch_size,
        tracker=tracker,
        start=start,
        fps=options.fps,
        **{**told, **builder.wants(options.smooth, options.fit, options.subject)},
    )
    bar.update(start)
    while part := [(f.index, f.time, f.people) for f in islice(frames, _PART) if bar.update() or True]:
        rows, start = builder.rows(part), part[-1][0] + 1
        more = {"end": np.array(start), "joint_set": np.array(tracker.joint_set)}
        write_arrays(parts / f"{start:09d}.npz", rows._asdict() | more)
        yield rows


def _begin(parts: Path, source: Path, options: argparse.Namespace) -> None:
    """Keep the parts of an earlier run of the same file with the same settings, weights and program; others go."""
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    files += [path for path in [Path(options.weights or "")] if path.is_file()]
    changed = [file.stat() for file in files]
    who = ("kind", "weights", "detector", "max_people", "min_score", "refine", "fit", "subject", "smooth")
    seen = ("joint_set", "intrinsics", "image_size", "fps")
    settings = {name: str(getattr(options, name)) for name in (*who, *seen)}
    settings |= {
        "version": __version__,
        "source": str(source.absolute()),
        "state": [[s.st_size, s.st_mtime_ns] for s in changed],
    }
    note = parts / "settings.json"
    try:
        kept = json.loads(note.read_text()) == settings
    except (OSError, ValueError):
        kept = False
    if not kept:
        shutil.rmtree(parts, ignore_errors=True)
        write_json(note, settings)


def _remember(tracker: Any, rows: Any, joint_set: str, seen_set: str) -> None:
    """Bring a tracker to where it was behind these rows: it saw these joints in the detector's set.

    Those that the network does not take (corners of eyes and mouth) are not known any more.
    """
    for frame in np.unique(rows.frame):
        own = rows.frame == frame
        keypoints = rows.keypoints[own]  # [P, J, 3]
        points, confidence = convert(keypoints[..., :2], keypoints[..., 2], joint_set, seen_set)
        tracker.update(Keypoints2D(points, confidence, seen_set), float(rows.time[own][0]))


def _save(motion: Motion, folder: Path, formats: list[str], options: argparse.Namespace, bar: Any) -> None:
    from pose2mesh.tracking.bodies import MotionBodies
    from pose2mesh.viewer import motion_film, motion_page

    for suffix, name in (("npz", "motion.npz"), ("glb", "animation.glb")):
        if suffix in formats:
            motion.save(folder / name)
    if "html" in formats:
        glb = (folder / "animation.glb").read_bytes() if "glb" in formats else None
        motion_page(motion, folder / "animation.html", folder.name, glb)
    if "bvh" in formats:
        for track in motion.tracks:
            motion.only(track).save(folder / f"animation_{track}.bvh")
    if "vertices" in formats:
        bodies = MotionBodies(motion)
        parts = (bodies.vertices(slice(row, row + _PART)) for row in range(0, len(motion), _PART))
        shape = (len(motion), *bodies.vertices(slice(1)).shape[1:])  # [N, V, 3]
        write_long_array(folder / "vertices.npz", "vertices", shape, parts, faces=bodies.decoder.faces)
    if "mp4" in formats:
        motion_film(motion, folder / "overlay.mp4", options.overlay, options.draw_keypoints, bar.update)
