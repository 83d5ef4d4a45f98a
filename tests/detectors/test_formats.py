"""The same two people written as each tool writes them (the module of each format names the source) come back alike."""

import json
import logging

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.detectors.readers.json_values import size_of
from pose2mesh.errors import InputError
from pose2mesh.skeletons import convert, joint_set

SIZE = (1280, 720)


def people(name: str, seed: int = 0) -> np.ndarray:
    """Two people [2, J, 3] of a joint set in pixels, their third joint missing."""
    draw = np.random.default_rng(seed)
    values = draw.uniform([5, 5, 0.4], [*SIZE, 1], (2, len(joint_set(name)), 3)).round(4)
    values[:, 2] = 0
    return values


def flat(person: np.ndarray) -> list[float]:
    return person.ravel().tolist()


COCO, FRACTIONS = people("coco17"), people("coco17") / [*SIZE, 1]
BODY25, BODY18, MEDIAPIPE = people("openpose25"), people("openpose18"), people("mediapipe33")
WITH_NAMES = [f"keypoint_{i}" for i in range(17)]
NAMES = list(joint_set("coco17").joints)
SHUFFLED = np.random.default_rng(7).permutation(17)


def mmpose(person: np.ndarray) -> dict:
    return {"keypoints": person[:, :2].tolist(), "keypoint_scores": person[:, 2].tolist(), "bbox": [[0, 0, 9, 9]]}


def mmpose0(person: np.ndarray) -> dict:
    return {"bbox": [0, 0, 9, 9, 0.9], "keypoints": person.tolist(), "area": 81}


def columns(person: np.ndarray, name: str = "person") -> dict:
    x, y, visible = person.T.tolist()
    return {"name": name, "class": 0, "box": {"x1": 0}, "keypoints": {"x": x, "y": y, "visible": visible}}


def points(person: np.ndarray, score: str = "visibility") -> list[dict]:
    return [{"x": x, "y": y, "z": -0.3, score: s} for x, y, s in person.tolist()]


def controlnet(values: np.ndarray, **more) -> dict:
    people_ = [
        {"pose_keypoints_2d": flat(p), "hand_left_keypoints_2d": None, "face_keypoints_2d": None} for p in values
    ]
    return {"people": people_, "canvas_width": SIZE[0], "canvas_height": SIZE[1], **more}


def scaled(values: np.ndarray, low: float) -> np.ndarray:
    """OpenPose's keypoint_scale 3 (low 0) and 4 (low -1): what was not found stays zero."""
    out = values / [*SIZE, 1] * [1 - low, 1 - low, 1] + [low, low, 0]
    return np.where(values[..., 2:] > 0, out, 0)


# Name of the case: (content, joint set, people expected, frames)
JSON = {
    "coco results": ([{"image_id": 3, "category_id": 1, "keypoints": flat(p), "score": 1} for p in COCO], "coco17"),
    "openpifpaf": (
        [{"keypoints": flat(p), "bbox": [0, 0, 1, 1], "score": 0.9, "category_id": 1} for p in COCO],
        "coco17",
    ),
    "alphapose forvis": ({"1.jpg": [{"keypoints": flat(p), "scores": 2.1, "idx": 1} for p in COCO]}, "coco17"),
    "alphapose cmu": ({"version": "0.3", "bodies": [{"joints": flat(p)} for p in BODY18]}, "openpose18"),
    "alphapose cmu, all": (
        {"1.jpg": {"version": "0.3", "bodies": [{"joints": flat(p)} for p in BODY18]}},
        "openpose18",
    ),
    "alphapose open": ({"1.jpg": {"people": [{"pose_keypoints_2d": flat(p)} for p in BODY18]}}, "openpose18"),
    "openpose 1.0": ({"version": 1.0, "people": [{"pose_keypoints": flat(p)} for p in BODY18]}, "openpose18"),
    "openpose 1.1": (
        {"version": 1.1, "people": [{"pose_keypoints_2d": flat(p), "hand_left_keypoints_2d": []} for p in BODY25]},
        "openpose25",
    ),
    "openpose scale 3": ({"people": [{"pose_keypoints_2d": flat(p)} for p in scaled(BODY25, 0)]}, "openpose25"),
    "openpose scale 4": ({"people": [{"pose_keypoints_2d": flat(p)} for p in scaled(BODY25, -1)]}, "openpose25"),
    "controlnet pixels": (controlnet(BODY18), "openpose18"),
    "controlnet fractions": ([controlnet(scaled(BODY18, 0))], "openpose18"),
    "mmpose": ([mmpose(p) for p in COCO], "coco17"),
    "mmpose 0.x": ([mmpose0(p) for p in COCO], "coco17"),
    "mmpose 0.x, frames": ([[mmpose0(p) for p in COCO]], "coco17"),
    "mmpose inferencer": ({"visualization": [], "predictions": [[mmpose(p) for p in COCO]]}, "coco17"),
    "ultralytics": ([columns(p) for p in COCO], "coco17"),
    "ultralytics normalize": ([columns(p) for p in FRACTIONS], "coco17"),
    "tensorflow.js": ([{"score": 0.9, "keypoints": points(p, "score")} for p in COCO], "coco17"),
    "easymocap": (
        {"filename": "1.jpg", "annots": [{"personID": 0, "bbox": [0], "keypoints": p.tolist()} for p in BODY25]},
        "openpose25",
    ),
    "mediapipe tasks": (
        {"landmarks": [points(p) for p in MEDIAPIPE / [*SIZE, 1]], "worldLandmarks": []},
        "mediapipe33",
    ),
    "mediapipe bare": ([points(p) for p in MEDIAPIPE / [*SIZE, 1]], "mediapipe33"),
}
TRUTH = {"coco17": COCO, "openpose25": BODY25, "openpose18": BODY18, "mediapipe33": MEDIAPIPE}
FRACTIONAL = ("openpose scale 3", "openpose scale 4", "ultralytics normalize", "mediapipe tasks", "mediapipe bare")


def write(tmp_path, content, name="1.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def assert_same(found, truth: np.ndarray):
    np.testing.assert_allclose(found.points, truth[..., :2], atol=2e-3)
    np.testing.assert_allclose(found.confidence, truth[..., 2], rtol=1e-5)


@pytest.mark.parametrize("case", JSON)
def test_every_format(tmp_path, case):
    content, name = JSON[case]
    path = write(tmp_path, content)
    (frame,) = read_keypoints(path, image_size=SIZE)
    assert frame.keypoints.joint_set == name
    assert_same(frame.keypoints, TRUTH[name])
    if case in FRACTIONAL:
        with pytest.raises(InputError, match="give --image-size WxH"):
            read_keypoints(path)
    else:
        assert_same(read_keypoints(path)[0].keypoints, TRUTH[name])


def test_coco_annotations_follow_the_names_of_their_category(tmp_path):
    annotations = [{"image_id": 5, "category_id": 1, "keypoints": flat(p[SHUFFLED])} for p in COCO]
    category = {"id": 1, "name": "person", "keypoints": [NAMES[i] for i in SHUFFLED]}
    images = [{"id": 5, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}]
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (frame,) = read_keypoints(write(tmp_path, content))
    assert_same(frame.keypoints, COCO)
    for entry, values in zip(annotations, FRACTIONS, strict=True):
        entry["keypoints"] = flat(values[SHUFFLED])
    assert_same(read_keypoints(write(tmp_path, content))[0].keypoints, COCO)  # the file tells the picture's size
    category["keypoints"][4] = "tail"
    with pytest.raises(InputError, match="'tail' names no joint of a person"):
        read_keypoints(write(tmp_path, content))


@pytest.mark.parametrize("write_as", [float, str])
def test_sizes_count_however_they_are_written(tmp_path, write_as):
    width, height = map(write_as, SIZE)
    people_ = [{"pose_keypoints_2d": flat(p)} for p in FRACTIONS]
    canvas = {"people": people_, "canvas_width": width, "canvas_height": height}
    entries = [{"image_id": 5, "category_id": 1, "keypoints": flat(p)} for p in FRACTIONS]
    annotated = {"images": [{"id": 5, "width": width, "height": height}], "annotations": entries}
    for content in (canvas, annotated):
        assert_same(read_keypoints(write(tmp_path, content))[0].keypoints, COCO)
    for wrong in (640.5, "wide", "-640", True, 1e400, [640]):
        assert size_of({"width": wrong, "height": 480}) is None


def test_pictures_that_coco_does_not_list_are_told(tmp_path, caplog):
    entries = [{"image_id": i, "category_id": 1, "keypoints": flat(p)} for i, p in zip((5, "5"), COCO, strict=True)]
    for images, warned in (([], False), ([{"id": 5, "width": SIZE[0], "height": SIZE[1]}], True)):
        found = read_keypoints(write(tmp_path, {"images": images, "annotations": entries}))
        assert [frame.keypoints.image_size for frame in found] == ([SIZE, None] if warned else [None, None])
        assert ("1 of 2 pictures, such as '5', are not among its 'images'" in caplog.text) is warned


def test_coco_wholebody_annotations_bring_feet_and_hands(tmp_path):
    truth = people("wholebody65")
    entries = [
        {
            **{"image_id": 5, "category_id": 1, "keypoints": flat(p[:17]), "foot_kpts": flat(p[17:23])},
            **{"lefthand_kpts": flat(p[23:44]), "righthand_kpts": flat(p[44:])},
        }
        for p in truth
    ]
    for categories in ([], [{"id": 1, "name": "person", "keypoints": NAMES}]):
        content = {"images": [], "annotations": entries, "categories": categories}
        (frame,) = read_keypoints(write(tmp_path, content))
        assert frame.keypoints.joint_set == "wholebody65"
        assert_same(frame.keypoints, truth)
        (frame,) = read_keypoints(write(tmp_path, content), "hand21")  # alone
        assert frame.keypoints.handedness == ("left", "right") * len(truth)
        assert_same(frame.keypoints, np.stack([hand for p in truth for hand in (p[23:44], p[44:])]))


def test_mmpose_follows_the_names_or_the_data_set_of_its_meta_info(tmp_path):
    instances = [mmpose(p[SHUFFLED]) for p in COCO]
    names = {str(i): NAMES[j] for i, j in enumerate(SHUFFLED)}
    content = {
        "meta_info": {"dataset_name": "own", "keypoint_id2name": names},
        "instance_info": [{"instances": instances}],
    }
    assert_same(read_keypoints(write(tmp_path, content))[0].keypoints, COCO)
    content["meta_info"] = {"dataset_name": "h36m"}
    assert read_keypoints(write(tmp_path, content))[0].keypoints.joint_set == "human36m17"
    content["meta_info"] = {"dataset_name": "ap10k"}
    with pytest.raises(InputError, match="'ap10k', which is not known to show people"):
        read_keypoints(write(tmp_path, content))
    assert read_keypoints(write(tmp_path, content), "coco17")[0].keypoints.joint_set == "coco17"
    content["meta_info"]["keypoint_id2name"] = {**names, "3": "L_F_Paw"}
    with pytest.raises(InputError, match="'L_F_Paw' names no joint of a person"):
        read_keypoints(write(tmp_path, content), "coco17")


def test_tensorflow_js_follows_the_names(tmp_path):
    joints = [
        [{**point, "name": NAMES[j]} for point, j in zip(points(p[SHUFFLED], "score"), SHUFFLED, strict=True)]
        for p in COCO
    ]
    (frame,) = read_keypoints(write(tmp_path, [{"score": 1, "keypoints": person} for person in joints]))
    assert_same(frame.keypoints, COCO)


def test_arrays_follow_the_names_beside_them(tmp_path):
    np.savez(tmp_path / "a.npz", keypoints=COCO[:, SHUFFLED], keypoint_names=[NAMES[i] for i in SHUFFLED])
    assert_same(read_keypoints(tmp_path / "a.npz")[0].keypoints, COCO)


def test_people_of_other_columns_are_told_by_their_shapes(tmp_path):
    content = [mmpose(COCO[0]), {"keypoints": COCO[1, :, :2].tolist()}]
    with pytest.raises(InputError, match=r"different shapes, \[17, 2\] and \[17, 3\]"):
        read_keypoints(write(tmp_path, content))


def test_joints_in_3d_are_refused(tmp_path):
    instance = {**mmpose(COCO[0]), "keypoints": COCO[0].tolist()}
    for content in ([instance], [mmpose0(COCO[0] - [0, 0, 1.5])]):
        with pytest.raises(InputError, match="joints in 3D"):
            read_keypoints(write(tmp_path, content))


def test_animals_are_refused(tmp_path):
    for content, message in (
        ([columns(COCO[0], "dog")], "a 'dog' is no person"),
        ([controlnet(COCO[:0], animals=[[1, 2, 3]], version="ap10k")], "holds animals"),
        ([{"image_id": 1, "category_id": 17, "keypoints": flat(COCO[0])}], "category 17 is no person"),
    ):
        with pytest.raises(InputError, match=message):
            read_keypoints(write(tmp_path, content))


def test_an_animal_with_the_joints_of_people_is_refused(tmp_path):
    category = {"id": 1, "name": "dog", "supercategory": "animal", "keypoints": NAMES}
    entries = [{"image_id": 5, "category_id": 1, "keypoints": flat(p)} for p in COCO]
    with pytest.raises(InputError, match="a 'dog' is an animal"):
        read_keypoints(write(tmp_path, {"annotations": entries, "categories": [category]}))


def test_a_person_without_a_body_is_no_reason_to_lose_the_others(tmp_path, caplog):
    people_ = [{"pose_keypoints_2d": flat(BODY25[0])}, {"pose_keypoints_2d": []}, {"face_keypoints_2d": [1, 2, 3]}]
    with caplog.at_level(logging.WARNING, "pose2mesh"):
        (frame,) = read_keypoints(write(tmp_path, {"people": people_}))
    assert_same(frame.keypoints, BODY25[:1])
    assert "2 of 3 people have no body and are left out" in caplog.text


def test_scores_that_doubt_everything_are_said_to(tmp_path, caplog):
    for score, warned in ((0.1, True), (0.5, False)):
        caplog.clear()
        values = np.where(COCO[..., 2:] > 0, COCO * [1, 1, 0] + [0, 0, score], 0)
        with caplog.at_level(logging.WARNING, "pose2mesh"):
            read_keypoints(write(tmp_path, [mmpose(p) for p in values]))
        assert ("no joint has a higher confidence than 0.1" in caplog.text) is warned
        assert len(caplog.records) <= 1


def test_a_size_that_is_of_another_picture_is_said(tmp_path, caplog):
    """Width and height exchanged, or those of a smaller copy: people would come out at wrong distances."""
    joints = np.column_stack([np.linspace(300, 600, 17), np.linspace(40, 200, 17), np.ones(17)])
    np.save(tmp_path / "a.npy", joints)
    read_keypoints(tmp_path / "a.npy", image_size=(640, 360))
    read_keypoints(tmp_path / "a.npy", image_size=(460, 640))  # truncated by a border
    assert not caplog.text
    read_keypoints(tmp_path / "a.npy", image_size=(360, 640))
    assert "a.npy: most joints lie outside of the picture of 360x640" in caplog.text


def test_easymocap_hands_come_with_the_body(tmp_path):
    hand = people("hand21", 3)[0]
    annots = [{"personID": 0, "keypoints": BODY25[0].tolist(), "handl2d": hand.tolist()}]
    path = write(tmp_path, {"annots": annots, "width": SIZE[0], "height": SIZE[1]})
    (frame,) = read_keypoints(path)
    assert frame.keypoints.joint_set == "openpose67" and frame.keypoints.image_size == SIZE
    points_, _ = convert(frame.keypoints.points, frame.keypoints.confidence, "openpose67", "mediapipe33")
    np.testing.assert_allclose(points_[0, 19], hand[5, :2], rtol=1e-6)  # left index: its first knuckle
    assert read_keypoints(path, "hand21")[0].keypoints.handedness == ("left",)
