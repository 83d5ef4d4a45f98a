"""NPY and NPZ arrays of keypoints."""

from pathlib import Path

from pose2mesh import npz
from pose2mesh.detectors.readers.frame import Frame, number_array, to_keypoints

_KEY = "keypoints"


def read_arrays(path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of [J, 2|3], [P, J, 2|3] (one frame) or [T, P, J, 3] (named `{stem}_{t}`)."""
    array = npz.read_arrays(path, (_KEY,))[_KEY] if path.suffix.lower() == ".npz" else npz.read_array(path)
    array = number_array(array, str(path))
    if array.ndim == 4:
        return [
            Frame(f"{path.stem}_{t:06d}", to_keypoints(people, f"{path}: frame {t}", joint_set))
            for t, people in enumerate(array)
        ]
    people = array[None] if array.ndim == 2 else array  # [P, J, 2 or 3]
    return [Frame(path.stem, to_keypoints(people, str(path), joint_set))]
