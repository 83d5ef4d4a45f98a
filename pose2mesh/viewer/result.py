"""A page of a result that is on disk already."""

import zipfile
from pathlib import Path

from pose2mesh.errors import FormatError, InputError
from pose2mesh.exporters import load_motion_file, load_people
from pose2mesh.paths import not_over, write_bytes
from pose2mesh.viewer.page import glb_page, motion_page, people_page


def result_page(result: str | Path, path: str | Path | None = None) -> Path:
    """The page of a result: an .html as it is, else one written of an .npz or .glb, beside it unless `path` says where.
    An .html is copied there.

    A page beside it that is no older is returned as it is, for `predict` writes it with the photo.

    Raises InputError for another file or one without people, FormatError when it is damaged.
    """
    result = Path(result)
    if not result.is_file():
        what = "a folder" if result.is_dir() else "no such file"
        raise InputError(f"{result}: {what}; give a result of predict (.html, .npz or .glb)")
    suffix = result.suffix.lower()
    if path is not None:
        not_over(path, result)
        if Path(path).suffix.lower() != ".html":
            raise InputError(f"cannot write {path}: a page ends in .html")
    if suffix == ".html":
        return result if path is None else _copied(result, Path(path))
    beside = result.with_suffix(".html")
    is_written = beside.is_file() and beside.stat().st_mtime_ns >= result.stat().st_mtime_ns
    if path is None and is_written and suffix in (".npz", ".glb"):
        return beside
    path = Path(path) if path else beside
    not_over(path, result)
    if suffix == ".glb":
        content = result.read_bytes()
        if content[:4] != b"glTF":
            raise FormatError(f"{result} is damaged or no GLB; write it again")
        return glb_page(content, path, result.stem)
    if suffix == ".npz":
        if _is_motion(result):
            return motion_page(load_motion_file(result), path, result.stem)
        return people_page(load_people(result), path, title=result.stem)
    raise InputError(f"{result}: {suffix or 'a file without suffix'} cannot be shown; give .html, .npz or .glb")


def _copied(page: Path, path: Path) -> Path:
    write_bytes(path, page.read_bytes())
    return path


def _is_motion(path: Path) -> bool:
    """Whether an .npz holds people over time; a damaged one does not, and its reader says so."""
    return zipfile.is_zipfile(path) and "track.npy" in zipfile.ZipFile(path).namelist()
