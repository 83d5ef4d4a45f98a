"""Write the page: our HTML, style and script, three.js, and the result as JSON, all in one file."""

import base64
import functools
import html
import io
import json
import zipfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.exporters.gltf import glb_bytes
from pose2mesh.exporters.motion import check_motion
from pose2mesh.exporters.person import Y_UP, mesh_bytes
from pose2mesh.exporters.validation import check_person
from pose2mesh.paths import write_bytes
from pose2mesh.rendering.contact_sheet import shrink
from pose2mesh.rendering.scene import tint_of
from pose2mesh.rendering.shading import TINTS
from pose2mesh.types import Motion, Person

_SOURCES = ("page.html", "page.css", "page.js", "controls.js")
_LONGEST_SIDE = 1600  # pixels of the photo in the page
_QUALITY = 88  # of its JPEG
_ARCHIVE, _PAGE = "resources/templates/viewer.zip", "viewer.html.template"
_BEGIN, _END = "<script>", "THREE.GLTFLoader=GLTFLoader;})();"
_NEEDED = ("WebGLRenderer", "SkinnedMesh", "AnimationMixer", "GLTFLoader")


def people_page(
    people: Sequence[Person], path: str | Path, image: np.ndarray | None = None, title: str = "pose2mesh"
) -> Path:
    """Write the people of one picture as a page, atomically: they stand before the photo, where its camera saw them.

    Shapes: image [H, W, 3] uint8, or None. Returns the path. Raises InputError for people without meshes,
    MissingDependencyError without three.js, MachineError when the disk is full.
    """
    if not people:
        raise InputError(f"{path}: nobody to show")
    for index, person in enumerate(people):
        check_person(person, f"people[{index}]")
    record: dict[str, Any] = {"models": [_model(person, index) for index, person in enumerate(people)]}
    camera = people[0].camera
    if camera is not None:
        size = camera.image_size or (image.shape[1::-1] if image is not None else None)
        record["camera"] = {"focal": camera.focal, "center": list(camera.center), "size": size and list(size)}
    if image is not None:
        record["photo"] = _photo(image)
    return _write(record, path, title)


def glb_page(content: bytes, path: str | Path, title: str = "pose2mesh") -> Path:
    """Write a GLB, with its animation if it has one, as a page, atomically. Returns the path.

    Raises InputError for other content, MissingDependencyError without three.js, MachineError when the disk is full.
    """
    if content[:4] != b"glTF":
        raise InputError(f"{path}: this is no binary glTF (GLB)")
    return _write({"models": [{"name": title, "glb": _text(content)}]}, path, title)


def motion_page(motion: Motion, path: str | Path, title: str = "pose2mesh", glb: bytes | None = None) -> Path:
    """Write people over time as a page that plays them, atomically; `glb` is what `write_glb` made of them, if it did.

    Raises InputError for a malformed motion or another body than Anny, MissingDependencyError without pygltflib.
    """
    check_motion(motion)
    glb = glb_bytes(motion) if glb is None else glb
    model = {"name": title, "glb": _text(glb), "colors": [list(tint) for tint in TINTS]}
    return _write({"models": [model]}, path, title)


def _model(person: Person, index: int) -> dict[str, Any]:
    """One person: their mesh as GLB, where it stands (y up), and the joints."""
    uncertainty, seen = person.uncertainty, person.seen  # [J] m, [J] bool
    place = np.zeros(3) if person.camera is None else np.asarray(person.camera.translation) * Y_UP
    return {
        "name": f"{person.handedness} hand {index}" if person.handedness else f"person {index}",
        "glb": _text(mesh_bytes(person, ".glb")),
        "colors": [list(tint_of(person, index))],
        "place": place.tolist(),
        "score": round(float(person.score), 3),
        "joints": {
            "names": list(person.joint_names),
            "points": (np.asarray(person.joints) * Y_UP).round(5).tolist(),
            "uncertainty": None if uncertainty is None else np.asarray(uncertainty, float).round(4).tolist(),
            "seen": None if seen is None else np.asarray(seen, bool).tolist(),
        },
    }


def _photo(image: np.ndarray) -> str:
    from PIL import Image

    stream = io.BytesIO()
    small = shrink(image, min(1.0, _LONGEST_SIDE / max(image.shape[:2])))
    Image.fromarray(small).save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{_text(stream.getvalue())}"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _write(record: dict[str, Any], path: str | Path, title: str) -> Path:
    folder, path = resources.files("pose2mesh.viewer"), Path(path)
    template, style, page, controls = ((folder / name).read_text(encoding="utf-8") for name in _SOURCES)
    data = json.dumps({"title": title, **record}, allow_nan=False).replace("<", "\\u003c")  # no early end of the script
    filled = {"TITLE": html.escape(title), "STYLE": style, "PAGE": page, "CONTROLS": controls}
    filled |= {"THREE": three_js(), "DATA": data}
    before, *rest = template.split("@@")  # text, name, text, name, ..., text
    text = [before, *(filled[part] if index % 2 == 0 else part for index, part in enumerate(rest))]
    write_bytes(path, "".join(text).encode())
    return path


@functools.cache
def three_js() -> str:
    """The script that defines the global `THREE`, some 700 kB.

    Raises MissingDependencyError when this trimesh holds no three.js, or another one.
    """
    try:
        with resources.as_file(resources.files("trimesh") / _ARCHIVE) as path, zipfile.ZipFile(path) as archive:
            page = archive.read(_PAGE).decode()
    except (OSError, KeyError, ImportError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise _missing(str(error)) from error
    begin, end = page.find(_BEGIN), page.find(_END)
    script = page[begin + len(_BEGIN) : end + len(_END)]
    if min(begin, end) < 0 or "</script" in script or not all(name in script for name in _NEEDED):
        raise _missing("its viewer is built otherwise")
    return script


def _missing(reason: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"no three.js in the installed trimesh ({reason}), so no HTML can be written: pip install 'trimesh==5.2.0'"
    )
