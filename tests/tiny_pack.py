"""A motion pack of small random turns, so that tests of data and training need no recordings."""

from pathlib import Path

import numpy as np

from pose2mesh.datasets.motion_pack import MotionClip, MotionPack


def write_pack(path: Path, clips: dict[str, int] | None = None, seed: int = 0) -> Path:
    """Write clips of the given numbers of frames (default: 7 and 5); a clip's name starts with its subject."""
    clips = clips or {"01_01": 7, "02_01": 5}
    rng = np.random.default_rng(seed)
    made = [
        MotionClip(rng.normal(0, 0.2, (frames, 19, 3)).astype(np.float32), np.arange(0, 4 * frames, 4), name)
        for name, frames in clips.items()
    ]
    MotionPack.from_clips(made, [name[:2] for name in clips], ["made up"] * len(clips)).save(path)
    return path
