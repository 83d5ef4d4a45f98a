"""What a network trains on, out of people of one dataset: the 2D pose it sees, 3D joints and mesh, and what is valid.

The rules are the release's. Lengths are metres; each set of joints is relative to its own root, the mesh to the root of
the joints that it is compared in.
"""

import torch
from torch import Tensor

from pose2mesh.datasets.annotated.meshes import BodySurfaces, project
from pose2mesh.datasets.annotated.table import SampleTable
from pose2mesh.datasets.sample import Dataset
from pose2mesh.losses.targets import AnnotatedBatch
from pose2mesh.plugins import find
from pose2mesh.skeletons import joint_set

TARGET_SETS = {"human36m17": "human36m17", "coco19": "human36m17", "smpl24": "smpl24", "hand21": "hand21"}
MEASURED_SETS = {**TARGET_SETS, "smpl24": "human36m17"}  # in which people are measured and fits judged
_FIT_PIXELS = 64.0  # side of the box in which COCO's fits are judged


def make_targets(
    people: SampleTable, surfaces: BodySurfaces, input_set: str, *, needs_mesh: bool, exact: bool = False
) -> AnnotatedBatch:
    """Inputs without synthesized errors and targets of some people; `exact` projects where there are detections too."""
    dataset, target_set = find("dataset", people.dataset), TARGET_SETS[input_set]
    sees_detections = dataset.sees_detections and not exact
    is_measured_set = MEASURED_SETS[input_set] == target_set
    measures = dataset.joints_are_measured and is_measured_set and bool(people.measured_valid.all())
    if measures and input_set == target_set and not needs_mesh:  # no body is needed
        return _measured_only(people)
    vertices, heads = surfaces.vertices(people)
    model = people.models[0]
    seen = surfaces.joints(input_set, vertices, heads, model)  # [B, J, 3]
    joints = people.measured if measures else surfaces.joints(target_set, vertices, heads, model)
    fits = fit_is_good(people, surfaces, (vertices, heads), project(people, seen), dataset, MEASURED_SETS[input_set])
    seen_is_measured = measures and input_set == target_set
    seen = people.measured if seen_is_measured else seen
    everyone = torch.ones_like(fits)
    root = joints[:, _root(target_set)]
    return AnnotatedBatch(
        keypoints=_keypoints(people, seen, sees_detections),
        lifted=seen - seen[:, _root(input_set)],
        lifted_valid=everyone if seen_is_measured else fits,
        joints=joints - root,
        joints_valid=everyone if measures else fits,
        vertices=vertices - root if needs_mesh else vertices[:, :0],
        vertices_valid=fits,
    )


def fit_is_good(
    people: SampleTable,
    surfaces: BodySurfaces,
    bodies: tuple[Tensor, Tensor],
    pixels: Tensor,
    dataset: Dataset,
    measured_set: str,
) -> Tensor:
    """[B] whether the mesh agrees with what was measured or labeled.

    Shapes: bodies [B, V, 3] and [B, K, 3], vertices and bone heads; pixels [B, J, 2].
    """
    good = torch.ones(len(people), dtype=torch.bool)
    if dataset.largest_misfit_m < torch.inf:
        joints = surfaces.joints(measured_set, *bodies, people.models[0])
        good &= misfit(joints, people.measured, people.measured_valid) <= dataset.largest_misfit_m
    if dataset.largest_misfit_px < torch.inf:
        drawn = project(people, surfaces.joints("coco17", *bodies, people.models[0]))
        good &= misfit_in_box(drawn, people.labels, pixels) <= dataset.largest_misfit_px
    return good


def misfit(joints: Tensor, measured: Tensor, valid: Tensor) -> Tensor:
    """Mean distance [B] m of joints [B, J, 3] after their means are put together; valid [B, J]. 0 where none is."""
    weight = valid.float()[..., None]  # [B, J, 1]
    count = weight.sum(1, keepdim=True).clamp(min=1)
    difference = (joints - measured) * weight
    difference = (difference - difference.sum(1, keepdim=True) / count) * weight
    return difference.norm(dim=-1).sum(1) / count[:, 0, 0]


def misfit_in_box(drawn: Tensor, labels: Tensor, pixels: Tensor) -> Tensor:
    """Mean distance [B] of drawn joints [B, 17, 2] from labels [B, 17, 3], the box around `pixels` being 64 wide."""
    visible = (labels[..., 2] > 0).float()  # [B, 17]
    side = (pixels.amax(1) - pixels.amin(1)).amax(1) - 1  # [B] the box counts pixels
    distance = ((drawn - labels[..., :2]).norm(dim=-1) * visible).sum(1) / visible.sum(1).clamp(min=1)
    return distance * _FIT_PIXELS / side.clamp(min=1)


def _measured_only(people: SampleTable) -> AnnotatedBatch:
    everyone = torch.ones(len(people), dtype=torch.bool)
    joints = people.measured - people.measured[:, _root("human36m17")]
    keypoints = _keypoints(people, people.measured, False)
    return AnnotatedBatch(keypoints, joints, everyone, joints, everyone, joints[:, :0], everyone)


def _keypoints(people: SampleTable, seen: Tensor, sees_detections: bool) -> Tensor:
    """[B, J, 3] projections with confidence 1, or detections where the release uses them and there are some."""
    pixels = project(people, seen)
    drawn = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    if not sees_detections:
        return drawn
    has_some = (people.detections[..., 2] > 0).any(1)[:, None, None]
    return torch.where(has_some, people.detections, drawn)


def _root(name: str) -> slice:
    """The root joint of a set, as a slice that keeps the axis."""
    joints = joint_set(name)
    assert joints.root is not None  # every set of TARGET_SETS has one
    index = joints.index(joints.root)
    return slice(index, index + 1)
