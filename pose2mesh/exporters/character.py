"""One person of a motion as a character: the rest body of that shape and its bones over time, y up.

Mesh files are y-up: where the motion knows the ground that is the world with the ground at zero, else the camera's
axes turned by half a turn about x. Everybody lasts as long as the whole motion, as first seen before that and as last
seen after it.
"""

from typing import NamedTuple

import numpy as np
import torch

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set
from pose2mesh.types import Motion

_PELVIS = joint_set("coco19").index("pelvis")
_HALF_TURN = np.diag([1.0, -1.0, -1.0, 1.0])  # camera axes to y up


class Character(NamedTuple):
    """A body at rest, its bone heads, and what moves it."""

    track: int
    body: AnnyBody
    vertices: np.ndarray  # [V, 3] metres, at rest
    heads: np.ndarray  # [K, 3] metres, at rest
    times: np.ndarray  # [T] seconds since the video's start, from the motion's first frame to its last
    groups: np.ndarray  # [T, G, 3, 3] world rotations of the bones `body.groups`; the others copy their parent
    root: np.ndarray  # [T, 3] metres, where the head of the root bone is

    @property
    def group_parents(self) -> np.ndarray:
        """The group that each group hangs on, [G], -1 for the root."""
        leading = [self.body.bone_names.index(name) for name in self.body.groups]
        parents = self.body.parents.numpy()[leading]
        return np.where(parents >= 0, self.body.group_of.numpy()[np.maximum(parents, 0)], -1)

    def relative(self) -> np.ndarray:
        """Rotations [T, G, 3, 3] of the groups against their parents; the root's is that in the world."""
        parents = self.group_parents
        relative = self.groups[:, parents].swapaxes(-1, -2) @ self.groups
        relative[:, 0] = self.groups[:, 0]
        return relative


def characters(motion: Motion) -> list[Character]:
    """The people of a motion. Raises InputError for a body other than Anny, whose skin needs more than bones."""
    if motion.body != "anny-body":
        raise InputError(f"characters are written for anny-body; this motion has the parameters of {motion.body}")
    body = load_anny_body()
    pelvis = ReducedBody(body, np.zeros(0, np.int64), "coco19")
    return [_character(motion.only(track), track, body, pelvis) for track in motion.tracks]


def _character(motion: Motion, track: int, body: AnnyBody, reduced: ReducedBody) -> Character:
    world = _HALF_TURN if motion.world_from_camera is None else motion.world_from_camera.astype(np.float64)
    rotations = torch.from_numpy(motion.rotations.astype(np.float32))  # [T, 19, 3, 3]
    betas = torch.from_numpy(motion.betas.mean(0, keepdims=True).astype(np.float32))  # [1, S]
    rest, groups = body.rest(betas), body.expand_groups(rotations)
    pelvis = reduced.joints(betas.expand(len(rotations), -1), groups)[:, _PELVIS]  # [T, 3]
    root = motion.translation + (rest.joints[:, 0] - pelvis).numpy()  # [T, 3] in camera axes
    times, rows = _over_span(motion)
    return Character(
        track=track,
        body=body,
        vertices=rest.vertices[0].numpy(),
        heads=rest.joints[0].numpy(),
        times=times,
        groups=(world[:3, :3] @ groups.numpy().astype(np.float64))[rows],
        root=(root @ world[:3, :3].T + world[:3, 3])[rows],
    )


def _over_span(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Times [T] of one person and the rows [T] to show then: the first and the last are held over the motion's span."""
    times = motion.time.astype(np.float64)
    start, end = motion.span or times[[0, -1]]
    held = int(start < times[0]), int(times[-1] < end)
    return np.r_[[start] * held[0], times, [end] * held[1]], np.pad(np.arange(len(times)), held, "edge")
