"""Photos whose people were measured in 3D: the eight of Human3.6M and MPI-INF-3DHP among mmpose's test data.

`python -m tools.studies.measured_photos MMPOSE/tests/data --json OUT [--weights NAME]`, MMPOSE being a checkout of its
repository. For each photo PA-MPJPE over shoulders, elbows, wrists, hips, knees and ankles of the person who was
measured, as the detector sees him or her and from the true 2D joints. Eight photos tell much less than a data set.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pose2mesh.detectors.images import read_image
from pose2mesh.errors import NoPersonFoundError
from pose2mesh.metrics import pa_mpjpe
from pose2mesh.npz import read_arrays
from pose2mesh.paths import write_json
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import COCO17, joint_set
from pose2mesh.types import Person
from tools.studies.harder_loop import LIMBS

_3DHP = (
    *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head"),
)
# Lists of photos, where the photos are, and the order of their joints
FILES = (
    ("h36m/test_h36m_body3d.npz", "h36m", joint_set("human36m17").joints),
    ("mpi_inf_3dhp/test_3dhp_test.npz", "mpi_inf_3dhp", _3DHP),
    ("mpi_inf_3dhp/test_3dhp_train.npz", "mpi_inf_3dhp", _3DHP),
)


class Photo(NamedTuple):
    """One photo, of whom one person was measured."""

    path: Path
    points: np.ndarray  # [12, 2] px of LIMBS
    joints: np.ndarray  # [12, 3] m of LIMBS, camera axes


def photos_of(folder: Path) -> Iterator[Photo]:
    """Raises FormatError and MissingFileError."""
    for file, place, order in FILES:
        rows = [order.index(joint) for joint in LIMBS]
        arrays = read_arrays(folder / file, ("imgname", "part", "S"), remedy="give tests/data of an mmpose checkout")
        for name, part, truth in zip(arrays["imgname"], arrays["part"], arrays["S"], strict=True):
            yield Photo(folder / place / str(name), part[rows, :2], truth[rows, :3])


def from_picture(model: Pose2Mesh, photo: Photo) -> float | None:
    """PA-MPJPE in mm of the person found nearest to the true joints; None where nobody is found there."""
    try:
        people = model.predict(photo.path)
    except NoPersonFoundError:
        return None
    nearest = min(people, key=lambda person: _off(person, photo))
    return _error(nearest, photo) if _off(nearest, photo) < 0.3 else None


def from_truth(model: Pose2Mesh, photo: Photo) -> float:
    """PA-MPJPE in mm of who is recovered from the true 2D joints alone."""
    keypoints = np.zeros((len(COCO17), 3), np.float32)
    keypoints[[COCO17.index(joint) for joint in LIMBS]] = np.column_stack([photo.points, np.ones(len(LIMBS))])
    height, width = read_image(photo.path).shape[:2]
    return _error(model.predict(keypoints, joint_set="coco17", image_size=(width, height))[0], photo)


def _off(person: Person, photo: Photo) -> float:
    """Mean distance of the seen keypoints from the true ones, of the longer side of their box."""
    seen = person.keypoints[[person.keypoint_names.index(joint) for joint in LIMBS]]  # [12, 3]
    distance = np.linalg.norm(seen[:, :2] - photo.points, axis=1)[seen[:, 2] > 0]
    return float(distance.mean() / np.ptp(photo.points, axis=0).max()) if len(distance) else np.inf


def _error(person: Person, photo: Photo) -> float:
    found = person.joints[[person.joint_names.index(joint) for joint in LIMBS]]  # [12, 3]
    pair = (torch.as_tensor(np.asarray(points, np.float32))[None] for points in (found, photo.joints))
    return 1000 * float(pa_mpjpe(*pair))


def measure(folder: Path, weights: str = "anny-body") -> dict[str, dict[str, float | None]]:
    """{photo: {"picture": mm, "true_2d": mm}}."""
    model = Pose2Mesh.from_pretrained(weights)
    return {
        photo.path.stem: {"picture": from_picture(model, photo), "true_2d": from_truth(model, photo)}
        for photo in photos_of(folder)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="anny-body")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    found = measure(options.folder, options.weights)
    for name, errors in found.items():
        print(f"{name:40s} picture {_text(errors['picture'])}   true 2D {_text(errors['true_2d'])}")
    for kind in ("picture", "true_2d"):
        known = [error for errors in found.values() if (error := errors[kind]) is not None]
        print(f"{kind}: {np.mean(known):.1f} mm in {len(known)} of {len(found)}")
    write_json(options.json, found)


def _text(error: float | None) -> str:
    return "nobody" if error is None else f"{error:5.1f}"


if __name__ == "__main__":
    main()
