"""Four skinning weights a vertex that hold for the motion at hand.

The weights that ship hold for recorded motion; what is recovered from a film moves clavicles and neck further. Vertices
that a character's own motion would put more than two millimetres off are fitted to it once more: their weights, and
where that is not enough, where they are at rest.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models.rig_fit import COUNT, FittedVertices, fit_vertices, skinning_error, vertices_with_more
from pose2mesh.body_models.rig_weights import SkinWeights, load_skin_weights
from pose2mesh.exporters.character import Character
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.rotation import rotvec_to_rotmat

_TOLERANCE = 2.0  # mm
_FRAMES = 128  # evenly over the motion; the worst frame of each vertex is fitted to as well
_TURNED_DEGREES, _TURNED_SCALE = 4.0, 0.3  # an animator turns bones further: such errors count by a third
_BATCH = 256  # frames at a time


class Skin(NamedTuple):
    """What a character's mesh hangs on."""

    weights: SkinWeights
    vertices: np.ndarray  # [V, 3] metres, at rest


def skin_of(character: Character, weights_per_vertex: int = COUNT) -> Skin:
    """Eight weights as they ship, or four that are fitted to the motion (docs/decisions/0052).

    Raises InputError for another number.
    """
    weights = load_skin_weights(character.body, weights_per_vertex)
    rest = torch.from_numpy(character.vertices)  # [V, 3]
    if weights_per_vertex != COUNT:
        return Skin(weights, character.vertices)
    rig, vertices = Skin(weights, character.vertices.copy()), vertices_with_more(character.body)
    for moves_rest in (False, True):
        largest, worst = _largest_errors(character, rig, vertices)
        far = largest > _TOLERANCE
        if not far.any():
            break
        vertices, largest, worst = vertices[far], largest[far], worst[far]
        even = torch.linspace(0, len(character.times) - 1, min(len(character.times), _FRAMES)).long()
        transforms, scale = _poses(character, torch.cat([even, worst]).unique())
        fitted = fit_vertices(character.body, vertices, transforms, rest.expand(len(scale), -1, -1), scale, moves_rest)
        changed = _with_vertices(rig, vertices, fitted)
        is_nearer = _largest_errors(character, changed, vertices)[0] < largest  # in all frames, not those alone
        rig = _with_vertices(rig, vertices[is_nearer], FittedVertices(*(part[is_nearer] for part in fitted)))
    return rig


def _with_vertices(rig: Skin, vertices: Tensor, fitted: FittedVertices) -> Skin:
    """A copy in which vertices [n] hang as they were fitted."""
    bones, weights, places = rig.weights.bones.copy(), rig.weights.weights.copy(), rig.vertices.copy()
    rows = vertices.numpy()  # NumPy takes a tensor of one element for an index alone
    bones[rows], weights[rows] = fitted.bones.numpy(), fitted.weights.numpy()
    places[rows] += fitted.shift.float().numpy()
    return Skin(SkinWeights(bones, weights), places)


def _largest_errors(character: Character, rig: Skin, vertices: Tensor) -> tuple[Tensor, Tensor]:
    """How far vertices [n] come from where the full weights put them, [n] mm, and in which frame [n]."""
    rest, moved = torch.from_numpy(character.vertices), torch.from_numpy(rig.vertices)
    largest, worst = torch.zeros(len(vertices)), torch.zeros(len(vertices), dtype=torch.long)
    for frames in torch.arange(len(character.times)).split(_BATCH):
        transforms = _transforms(character, _pose(character, frames))
        full, own = (places.expand(len(frames), -1, -1) for places in (rest, moved))
        error = skinning_error(character.body, rig.weights, transforms, full, vertices, own)
        found, row = error.max(0)
        worst = torch.where(found > largest, frames[row], worst)
        largest = torch.maximum(largest, found)
    return largest, worst


def _poses(character: Character, frames: Tensor) -> tuple[Tensor, Tensor]:
    """What to fit to, transforms [P,K,3,4], and how much an error counts there [P]: rest, frames, frames turned on."""
    pose = _pose(character, frames)  # [T, K, 3, 3]
    turn = torch.randn(*pose.shape[:2], 3, generator=torch.Generator().manual_seed(0)) * np.deg2rad(_TURNED_DEGREES)
    poses = torch.cat([torch.eye(3).expand(1, *pose.shape[1:]), pose, pose @ rotvec_to_rotmat(turn)])
    scale = torch.cat([torch.ones(1 + len(pose)), torch.full((len(pose),), _TURNED_SCALE)])
    return _transforms(character, poses), scale


def _pose(character: Character, frames: Tensor) -> Tensor:
    """Rotations [T,K,3,3] of all bones against their parents in the frames [T]."""
    groups = torch.from_numpy(character.groups[frames.numpy()]).float()
    return relative_rotations(groups[:, character.body.group_of], character.body.parents)


def _transforms(character: Character, pose: Tensor) -> Tensor:
    """Transforms [P,K,3,4] of all bones from rest; where the root is changes no error."""
    heads = torch.from_numpy(character.heads).expand(len(pose), -1, -1)
    return character.body.move_bones(heads, pose)[0]
