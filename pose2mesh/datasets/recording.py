"""A recording of any skeleton, and the way from it to the 19 bones of a motion pack."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh.datasets.motion_pack import MotionClip
from pose2mesh.datasets.recorded_skeleton import Skeleton, find_reference, forward, match_bones
from pose2mesh.datasets.retarget import frames_without_jumps, possible_poses, resample_to_120, retarget
from pose2mesh.errors import FormatError


@dataclass(frozen=True)
class Recording:
    """What a file holds."""

    name: str
    skeleton: Skeleton
    local: np.ndarray  # [N, S, 3, 3] rotations against the parent joint
    fps: float
    rest: np.ndarray | None = None  # [S, 3, 3] world rotations of the rest pose; none: the identity
    first_frame: int = 0  # its number in the file

    def clip(self) -> MotionClip:
        """The motion on Anny's bones, cleaned, at 30 Hz (docs/data.md gives the rules).

        A recording of which cleaning leaves nothing gives a clip with no frames. Raises FormatError for joints that
        were not recognized, or no T-pose.
        """
        bones = match_bones(self.skeleton)
        recorded = forward(self.skeleton, self.local)  # [N, S, 3, 3]
        rest = np.broadcast_to(np.eye(3), recorded.shape[1:]) if self.rest is None else self.rest
        reference = find_reference(self.skeleton, bones, (rest, recorded[0]))
        axes = reference.to_anny  # [3, 3]
        turned = recorded[:, bones] @ reference.world[bones].swapaxes(1, 2)  # [N, 19, 3, 3] against the T-pose
        world = resample_to_120(axes @ turned @ axes.T, self.fps)  # [M, 19, 3, 3]
        frames = frames_without_jumps(world)  # [K]
        poses = retarget(world[frames], reference.directions)  # [K, 19, 3, 3]
        keep = possible_poses(poses)  # [K]
        rotvec = Rotation.from_matrix(poses[keep].reshape(-1, 3, 3)).as_rotvec().reshape(-1, len(bones), 3)
        numbers = (frames[keep] + self.first_frame).astype(np.int32)  # [L]
        return MotionClip(rotvec.astype(np.float32), numbers, self.name)


def check_numbers(local: np.ndarray, skeleton: Skeleton, fps: float) -> None:
    """Raise FormatError unless rotations [N, S, 3, 3], offsets and the rate are finite, and there is a frame."""
    if not (np.isfinite(local).all() and np.isfinite(skeleton.offsets).all() and np.isfinite(fps) and fps > 0):
        raise FormatError("holds values that are not finite; export or download it again")
    if not len(local):
        raise FormatError("has no frames; export or download it again")
