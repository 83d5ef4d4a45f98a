"""Where the user's SMPL and MANO files are found, and what is checked before they are believed.

Licensed files are neither shipped nor downloaded. Searched in this order: the path given, the folder in
`POSE2MESH_MODELS`, `./models`, `models` in the user cache; in each with the folders that other projects use, in the
order of `_FOLDERS`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose2mesh import paths
from pose2mesh.body_models.unpickling import read_pickle
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.npz import read_array, read_arrays

NUM_SHAPE = 10  # components read; files with 300 hold the same ten first
_FOLDERS = (
    "", "smpl", "mano", "smpl/models", "mano/models",  # the folders of smplx.create and of the archives
    "models", "models/smpl", "models/mano",  # one folder above those: `models` beside smplx, the root of MANO's archive
    "mano_v1_2/models", "code/models", "smplify_public/code/models",  # MANO's archive, SMPLify's
    "data", "data/smpl", "data/mano",  # 4D-Humans and its cache
    "mano_data", "_DATA/data", "_DATA/data/smpl", "_DATA/data/mano",  # WiLoR; HaMeR
    "smplpytorch/smplpytorch/native/models", "manopth/mano/models",  # a checkout of the Pose2Mesh release,
    "Human36M", "COCO", "data/Human36M", "data/COCO",  # and its regressors
)  # fmt: skip


@dataclass(frozen=True)
class Family:
    """One kind of model: its page and its sizes."""

    page: str
    vertices: int  # V
    faces: int  # F
    joints: int  # K

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The arrays of a file by name; -1 stands for any number from NUM_SHAPE."""
        v, k = self.vertices, self.joints
        return {
            "v_template": (v, 3),
            "f": (self.faces, 3),
            "shapedirs": (v, 3, -1),
            "posedirs": (v, 3, 9 * (k - 1)),
            "J_regressor": (k, v),
            "kintree_table": (2, k),
            "weights": (v, k),
        }


SMPL = Family("https://smpl.is.tue.mpg.de", 6890, 13776, 24)
MANO = Family("https://mano.is.tue.mpg.de", 778, 1538, 16)
FAMILIES = {
    "smpl-neutral": SMPL, "smpl-male": SMPL, "smpl-female": SMPL, "mano-right": MANO, "mano-left": MANO,
}  # fmt: skip
_INTEGERS = ("f", "kintree_table")
_HAND_ARRAYS = {"hands_components": (45, 45), "hands_mean": (45,)}  # kept by convert-model, unused here

# The two regressors of the Pose2Mesh release (MIT), which hold one row for each joint of these sets.
REGRESSORS = {"human36m17": "J_regressor_h36m_correct.npy", "coco17": "J_regressor_coco.npy"}
REGRESSOR_PAGE = "https://github.com/hongsukchoi/Pose2Mesh_RELEASE"


def file_names(name: str) -> tuple[str, ...]:
    """The names that a model's file goes by, ours first."""
    kind, variant = name.split("-")
    plain = f"{kind}_{variant}".upper()
    if kind == "mano":
        return f"{plain}.npz", f"{plain}.pkl"
    letter = variant if variant == "neutral" else variant[0]
    archives = [
        f"{prefix}_{letter}_lbs_10_207_0_v{version}.pkl"
        for prefix in ("basicModel", "basicmodel")
        for version in ("1.0.0", "1.1.0")
    ]
    return f"{plain}.npz", f"{plain}.pkl", *archives


def find_model(name: str, given: str | Path | None = None) -> Path:
    """The file of a model by its name, such as smpl-neutral; `given` is a file, or a folder to look in first.

    Raises MissingFileError with the page to register at and the paths that were looked for.
    """
    return _find(name, file_names(name), given, f"register at {FAMILIES[name].page} and download it")


def find_regressor(joint_set: str, given: str | Path | None = None) -> Path:
    """The joint regressor file of human36m17 or coco17, found in the same places."""
    file = REGRESSORS[joint_set]
    return _find(file, (file,), given, f"get it from {REGRESSOR_PAGE}")


def _find(what: str, names: tuple[str, ...], given: str | Path | None, advice: str) -> Path:
    given = Path(given) if given else None
    if given and given.is_file():
        return given
    if given and not given.is_dir():
        raise MissingFileError(f"no file or folder {given} for {what}; {advice}")
    searched = list(_roots(given))
    for root in searched:
        for folder in _FOLDERS:
            for name in names:
                if (root / folder / name).is_file():
                    return root / folder / name
    places = " or ".join(str(root / names[-1 if len(names) == 1 else 1]) for root in searched)
    raise MissingFileError(f"{what} not found: {advice}, then put it at {places} (set POSE2MESH_MODELS to choose)")


def _roots(given: Path | None) -> Iterator[Path]:
    if given:
        yield given
    if explicit := os.environ.get("POSE2MESH_MODELS"):
        yield Path(explicit)
    yield Path("models")
    yield paths.cache_dir() / "models"


def read_model(path: Path, family: Family) -> dict[str, np.ndarray]:
    """The checked arrays of a pickle or of an NPZ that `pose2mesh convert-model` wrote.

    Raises FormatError naming the file, the array and the remedy.
    """
    shapes = family.shapes()
    optional = _HAND_ARRAYS if family is MANO else {}
    arrays = _read_arrays(path, tuple(shapes), tuple(optional))
    for name, array in arrays.items():
        if problem := _problem(name, array, {**shapes, **optional}[name]):
            raise FormatError(f"{path}: {name!r} {problem}; get the model again from {family.page}")
    if problem := _index_problem(arrays, family):
        raise FormatError(f"{path}: {problem}; get the model again from {family.page}")
    return arrays


def read_any_model(path: Path) -> dict[str, np.ndarray]:
    """The checked arrays of a file whose kind its number of vertices tells. Raises FormatError."""
    template = _read_arrays(path, ("v_template",), ())["v_template"]
    for family in (SMPL, MANO):
        if template.shape[:1] == (family.vertices,):
            return read_model(path, family)
    raise FormatError(f"{path}: a template of shape {template.shape} is neither SMPL's (6890, 3) nor MANO's (778, 3)")


def read_regressor(path: Path, num_joints: int, num_vertices: int) -> np.ndarray:
    """Weights [J, V] of a regressor file. Raises FormatError."""
    weights = read_array(path, remedy=f"get it again from {REGRESSOR_PAGE}")
    if problem := _problem("regressor", weights, (num_joints, num_vertices)):
        raise FormatError(f"{path}: it {problem}; get it again from {REGRESSOR_PAGE}")
    return np.asarray(weights, np.float64)


def _read_arrays(path: Path, fields: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, np.ndarray]:
    if path.suffix != ".npz":
        return read_pickle(path, fields, optional)
    arrays = read_arrays(path, fields, remedy="make it again with `pose2mesh convert-model`")
    return {name: arrays[name] for name in (*fields, *optional) if name in arrays}


def _problem(name: str, array: np.ndarray, shape: tuple[int, ...]) -> str | None:
    fits = array.ndim == len(shape) and all(
        size == wanted or (wanted < 0 and size >= NUM_SHAPE) for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(f"{NUM_SHAPE} or more" if size < 0 else str(size) for size in shape)
        return f"has shape {array.shape}, expected ({wanted})"
    if array.dtype.kind not in ("iu" if name in _INTEGERS else "f"):
        return f"has type {array.dtype}, expected {'integers' if name in _INTEGERS else 'floating point numbers'}"
    return None if np.isfinite(array).all() else "holds numbers that are not finite"


def _index_problem(arrays: dict[str, np.ndarray], family: Family) -> str | None:
    """Faces that name vertices that are not there, or a skeleton whose parents do not come first."""
    faces, parents = arrays["f"], parent_joints(arrays)
    if faces.min() < 0 or faces.max() >= family.vertices:
        return f"'f' names vertices {faces.min()}..{faces.max()} of {family.vertices}"
    if parents[0] != -1 or (parents[1:] < 0).any() or (parents[1:] >= np.arange(1, family.joints)).any():
        return "'kintree_table' is no tree whose parents come before their children"
    return None


def parent_joints(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Parent of each joint [K] int64, -1 for the root, which files mark with 2^32 - 1."""
    parents = arrays["kintree_table"][0].astype(np.int64)
    return np.where(parents == 2**32 - 1, -1, parents)
