"""three.js with its glTF loader, out of the installed trimesh, whose own viewer carries it (MIT)."""

import functools
import zipfile
from importlib import resources

from pose2mesh.errors import MissingDependencyError

_ARCHIVE, _PAGE = "resources/templates/viewer.zip", "viewer.html.template"
_BEGIN, _END = "<script>", "THREE.GLTFLoader=GLTFLoader;})();"
_NEEDED = ("WebGLRenderer", "SkinnedMesh", "AnimationMixer", "GLTFLoader")


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
