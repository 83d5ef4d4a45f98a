"""Each dialect is written by hand as its tool documents it, and read back to known numbers."""

import json

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import FormatError, InputError
from pose2mesh.exporters import save_people
from pose2mesh.skeletons import joint_set
from pose2mesh.types import Camera, Person

J17 = np.arange(51, dtype=float).reshape(17, 3)
J17[:, 2] = np.linspace(0.1, 0.9, 17)


def write(tmp_path, content, name="file.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_coco_results_are_grouped_by_image_and_keep_the_order(tmp_path):
    entries = [
        {"image_id": 7, "category_id": 1, "keypoints": J17.ravel().tolist(), "score": 0.9},
        {
            "image_id": 9,
            "category_id": 1,
            "keypoints": (J17 + np.array([1, 0, 0])).ravel().tolist(),
            "score": 0.8,
        },
        {
            "image_id": 7,
            "category_id": 1,
            "keypoints": (J17 + np.array([2, 0, 0])).ravel().tolist(),
            "score": 0.7,
        },
    ]
    frames = read_keypoints(write(tmp_path, entries))
    assert [frame.name for frame in frames] == ["7", "9"]
    first = frames[0].keypoints
    assert first.joint_set == "coco17" and first.points.shape == (2, 17, 2)
    np.testing.assert_allclose(first.points[1, :, 0], J17[:, 0] + 2)
    np.testing.assert_allclose(first.confidence[0], J17[:, 2], rtol=1e-6)


def test_coco_annotations_bring_names_sizes_and_flags(tmp_path):
    flags = [0, 1, 2] + [2] * 14
    labeled = np.column_stack([J17[:, :2], flags]).ravel().tolist()
    content = {
        "images": [{"id": 5, "file_name": "folder/zebra.jpg", "width": 640, "height": 480}],
        "annotations": [
            {"image_id": 5, "keypoints": labeled, "num_keypoints": 16},
            {"image_id": 5, "keypoints": [0] * 51, "num_keypoints": 0},
        ],
        "categories": [],
    }
    (frame,) = read_keypoints(write(tmp_path, content))
    assert frame.name == "zebra" and frame.keypoints.image_size == (640, 480)
    assert len(frame.keypoints) == 1
    assert frame.keypoints.confidence[0, :3].tolist() == [0, 1, 1]


@pytest.mark.parametrize(("count", "name"), [(25, "openpose25"), (18, "openpose18")])
def test_openpose(tmp_path, count, name):
    joints = np.random.default_rng(0).uniform(1, 9, (count, 3)).round(2)
    joints[3] = 0  # OpenPose writes missing joints as zeros
    joints[:, 2] /= 10
    content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": joints.ravel().tolist()}]}
    (frame,) = read_keypoints(write(tmp_path, content, "video_000000000012_keypoints.json"))
    assert frame.name == "video_000000000012" and frame.keypoints.joint_set == name
    np.testing.assert_allclose(frame.keypoints.points[0], joints[:, :2], rtol=1e-6)
    assert frame.keypoints.confidence[0, 3] == 0


def test_openpose_frame_without_people_is_empty(tmp_path):
    (frame,) = read_keypoints(write(tmp_path, {"people": []}))
    assert len(frame.keypoints) == 0 and frame.keypoints.points.shape == (0, 25, 2)


@pytest.mark.parametrize(("count", "name", "kept"), [(26, "halpe26", 26), (136, "halpe68", 26), (17, "coco17", 17)])
def test_alphapose(tmp_path, count, name, kept):
    joints = np.random.default_rng(1).uniform(0.1, 1, (count, 3)) * [640, 480, 1]
    content = [{"image_id": "dance.jpg", "keypoints": joints.ravel().tolist(), "score": 2.9, "box": [0, 0, 1, 1]}]
    (frame,) = read_keypoints(write(tmp_path, content))
    assert frame.name == "dance" and frame.keypoints.joint_set == name
    np.testing.assert_allclose(frame.keypoints.points[0, :kept], joints[:kept, :2], rtol=1e-6)


def test_mmpose_picture_and_video(tmp_path):
    instance = {
        "keypoints": J17[:, :2].tolist(),
        "keypoint_scores": J17[:, 2].tolist(),
        "bbox": [[0, 0, 1, 1]],
    }
    (frame,) = read_keypoints(write(tmp_path, [instance, instance], "photo.json"))
    assert frame.name == "photo" and len(frame.keypoints) == 2
    video = {
        "meta_info": {},
        "instance_info": [{"frame_id": 3, "instances": [instance]}, {"frame_id": 4, "instances": []}],
    }
    frames = read_keypoints(write(tmp_path, video, "clip.json"))
    assert [frame.name for frame in frames] == ["clip_000003", "clip_000004"]
    assert [len(frame.keypoints) for frame in frames] == [1, 0]
    np.testing.assert_allclose(frames[0].keypoints.confidence[0], J17[:, 2], rtol=1e-6)


@pytest.mark.parametrize("shape", [(17, 2), (17, 3), (4, 17, 2), (4, 17, 3), (5, 4, 17, 3)])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays(tmp_path, shape, suffix):
    values = np.random.default_rng(2).uniform(0.2, 1, shape) * [640, 480, 1][: shape[-1]]
    path = tmp_path / f"walk{suffix}"
    np.save(path, values) if suffix == ".npy" else np.savez_compressed(path, keypoints=values)
    frames = read_keypoints(path)
    assert len(frames) == (5 if len(shape) == 4 else 1)
    people = values.reshape(len(frames), -1, 17, shape[-1])
    for frame, expected in zip(frames, people, strict=True):
        np.testing.assert_allclose(frame.keypoints.points, expected[..., :2], rtol=1e-6)
    assert len({frame.name for frame in frames}) == len(frames)


def test_a_result_is_read_back_with_its_names_and_its_size(tmp_path):
    keypoints = np.random.default_rng(0).uniform(1, 99, (2, 3, 3)).astype(np.float32)
    keypoints[..., 2] = 0.5
    names, mesh = ("left_hip", "nose", "right_hip"), (np.zeros((4, 3)), np.array([[0, 1, 2]]), np.zeros((1, 3)))
    camera = Camera(500.0, (80.0, 60.0), np.ones(3), (160, 120))
    people = [Person(*mesh, ("pelvis",), one, camera, keypoint_names=names) for one in keypoints]
    (frame,) = read_keypoints(save_people(people, tmp_path / "photo.npz"))
    assert frame.keypoints.image_size == (160, 120)
    rows = [joint_set(frame.keypoints.joint_set).index(name) for name in names]
    np.testing.assert_array_equal(frame.keypoints.points[:, rows], keypoints[..., :2])


def test_fortran_order_is_respected(tmp_path):
    values = np.asfortranarray(J17)
    np.save(tmp_path / "f.npy", values)
    np.testing.assert_allclose(read_keypoints(tmp_path / "f.npy")[0].keypoints.points[0], J17[:, :2])


def test_joint_set_overrules_the_guess(tmp_path):
    np.save(tmp_path / "a.npy", J17)
    assert read_keypoints(tmp_path / "a.npy")[0].keypoints.joint_set == "coco17"
    assert read_keypoints(tmp_path / "a.npy", "h36m")[0].keypoints.joint_set == "human36m17"
    with pytest.raises(InputError, match="17 joints, but joint set halpe26 has 26"):
        read_keypoints(tmp_path / "a.npy", "halpe26")


def test_missing_joints_are_normal_and_lose_their_values(tmp_path):
    values = J17.copy()
    values[4] = [np.nan, np.inf, 0]
    values[5] = [1e30, 2, -0.5]
    values[6, 2] = 1.7
    entry = {"image_id": 1, "keypoints": values.ravel().tolist()}  # COCO promises that the third is a score
    entry["keypoints"][12:14] = [1e300, -1e300]  # JSON has no NaN
    (frame,) = read_keypoints(write(tmp_path, [entry]))
    keypoints = frame.keypoints
    assert keypoints.confidence[0, 4:7].tolist() == [0, 0, 1]
    assert np.isfinite(keypoints.points).all() and not keypoints.points[0, 4:6].any()


@pytest.mark.parametrize(
    ("column", "value"),
    [(c, v) for c in (0, 1, 2) for v in (np.nan, np.inf, -np.inf)] + [(0, 1e30), (1, -1e7)],
)
def test_bad_values_of_seen_joints_name_person_and_joint(tmp_path, column, value):
    values = np.stack([J17, J17])
    values[1, 13, column] = value
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match="person 1, joint left_knee"):
        read_keypoints(tmp_path / "a.npy")


def test_wrong_count_names_the_expected_ones(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((15, 3)))
    with pytest.raises(InputError, match=r"15 joints .* 17 \(coco17\).* 25 \(openpose25\)"):
        read_keypoints(tmp_path / "a.npy")


def test_whole_bodies_keep_body_feet_and_hands(tmp_path):
    values = np.random.default_rng(3).uniform(0.1, 1, (133, 3)) * [640, 480, 1]
    np.save(tmp_path / "a.npy", values)
    keypoints = read_keypoints(tmp_path / "a.npy")[0].keypoints
    assert keypoints.joint_set == "wholebody65"
    np.testing.assert_allclose(keypoints.points[0], np.concatenate([values[:23, :2], values[91:, :2]]), rtol=1e-6)
    body = read_keypoints(tmp_path / "a.npy", "coco17")[0].keypoints
    np.testing.assert_allclose(body.points[0], values[:17, :2], rtol=1e-6)


def test_files_of_no_known_format_say_so(tmp_path):
    with pytest.raises(FormatError, match="no keypoint format recognized"):
        read_keypoints(write(tmp_path, {"poses": []}))


def labeled(keypoints=(5.0, 7.0, 2.0), **more):
    """A COCO file of one person with 17 joints in a row."""
    joints = [value for j in range(17) for value in (keypoints[0] * j, keypoints[1] * j + 1, keypoints[2])]
    images = [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}]
    return {"images": images, "annotations": [{"image_id": 1, "category_id": 1, "keypoints": joints}], **more}


@pytest.mark.parametrize("animal", [{"name": "dog"}, {"name": "horse", "supercategory": "animal"}, {"name": 7}])
def test_a_category_of_no_people_whose_joints_have_no_names_is_refused(tmp_path, animal):
    with pytest.raises(FormatError, match="is no person, and nothing names its joints"):
        read_keypoints(write(tmp_path, labeled(categories=[{"id": 1, **animal}])))


def test_people_by_any_word_and_animals_that_nobody_labeled_are_read(tmp_path):
    others = [{"id": 2, "name": "dog"}, {"id": 3, "name": "cat", "keypoints": ["tail"]}]
    for person in ({"name": "Person"}, {"name": "skater", "supercategory": "people"}, {}):
        (frame,) = read_keypoints(write(tmp_path, labeled(categories=[{"id": 1, **person}, *others])))
        assert frame.name == "a" and len(frame.keypoints) == 1


def test_an_id_given_twice_is_refused_unless_both_say_the_same(tmp_path):
    image = labeled()["images"][0]
    assert read_keypoints(write(tmp_path, labeled(images=[image, image])))[0].name == "a"
    with pytest.raises(FormatError, match="two of the images have the id 1"):
        read_keypoints(write(tmp_path, labeled(images=[image, {**image, "file_name": "b.jpg"}])))
    twins = [{"id": 1, "name": "person"}, {"id": 1, "name": "child of people"}]
    with pytest.raises(FormatError, match="two of the categories have the id 1"):
        read_keypoints(write(tmp_path, labeled(categories=twins)))


@pytest.mark.parametrize("score", [90.0, 640.0, -250.0])
def test_scores_in_per_cent_and_depth_beside_coordinates_are_refused(tmp_path, score):
    with pytest.raises(InputError, match="per cent or depth"):
        read_keypoints(write(tmp_path, labeled((5.0, 7.0, score))))
    found = read_keypoints(write(tmp_path, labeled((5.0, 7.0, 9.5))))  # what some networks give
    assert (found[0].keypoints.confidence == 1).all()
