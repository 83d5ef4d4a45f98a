"""Small annotation files in the exact formats of the published ones, written where a test says."""

import json
from pathlib import Path

import numpy as np

# Human3.6M's second camera would do as well; this one is easy to reckon with: it looks along the world's y.
ROTATION = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]  # world (x, y, z up) to camera (x, -z, y)
TRANSLATION_MM = [0, 1000, 5000]
FOCAL, CENTER = [1145.0, 1144.0], [512.0, 515.0]


def write_json(path: Path, content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def smpl_fit(rng: np.random.Generator, trans=(0.0, 0.0, 0.0), bones: int = 24) -> dict:
    """A plausible pose near rest, `bones` rotation vectors in one flat list."""
    pose = 0.2 * rng.standard_normal(3 * bones)
    return {"pose": pose.tolist(), "shape": (0.5 * rng.standard_normal(10)).tolist(), "trans": list(trans)}


def figure_mm(rng: np.random.Generator, joints: int = 17) -> np.ndarray:
    """Joints [J, 3] mm of somebody about 1.7 m high around the origin, z up."""
    return (rng.uniform(-1, 1, (joints, 3)) * [300, 150, 850]).round(2)


def write_human36m(folder: Path, subjects=(1, 5, 6, 7, 8, 9, 11), frames=(0, 1, 5, 50), cameras=(1, 2)) -> Path:
    """`annotations/*.json` of each subject, actions 2 and 3, and detections for the test subjects' pictures."""
    detections = {}
    for subject in subjects:
        rng = np.random.default_rng(subject)
        images, annotations, joints, fits = [], [], {}, {}
        for action in (2, 3):
            joints[str(action)] = {"1": {str(f): figure_mm(rng).tolist() for f in frames}}
            fits[str(action)] = {"1": {str(f): smpl_fit(rng) for f in frames}}
            for frame in frames:
                for camera in cameras:
                    name = f"s_{subject:02d}_act_{action:02d}_subact_01_ca_{camera:02d}"
                    number = 100000 * subject + len(images)
                    images.append({
                        "id": number, "file_name": f"{name}/{name}_{frame + 1:06d}.jpg", "width": 1000, "height": 1002,
                        "subject": subject, "action_name": "Directions", "action_idx": action, "subaction_idx": 1,
                        "cam_idx": camera, "frame_idx": frame,
                    })  # fmt: skip
                    annotations.append({"id": number, "image_id": number, "bbox": [400.0, 300.0, 200.0, 500.0]})
                    detections[f"{name}_{frame + 1:06d}.jpg"] = rng.uniform(300, 700, (17, 3)).tolist()
        view = {"R": ROTATION, "t": TRANSLATION_MM, "f": FOCAL, "c": CENTER}
        start = folder / "annotations" / f"Human36M_subject{subject}_"
        write_json(Path(f"{start}data.json"), {"images": images, "annotations": annotations})
        write_json(Path(f"{start}camera.json"), {str(camera): view for camera in (1, 2, 3, 4)})
        write_json(Path(f"{start}joint_3d.json"), joints)
        write_json(Path(f"{start}smpl_param.json"), fits)
    write_json(folder / "absnet_output_on_testset.json", detections)
    return folder


def write_coco(folder: Path, people: int = 6) -> Path:
    """Annotations 1 to `people`; the second is a crowd, the third has no labels, the fourth no fit."""
    rng = np.random.default_rng(3)
    annotations, fits = [], {}
    for number in range(1, people + 1):
        keypoints = np.concatenate([rng.uniform(100, 400, (17, 2)), rng.integers(0, 3, (17, 1))], 1)
        annotations.append({
            "id": number, "image_id": 10 + number, "iscrowd": int(number == 2), "num_keypoints": 17 * (number != 3),
            "keypoints": keypoints.ravel().tolist(), "bbox": [100.0, 100.0, 300.0, 300.0], "category_id": 1,
        })  # fmt: skip
        if number != 4:
            fit = smpl_fit(rng)
            fits[str(number)] = {"smpl_param": fit, "cam_param": {"s": 120.0, "t": [250.0, 260.0]}}
    images = [{"id": 10 + n, "file_name": f"{n:012d}.jpg", "width": 640, "height": 480} for n in range(1, people + 1)]
    write_json(
        folder / "annotations" / "person_keypoints_train2017.json", {"images": images, "annotations": annotations}
    )
    write_json(folder / "annotations" / "coco_smplify_train.json", fits)
    return folder


def write_muco(folder: Path, pictures: int = 3) -> Path:
    """Two people a picture, the second nearer; the fit of the last picture's second person is NaN."""
    rng = np.random.default_rng(4)
    images, annotations, fits = [], [], {}
    for picture in range(pictures):
        image = {"id": picture, "file_name": f"augmented_set/{picture:06d}.jpg", "width": 1024, "height": 1024}
        images.append({**image, "f": [1500.0, 1500.0], "c": [512.0, 512.0]})
        for person, depth in enumerate((4000.0, 3000.0)):
            number = 10 * picture + person
            joints = figure_mm(rng, 21)[:, [0, 2, 1]] + [0, 0, depth]
            joints[14] = [0, 0, depth]  # the pelvis
            annotations.append({
                "id": number, "image_id": picture, "bbox": [300.0, 200.0, 200.0, 600.0],
                "keypoints_cam": joints.tolist(), "keypoints_img": (joints[:, :2] + 500).tolist(),
                "keypoints_vis": [[1]] * 21,
            })  # fmt: skip
            fits[str(number)] = smpl_fit(rng, (0.0, 0.0, depth / 1000))
    fits[str(10 * (pictures - 1) + 1)]["pose"][0] = float("nan")
    write_json(folder / "data" / "MuCo-3DHP.json", {"images": images, "annotations": annotations})
    write_json(folder / "data" / "smpl_param.json", fits)
    return folder


def write_surreal(folder: Path, pictures: int = 4) -> Path:
    """`train.json` and `val.json` with detections; genders alternate; pictures are not in the order of their ids."""
    for split in ("train", "val"):
        rng = np.random.default_rng(5)
        images, annotations, detections = [], [], []
        for picture in reversed(range(pictures)):
            cam = {"focal": [600.0, 600.0], "princpt": [160.0, 120.0]}
            image = {"id": picture, "file_name": f"run0/{picture:05d}.jpg", "width": 320, "height": 240}
            images.append({**image, "cam_param": cam})
            fit = {**smpl_fit(rng, (0.1, 0.2, 6.0)), "gender": ("male", "female")[picture % 2]}
            annotations.append({
                "id": 50 + picture, "image_id": picture, "bbox": [100.0, 60.0, 80.0, 150.0],
                "joint_cam": rng.normal(size=72).tolist(), "smpl_param": fit,
            })  # fmt: skip
            keypoints = rng.uniform(80, 200, (24, 3)).tolist()
            detections.append({"image_id": picture, "annotation_id": 50 + picture, "keypoints": keypoints})
        write_json(folder / "data" / f"{split}.json", {"images": images, "annotations": annotations})
        write_json(folder / "data" / f"hrnet_output_on_{split}set.json", detections)
    return folder


def write_freihand(folder: Path, pictures: int = 4) -> Path:
    """Training files with R and t, evaluation files without hands, and the ground truth that came out later."""
    for split, part in (("train", "train"), ("eval", "test")):
        rng = np.random.default_rng(6)
        images, annotations, data, detections = [], [], {}, []
        for picture in range(pictures):
            name = f"{'training' if split == 'train' else 'evaluation'}/rgb/{picture:08d}.jpg"
            images.append({"id": picture, "file_name": name, "width": 224, "height": 224, "db_idx": picture})
            annotations.append({"id": 7 + picture, "image_id": picture, "bbox": [60.0, 60.0, 100.0, 100.0]})
            cam = {"focal": [480.0, 481.0], "princpt": [112.0, 113.0]}
            data[str(picture)] = {"cam_param": cam, "scale": 0.03}
            if split == "train":
                fit = smpl_fit(rng, bones=16)
                del fit["trans"]
                cam |= {"R": ROTATION, "t": [0.01, 0.02, 0.6]}
                joints = rng.normal(0, 0.05, (21, 3)) + np.array([0, 0, 0.6])
                data[str(picture)] |= {"mano_param": fit, "joint_3d": joints.tolist()}
            found = np.concatenate([rng.uniform(60, 160, (21, 2)), rng.uniform(0.2, 1, (21, 1))], 1)
            detections.append({"image_id": picture, "annotation_id": 7 + picture, "keypoints": found.tolist()})
        write_json(folder / "data" / f"freihand_{split}_coco.json", {"images": images, "annotations": annotations})
        write_json(folder / "data" / f"freihand_{split}_data.json", data)
        write_json(folder / "data" / f"hrnet_output_on_{part}set.json", detections)
    rng = np.random.default_rng(7)
    write_json(folder / "data" / "evaluation_xyz.json", rng.normal(0, 0.1, (pictures, 21, 3)).round(4).tolist())
    write_json(folder / "data" / "evaluation_verts.json", rng.normal(0, 0.1, (pictures, 778, 3)).round(4).tolist())
    return folder


def write_amass(folder: Path, subsets=("CMU",), frames: int = 125) -> Path:
    """One recording of each part, as the SMPL+H archives hold them."""
    rng = np.random.default_rng(8)
    for subset in subsets:
        path = folder / "data" / subset / "01" / "01_01_poses.npz"
        path.parent.mkdir(parents=True)
        np.savez(
            path, poses=0.2 * rng.standard_normal((frames, 156)), trans=rng.normal(size=(frames, 3)),
            betas=0.5 * rng.standard_normal(16), dmpls=np.zeros((frames, 8)), gender=np.array("male"),
            mocap_framerate=np.array(120.0),
        )  # fmt: skip
    return folder
