"""The bar of `pose2mesh predict`: frames that are done, of those that are known to come."""

import sys
from pathlib import Path
from typing import Any

from pose2mesh.errors import InputError


def progress(files: list[Path]) -> Any:
    """A bar of the frames to do on a terminal, after the first second; nothing elsewhere."""
    from tqdm import tqdm

    total = sum(map(_num_frames, files)) if sys.stderr.isatty() else None
    return tqdm(total=total, unit="picture", file=sys.stderr, disable=None, delay=1, leave=False)


def expect(bar: Any, more: int) -> None:
    """Frames that the bar did not know of."""
    if bar.total is not None:
        bar.total += more
        bar.refresh()


def _num_frames(file: Path) -> int:
    """Frames of a file as far as its header tells; one of a file whose fault is told when its turn comes."""
    from pose2mesh.detectors.video_files import is_video, video_info

    try:
        return (is_video(file) and video_info(file).num_frames) or 1
    except InputError:
        return 1
