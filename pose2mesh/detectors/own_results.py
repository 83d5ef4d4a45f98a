"""Which files of a folder `predict` wrote itself, so that they are not the next run's inputs."""

import re
from collections.abc import Iterable
from pathlib import Path

_PICTURE = re.compile(r"(.+)_(?:overlay|\d+_side)\.png", re.IGNORECASE | re.DOTALL)  # `cli.writing` names them


def results_among(files: list[Path]) -> list[Path]:
    """Pictures that show the results of other files here."""
    stems = {path.stem for path in files}
    drawn = ((path, _PICTURE.fullmatch(path.name)) for path in files)
    return [path for path, found in drawn if found and belongs(found[1], stems)]


def belongs(stem: str, stems: Iterable[str]) -> bool:
    """Whether a result's stem is one of these, or one with the number of a person or of a name that was taken."""
    return stem in stems or re.sub(r"_\d+$", "", stem) in stems
