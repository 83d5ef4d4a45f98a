"""Motion packs: what is read is what was written, what is damaged is refused, distinct poses are distinct."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose2mesh import paths
from pose2mesh.datasets.motion import distinct_poses, load_motion
from pose2mesh.datasets.motion_pack import BONES, PARENTS, MotionClip, MotionPack
from pose2mesh.errors import FormatError, InputError, MissingFileError


def random_poses(count: int, spread: float = 0.5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (count, 19, 3)).astype(np.float32)


def make_pack() -> MotionPack:
    clips = [MotionClip(random_poses(n), np.arange(6, 6 + 4 * n, 4), f"0{n}_01") for n in (3, 5)]
    return MotionPack.from_clips(clips, ["03", "05"], ["a", "b"])


def test_pack_survives_the_disk(tmp_path: Path) -> None:
    pack = make_pack()
    pack.save(tmp_path / "motion.npz")
    loaded = load_motion(tmp_path / "motion.npz")
    for name in pack.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(pack, name), err_msg=name)
    assert len(loaded) == 8 and loaded.rotvec.dtype == np.float32 and loaded.clip_id.tolist() == [0] * 3 + [1] * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotvec": np.zeros((7, 19, 3))}, r"clip_id is int32 \[8\]; expected \[N\]"),
        ({"rotvec": np.zeros((8, 19, 3), int)}, "rotvec is int64"),
        ({"rotvec": np.full((8, 19, 3), np.nan)}, "not finite"),
        ({"rotvec": np.full((8, 19, 3), 90.0)}, "radians"),
        ({"clip_id": np.full(8, 2)}, "clip_id points outside"),
        ({"clip_id": np.full(8, -1)}, "clip_id points outside"),
        ({"bone_names": BONES[::-1]}, "bone_names are not root spine03"),
        ({"parents": np.zeros(19, int)}, "parents"),
        ({"clip_subject": ("03",)}, "clip_subject"),
        ({"clip_source": np.array([None, "a"], object)}, "holds object"),
        ({"fps": 0.0}, "fps"),
        ({"fps": 60.0}, "fps is 60, not 30"),
    ],
)
def test_damaged_packs_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    replace(make_pack(), **changes).save(tmp_path / "motion.npz")
    with pytest.raises(FormatError, match=message):
        MotionPack.load(tmp_path / "motion.npz")


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_truncated_packs_are_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "motion.npz"
    make_pack().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FormatError, match=r"motion\.npz"):
        load_motion(path)


def test_flipped_bytes_do_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    make_pack().save(path)
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(byte ^ 0xFF for byte in content[200:210])  # inside rotvec, which stands first
    path.write_bytes(content)
    with pytest.raises(FormatError):
        load_motion(path)


def test_foreign_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))  # packs or none: the same message
    np.savez(tmp_path / "foreign.npz", poses=np.zeros(3))
    np.save(tmp_path / "single.npy", np.zeros(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with pytest.raises(FormatError, match="lacks rotvec, clip_id"):
        load_motion(tmp_path / "foreign.npz")
    with pytest.raises(FormatError, match=r"single\.npz is damaged or no NPZ"):
        load_motion(tmp_path / "single.npz")
    with pytest.raises(InputError, match=r"\.npz pack, from \.bvh, .* or folders"):
        load_motion(tmp_path / "motion.c3d")
    with pytest.raises(MissingFileError):
        load_motion(tmp_path / "absent.npz")
    monkeypatch.delenv("POSE2MESH_DATA", raising=False)
    for folder in (tmp_path / "shared" / "data", tmp_path / "none"):  # there and not: nobody gave either
        monkeypatch.setattr(paths, "_CHECKOUT", folder.parents[1] / "checkout")
        (tmp_path / "shared" / "data").mkdir(parents=True, exist_ok=True)
        with pytest.raises(MissingFileError) as told:
            load_motion("typo.npz")
        assert str(told.value).startswith("typo.npz") and str(folder) not in str(told.value)


def test_parents_stand_before_their_children() -> None:
    assert all(parent < bone for bone, parent in enumerate(PARENTS))
    sides = {BONES[bone][-1] + BONES[parent][-1] for bone, parent in enumerate(PARENTS) if BONES[bone][-2] == "."}
    assert not sides & {"LR", "RL"}


def brute_force(rotvec: np.ndarray, threshold: float) -> list[int]:
    """The definition, pair by pair; heading = the twist about z of the root's swing-twist decomposition."""
    poses = []
    for pose in rotvec:
        z, w = Rotation.from_rotvec(pose[0]).as_quat()[2:]
        poses.append(Rotation.from_quat([0, 0, -z, w]) * Rotation.from_rotvec(pose))
    kept: list[int] = []
    for i, pose in enumerate(poses):
        if all((poses[k].inv() * pose).magnitude().mean() > threshold for k in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_distinct_poses_follow_their_definition(chunk: int) -> None:
    rotvec = np.cumsum(random_poses(120, 0.06), axis=0)  # a walk through poses that comes back now and then
    rotvec[60:] = rotvec[:60] + random_poses(60, 0.1, seed=1)
    expected = brute_force(rotvec, 0.2)
    assert 10 < len(expected) < 110
    assert distinct_poses(rotvec, chunk=chunk).tolist() == expected


def test_heading_does_not_make_poses_distinct() -> None:
    pose = Rotation.from_rotvec(random_poses(1)[0])
    turned = [(Rotation.from_euler("z", a) * pose).as_rotvec() for a in np.linspace(-3, 3, 9)]
    assert distinct_poses(np.stack(turned)).tolist() == [0]
    tilted = [(Rotation.from_euler("x", a) * pose).as_rotvec() for a in (0.0, 0.3, 0.6)]
    assert distinct_poses(np.stack(tilted)).tolist() == [0, 1, 2]


def test_no_poses_no_indices() -> None:
    assert distinct_poses(np.zeros((0, 19, 3))).tolist() == []


@pytest.mark.data
@pytest.mark.parametrize(
    ("pack", "frames", "distinct"),
    # Counted when the packs were made, with the heading taken out in a way not stated; ours: 329 and 312.
    [("mocap_val", 3632, 298), ("mocap_test_public", 8253, 276)],
)
def test_recorded_packs_have_the_stated_variety(pack: str, frames: int, distinct: int) -> None:
    motion = load_motion(paths.data_dir() / f"{pack}.npz")
    assert len(motion) == frames
    assert len(distinct_poses(motion.rotvec)) == pytest.approx(distinct, rel=0.15)


def test_a_name_that_is_not_here_is_looked_for_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packs").mkdir()
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path / "packs"))
    make_pack().save(tmp_path / "packs" / "motion.npz")
    assert len(load_motion("motion.npz")) == 8
    with pytest.raises(MissingFileError, match=r"packs/other\.npz not found"):
        load_motion("other.npz")
