"""Hierarchies on disk: one npz each, a manifest with their hashes, verified whenever one is loaded.

A hierarchy is never rebuilt on the way: `pose2mesh build-graphs` writes it, everything else reads it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from pose2mesh import paths
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.hierarchy.arrays import FORMAT, arrays_to_hierarchy, content_digest, hierarchy_to_arrays
from pose2mesh.hierarchy.hierarchy import Hierarchy
from pose2mesh.npz import read_arrays, write_arrays

_MANIFEST = "manifest.json"
_SCALING_NOTE = "Laplacians are stored unscaled: L = I - D^-1/2 A D^-1/2; lambda_max scales them on use"
_REMEDY = "restore the file or rebuild it with `pose2mesh build-graphs`"


def save_hierarchy(path: str | Path, hierarchy: Hierarchy) -> Path:
    """Write one npz, atomically and without pickles; the same hierarchy gives the same bytes.

    Laplacians keep their float64; upsampling and pooling weights are stored as float32.
    """
    header, arrays = hierarchy_to_arrays(hierarchy)
    header["digest"] = content_digest(header, arrays)
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    write_arrays(path, {"header": text, **arrays})
    return Path(path)


def load_hierarchy(name: str | Path, verify: bool = True) -> Hierarchy:
    """Load a hierarchy by the name of one that ships ("anny_body_qem") or by path.

    With `verify`, a file that the manifest beside it lists must have the sha256 listed there (one that ships
    must be listed), and the content must have the digest that the file carries. Raises MissingFileError where
    there is no such file and FormatError where it is foreign, damaged or not the listed one.
    """
    is_path = isinstance(name, Path) or name.endswith(".npz")
    path = Path(name) if is_path else paths.graph(f"{name}.npz")
    if not path.is_file():
        raise MissingFileError(f"no hierarchy at {path}; make it with `pose2mesh build-graphs -o {path}`")
    content = path.read_bytes()
    if verify:
        _check_listed(path, content, must_be_listed=not is_path)
    try:
        return _parse(content, verify)
    except (FormatError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is damaged or no hierarchy: {error}; {_REMEDY}") from error


def hierarchy_digest(hierarchy: Hierarchy) -> str:
    """sha256 of everything in a hierarchy, wherever it lies and however it is packed."""
    return content_digest(*hierarchy_to_arrays(hierarchy))


def update_manifest(path: str | Path, made_by: str) -> Path:
    """List a stored hierarchy in the manifest beside it; `made_by` is the command line that made it.

    Returns the manifest's path. Entries of other files stay as they are.
    """
    path = Path(path)
    hierarchy = load_hierarchy(path, verify=False)
    manifest = path.with_name(_MANIFEST)
    entries = _read_manifest(manifest)
    entries[path.stem] = {
        "file": path.name,
        "pooling": hierarchy.pooling,
        "num_vertices": hierarchy.num_vertices,
        "sizes": list(hierarchy.sizes),
        "real_sizes": list(hierarchy.real_sizes),
        "lambda_max": list(hierarchy.lambda_max),
        "joint_set": hierarchy.joint_set,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "content_digest": hierarchy_digest(hierarchy),
        "made_by": made_by,
    }
    document = {"format": FORMAT, "scaling": _SCALING_NOTE, "graphs": dict(sorted(entries.items()))}
    paths.write_json(manifest, document, indent=2)
    return manifest


def _parse(content: bytes, verify: bool) -> Hierarchy:
    arrays = read_arrays(content, ("header",))
    header = json.loads(arrays.pop("header").tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}, this version reads {FORMAT!r}")
    digest = header.pop("digest")
    if verify and digest != content_digest(header, arrays):
        raise ValueError("its content does not have the digest it carries")
    return arrays_to_hierarchy(header, arrays)


def _check_listed(path: Path, content: bytes, must_be_listed: bool) -> None:
    """Compare a file with its entry in the manifest, by sha256."""
    entry = _read_manifest(path.with_name(_MANIFEST)).get(path.stem)
    if entry is None:
        if must_be_listed:
            raise FormatError(f"{path} is not listed in {path.with_name(_MANIFEST)}; {_REMEDY}")
        return
    found = hashlib.sha256(content).hexdigest()
    if found != entry.get("sha256"):
        raise FormatError(
            f"{path} has sha256 {found[:12]}…, the manifest lists {str(entry.get('sha256'))[:12]}…; {_REMEDY}"
        )


def _read_manifest(path: Path) -> dict[str, dict]:
    """The entries of a manifest by name; none where there is no manifest."""
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text())["graphs"]
        return {str(name): dict(entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} is not a manifest of hierarchies ({error!r}); restore it") from error
