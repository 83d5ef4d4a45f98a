"""2D keypoints of people in photographs, COCO's labels without the pictures, from an .npz pack."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose2mesh.datasets.motion_pack import PACK_REMEDY, refuse
from pose2mesh.npz import check_shapes, read_arrays
from pose2mesh.skeletons import joint_set

_SHAPES = {  # kinds of numbers and axes
    "keypoints": ("f", "PJ3"),
    "bbox": ("f", "P4"),
    "area": ("f", "P"),
    **dict.fromkeys(("image_id", "ann_id", "image_license"), ("iu", "P")),
    "image_size": ("iu", "P2"),
}


@dataclass(frozen=True)
class Coco2D:
    """Labeled persons; several may stand in one picture."""

    keypoints: np.ndarray  # [P, 17, 3] float32: x, y in pixels; 0 unlabeled, 1 labeled but hidden, 2 visible
    bbox: np.ndarray  # [P, 4] float32: x, y, width, height in pixels
    area: np.ndarray  # [P] float32, square pixels of the person's outline
    image_id: np.ndarray  # [P] int64
    ann_id: np.ndarray  # [P] int64
    image_size: np.ndarray  # [P, 2] int32: width, height in pixels
    image_license: np.ndarray  # [P] int32, COCO's number of the photograph's license

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def is_labeled(self) -> np.ndarray:
        """[P, 17] True where a joint has a position."""
        return self.keypoints[..., 2] > 0

    @classmethod
    def load(cls, path: str | Path) -> "Coco2D":
        """Read a pack such as coco2d_train.npz, `joint_names` in the order of coco17.

        Raises MissingFileError, and FormatError if the file is truncated, foreign or damaged.
        """
        content = read_arrays(Path(path), (*_SHAPES, "joint_names"), remedy=PACK_REMEDY)
        names, arrays = content["joint_names"], {name: content[name] for name in _SHAPES}
        lengths = check_shapes(arrays, _SHAPES, f"{path}: ", J=17)
        refuse(
            path,
            {
                "holds no persons": not lengths["P"],
                "joint_names are not COCO's 17": tuple(names.tolist()) != joint_set("coco17").joints,
                "has values that are not finite": not all(np.isfinite(array).all() for array in arrays.values()),
                "has visibilities other than 0, 1, 2": not np.isin(arrays["keypoints"][..., 2], (0, 1, 2)).all(),
                "has pictures without size": bool((arrays["image_size"] <= 0).any()),
            },
        )
        return cls(**arrays)
