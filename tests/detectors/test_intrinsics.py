"""Every form in which users have a camera gives the same one; what is no camera is refused in one line."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.detectors.intrinsics import as_intrinsics, parse_size
from pose2mesh.detectors.told import Told
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.types import Intrinsics, Keypoints2D

MATRIX = [[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]]
KNOWN = Intrinsics(1000.0, (640.0, 360.0))


def write(folder, name, content):
    path = folder / name
    path.write_text(content)
    return path


def test_all_forms_agree(tmp_path):
    names = {"fx": 1000, "fy": 1000.0, "cx": 640, "cy": 360, "unknown": "left out"}
    np.savez(tmp_path / "matrix.npz", K=np.array(MATRIX, np.float32))
    np.savez(tmp_path / "numbers.npz", **{k: v for k, v in names.items() if k != "unknown"})
    forms = [
        KNOWN,
        np.array(MATRIX),
        MATRIX,
        names,
        {"camera_matrix": MATRIX},
        write(tmp_path, "a.json", json.dumps(names)),
        str(write(tmp_path, "b.json", json.dumps({"K": MATRIX}))),
        write(tmp_path, "c.yaml", "fx: 1000\nfy: 1e+3\ncx: 640\ncy: 360\n"),
        write(tmp_path, "d.yml", f"K: {MATRIX}\n"),
        write(tmp_path, "e.json", "\ufeff" + json.dumps(names)),  # as Windows marks text
        tmp_path / "matrix.npz",
        tmp_path / "numbers.npz",
    ]
    assert [as_intrinsics(form) for form in forms] == [KNOWN] * len(forms)


@pytest.mark.parametrize("focal", [1000, 1000.0, np.float32(1000), {"focal": 1000}, {"fx": 1000}])
def test_a_focal_length_alone_leaves_the_principal_point_open(focal):
    assert as_intrinsics(focal) == Intrinsics(1000.0)


def test_a_calibration_with_nearly_square_pixels_takes_their_geometric_mean():
    found = as_intrinsics([[1145.0, 0.5, 512], [0, 1143.8, 515], [0, 0, 1]])
    assert found.focal == pytest.approx(math.sqrt(1145.0 * 1143.8)) and found.center == (512, 515)


BAD = {
    "nothing": ({}, "nothing"),
    "text": ({"fx": "wide"}, "no finite numbers"),
    "nan": (float("nan"), "no finite numbers"),
    "behind": (-5.0, "-5"),
    "half a centre": ({"fx": 10, "cx": 3}, "one of cx and cy"),
    "vector": (np.ones(4), "no camera matrix"),
    "transposed": (np.array(MATRIX).T, "no camera matrix"),
    "anamorphic": ({"fx": 1000, "fy": 1500}, "scale the picture"),
    "skewed": ([[1000, 90, 640], [0, 1000, 360], [0, 0, 1]], "scale the picture"),
    "two focal lengths": ({"K": MATRIX, "fx": 100}, "K and fx are of different cameras"),
    "two centers": ({"K": MATRIX, "fx": 1000, "cx": 320, "cy": 240}, "K and fx are of different cameras"),
    "fractions": ({"fx": 700, "cx": 0.5, "cy": 0.5}, "in fractions"),
    "fractions in K": ([[700, 0, 0.5], [0, 700, 0.5], [0, 0, 1]], "in fractions"),
    "object": (object(), "no finite numbers"),
    "ragged": ({"K": [[1, 2], [3]]}, "no finite numbers"),
}


@pytest.mark.parametrize(("value", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_no_camera(value, message):
    with pytest.raises(InputError, match=message):
        as_intrinsics(value)


FILES = {
    "no.json": ("{", FormatError),
    "list.json": ("[1, 2]", FormatError),
    "deep.json": ("[" * 30000, FormatError),
    "aliases.yaml": ("a: &a [1, 1]\nb: &b [*a, *a]\nfx: 3\n", FormatError),
    "tagged.yaml": ("fx: !!python/object/apply:os.getcwd []\n", FormatError),
    "long.yaml": ("fx: 1000\n" + "# much\n" * 20000, FormatError),
    "no.npz": ("no archive", FormatError),
    "camera.txt": ("1000", InputError),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_camera(tmp_path, name):
    content, error = FILES[name]
    with pytest.raises(error, match=name):
        as_intrinsics(write(tmp_path, name, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.json"):
        as_intrinsics(tmp_path / "gone.json")


def test_objects_in_an_archive_are_named(tmp_path):
    np.savez(tmp_path / "k.npz", fx=700.0, K=np.array(MATRIX, object))
    with pytest.raises(FormatError, match="K holds object values"):
        as_intrinsics(tmp_path / "k.npz")


@pytest.mark.parametrize("distortion", [{"dist": [[-0.3, 0.1, 0, 0]]}, {"k1": 0.1}, {"D": {"data": [0, 0.1]}}])
def test_distortion_is_said_to_be_left_out(caplog, distortion):
    zero = {"dist": [0, 0.0], "k1": 0, "D": {"data": [0]}, "distortion": "plumb_bob", "dist_coeffs": None}
    assert as_intrinsics({"K": MATRIX, **zero}) == KNOWN and not caplog.text
    assert as_intrinsics({"K": MATRIX, **distortion}) == KNOWN
    assert caplog.messages == ["intrinsics: the distortion is not used; undistort the picture, or its keypoints, first"]


@pytest.mark.parametrize("size", [{"image_size": [640, 480]}, {"image_width": 640.0, "image_height": 480}])
def test_a_camera_of_other_pictures_is_refused(size):
    people = Keypoints2D(np.ones((1, 17, 2)), np.ones((1, 17)), "coco17")
    told = Told.checked(None, "auto", None, {"K": MATRIX, **size}, None)
    assert told.apply(people, "a").intrinsics == as_intrinsics(told.intrinsics)
    assert told.apply(replace(people, image_size=(640, 480)), "a").intrinsics.focal == 1000
    with pytest.raises(InputError, match="has 1280x720 pixels, but the camera took pictures of 640x480"):
        told.apply(replace(people, image_size=(1280, 720)), "a")


def test_sizes():
    assert parse_size("1920x1080") == parse_size("1920X1080") == (1920, 1080)
    for text in ("1920", "0x5", "-1x5", "1920x1080x3", "axb", "1e3x5", ""):
        with pytest.raises(InputError, match="WIDTHxHEIGHT"):
            parse_size(text)
