"""Measures that need no truth in 3D: how many re-projected joints meet the labels, and a bench of labeled pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pose2mesh.adaptation.backbones import Backbone, load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.materials import Keypoints
from pose2mesh.adaptation.run import make_methods, run_adaptation
from pose2mesh.adaptation.target import load_target, split_target
from pose2mesh.errors import InputError
from pose2mesh.geometry.placement import place_bodies, project_rays
from pose2mesh.skeletons import joint_set

GROUPS = ("eye", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")  # the columns of the paper's SEEDLingS table
THRESHOLD = 0.05  # of the longer side of the box around the labeled joints
_TEST_SHARE = 0.4  # of the pictures: neither steps nor early stopping see them
_NEIGHBORS = 4  # people of one picture follow each other in a file; early stopping takes this many together


class LabelBench:
    """One network before keypoints of pictures whose 3D truth nobody knows."""

    def __init__(self, path: str, weights: str, base: AdaptConfig, device: torch.device):
        self.weights, self.device, limits = weights, device, base.target
        everybody = limits.model_copy(update={"keypoints": path, "held_out": _TEST_SHARE})
        whole = load_target(everybody, load_backbone(weights, device).joint_set)
        groups = torch.arange(len(whole.keypoints)) // _NEIGHBORS
        self.target = split_target(
            whole.keypoints, groups, held_out=limits.held_out, least_confidence=limits.least_confidence, where=path
        )
        self.test = whole.held_out

    def measure_row(self, method: str, config: AdaptConfig) -> dict[str, float]:
        """Adapt from the source weights, then measure on pictures that the adaptation has not seen."""
        backbone = load_backbone(self.weights, self.device)
        if method == "oracle":
            raise InputError("rows: labels in 2D have no oracle; leave it out")
        material = Keypoints(backbone, self.target, config)
        outcome = run_adaptation(material, [] if method == "source" else make_methods(material, method))
        shares = label_shares(backbone, self.test.to(self.device))
        return {**shares, "reprojection": outcome.best[1], "steps": float(outcome.errors[-1][0])}


@torch.no_grad()
def label_shares(backbone: Backbone, keypoints: Tensor) -> dict[str, float]:
    """Percent of labeled joints [N,J,3] (focal lengths, confidence) that re-projection meets, per group and over all.

    The camera follows from joints and labels in closed form, so a person that is turned or stretched in depth alone
    still meets its labels.
    """
    joints = backbone.joints(backbone.features(keypoints).float()).float()
    points, joints = backbone.align(keypoints, joints)
    rays, weights = points[..., :2], points[..., 2]
    names = [joint_set(backbone.joint_set).joints[row] for row, _ in backbone.shared]
    return joint_shares(project_rays(joints, place_bodies(joints, rays, weights)), rays, weights > 0, names)


def joint_shares(found: Tensor, labels: Tensor, seen: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Percent of the joints `names` that meet their labels where `seen` [N,K]; points [N,K,2] both, in any unit."""
    far = torch.full_like(labels, torch.inf)
    low = torch.where(seen[..., None], labels, far).amin(1)  # [N, 2]
    high = torch.where(seen[..., None], labels, -far).amax(1)
    is_right = (found - labels).norm(dim=-1) <= THRESHOLD * (high - low).amax(-1, keepdim=True)  # [N, K]
    columns = {group: [i for i, name in enumerate(names) if name.endswith(group)] for group in GROUPS}
    columns = {"all": list(range(len(names))), **columns}
    return {
        f"pck_{group}": 100 * float((is_right & seen)[:, rows].sum() / seen[:, rows].sum().clamp(min=1))
        for group, rows in columns.items()
    }


def depth_errors(found: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Mean error [B] m across the picture and along the optical axis, of joints [B,J,3] m."""
    difference = found - truth
    return {
        "across_mpjpe": difference[..., :2].norm(dim=-1).mean(-1),
        "depth_mpjpe": difference[..., 2].abs().mean(-1),
    }
