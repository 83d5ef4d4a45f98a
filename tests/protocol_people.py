"""The people of made-up test sets, read from the files without the package's readers: input, true mesh, true joints."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from annotation_files import ROTATION, TRANSLATION_MM
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_body_model
from pose2mesh.body_models.licensed_files import find_model


@dataclass
class Seen:
    """One person; metres, camera axes."""

    keypoints: np.ndarray  # [J, 3] the published detection, in the joints of the checkpoint that is tested there
    mesh: np.ndarray  # [V, 3]
    joints: np.ndarray  # [J, 3] true joints in the same set
    measured: np.ndarray | None = None  # [J, 3] the dataset's own joints
    camera: int = 0


def body_model(name: str):
    """The model that is found now, read once: other tests have others of the same name elsewhere."""
    return _read_once(name, find_model(name).resolve())


@cache
def _read_once(name: str, path: Path):
    return load_body_model(name, path)


def surface_of(fit: dict, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Mesh [6890, 3] and SMPL's joints [24, 3] in the axes of the file."""
    turns = Rotation.from_rotvec(np.reshape(fit["pose"], (24, 3))).as_matrix()[None]
    shape = torch.tensor([fit["shape"]], dtype=torch.float32)
    vertices, joints = body_model(model)(shape, torch.tensor(turns, dtype=torch.float32))
    return tuple(part[0].double().numpy() + np.asarray(fit["trans"]) for part in (vertices, joints))


def regressors() -> tuple[np.ndarray, np.ndarray]:
    """Human3.6M's joints, from the file, and SMPL's own, of the neutral model."""
    neutral = body_model("smpl-neutral")
    return np.load(neutral.path.parent / "J_regressor_h36m_correct.npy"), neutral.J_regressor.double().numpy()


def with_pelvis_and_neck(points: np.ndarray) -> np.ndarray:
    """COCO's 17 joints and the middles of hips and shoulders, as sure as the less sure one: [17, 3] to [19, 3]."""
    pairs = [points[[11, 12]], points[[5, 6]]]
    return np.vstack([points, *(np.append(pair[:, :2].mean(0), pair[:, 2].min()) for pair in pairs)])


def pw3d_people(folder: Path, split: str = "test") -> Iterator[Seen]:
    content = read(folder / "data" / f"3DPW_latest_{split}.json")
    found = read(folder / "data" / f"darkpose_3dpw_{split}set_output.json")
    coco = np.load(body_model("smpl-neutral").path.parent / "J_regressor_coco.npy")
    for annotation, item in zip(content["annotations"], found, strict=True):
        fit = annotation["smpl_param"]
        mesh, _ = surface_of(fit, f"smpl-{fit['gender']}")
        joints = coco @ mesh
        joints = np.vstack([joints, joints[[11, 12]].mean(0), joints[[5, 6]].mean(0)])
        yield Seen(with_pelvis_and_neck(np.array(item["keypoints"])), mesh, joints)


def human36m_people(folder: Path) -> Iterator[Seen]:
    found = read(folder / "absnet_output_on_testset.json")
    rotation, shift = np.array(ROTATION), np.array(TRANSLATION_MM) / 1000
    for subject in (9, 11):
        start = f"Human36M_subject{subject}_"
        data, world, fits = (read(folder / f"annotations/{start}{n}.json") for n in ("data", "joint_3d", "smpl_param"))
        for image in data["images"]:
            if image["frame_idx"] % 50:
                continue
            joints, fit = (part[str(image["action_idx"])]["1"][str(image["frame_idx"])] for part in (world, fits))
            fit = {**fit, "shape": [0] * 10 if np.abs(fit["shape"]).max() > 3 else fit["shape"]}
            mesh = surface_of(fit, "smpl-neutral")[0] @ rotation.T + shift
            measured = np.array(joints) / 1000 @ rotation.T + shift
            keypoints = np.array(found[Path(image["file_name"]).name])
            yield Seen(keypoints, mesh, measured, measured, image["cam_idx"])


def surreal_people(folder: Path) -> Iterator[Seen]:
    detections = read(folder / "data" / "hrnet_output_on_valset.json")
    found = {item["image_id"]: item["keypoints"] for item in detections}
    for annotation in read(folder / "data" / "val.json")["annotations"]:
        fit = annotation["smpl_param"]
        mesh, joints = surface_of(fit, f"smpl-{fit['gender']}")
        yield Seen(np.array(found[annotation["image_id"]]), mesh, joints)


def freihand_people(folder: Path) -> Iterator[Seen]:
    found = read(folder / "data" / "hrnet_output_on_testset.json")
    truth = zip(*(read(folder / f"data/evaluation_{n}.json") for n in ("xyz", "verts")), strict=True)
    for item, (joints, mesh) in zip(found, truth, strict=True):
        yield Seen(np.array(item["keypoints"]), np.array(mesh), np.array(joints), np.array(joints))


def read(path: Path):
    return json.loads(path.read_text())
