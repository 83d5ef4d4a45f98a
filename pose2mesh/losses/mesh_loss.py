"""Losses on the surface that the vertices span, and the weighted sum of all terms, as Pose2Mesh trains with it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import joint_loss, lifting_loss, vertex_loss

_LENGTH_FLOOR = 1e-6  # m; makes the edge length smooth at zero and changes a 1 mm edge by 5e-7 of itself
_DIRECTION_FLOOR = 1e-5  # m; bounds the slope of a unit vector at zero length


def normal_loss(pred: Tensor, target: Tensor, faces: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean |cos| between predicted edges and the true normal of their face (Choi et al. 2020).

    Shapes: pred and target [B, V, 3] m; faces [F, 3] int64; valid [B], None for all; returns [], 0 to 1.
    """
    pred, target = _blank_invalid(pred, valid), _blank_invalid(target, valid)
    along = _face_edges(pred, faces)  # [B, F, 3 edges, 3]
    along = along / _smooth_length(along, _DIRECTION_FLOOR)[..., None]
    edges = _face_edges(target, faces)
    normal = torch.nn.functional.normalize(torch.linalg.cross(edges[:, :, 0], edges[:, :, 1]), dim=-1)  # [B, F, 3]
    cosine = (along * normal[:, :, None]).sum(-1).abs()  # [B, F, 3]
    return _mean_of_valid(cosine, valid)


def edge_loss(pred: Tensor, target: Tensor, faces: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the edge lengths, over the three edges of each face (Choi et al. 2020).

    The length is √(d² + ε²), so the slope stays below one where two vertices coincide.

    Shapes: pred and target [B, V, 3] m; faces [F, 3] int64; valid [B], None for all; returns [], metres.
    """
    pred, target = _blank_invalid(pred, valid), _blank_invalid(target, valid)
    pred_length = _smooth_length(_face_edges(pred, faces), _LENGTH_FLOOR)  # [B, F, 3]
    target_length = _smooth_length(_face_edges(target, faces), _LENGTH_FLOOR)
    return _mean_of_valid((pred_length - target_length).abs(), valid)


def _face_edges(vertices: Tensor, faces: Tensor) -> Tensor:
    """Edge vectors 0→1, 0→2 and 1→2 of each face: [B, V, 3] to [B, F, 3, 3]."""
    start, end = faces[:, [0, 0, 1]], faces[:, [1, 2, 2]]  # [F, 3]
    return vertices[:, end] - vertices[:, start]


def _smooth_length(vectors: Tensor, floor: float) -> Tensor:
    return (vectors.square().sum(-1) + floor**2).sqrt()


def _blank_invalid(vertices: Tensor, valid: Tensor | None) -> Tensor:
    """Zeros in place of invalid samples, which may hold NaN."""
    if valid is None:
        return vertices
    return torch.where(valid.bool()[:, None, None], vertices, torch.zeros_like(vertices))


def _mean_of_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of [B, F, 3] over the valid samples; zero when there is none."""
    if valid is None:
        return values.mean()
    per_sample = values.mean((1, 2)) * valid.bool()  # [B]
    return per_sample.sum() / valid.bool().sum().clamp(min=1)


@dataclass(frozen=True)
class MeshLossWeights:
    """Weight of each term; all lengths are in metres.

    The original states joints in millimetres with a weight of 1e-3 per mm, which is 1 per metre.
    """

    vertex: float = 1.0  # per metre
    joint: float = 1.0  # per metre
    normal: float = 0.1  # the term has no unit
    edge: float = 20.0  # per metre
    lift: float = 1.0  # per metre


class MeshTarget(NamedTuple):
    """What the prediction is compared with. A mask of None means that all samples are valid."""

    vertices: Tensor  # [B, V, 3] m
    joints: Tensor  # [B, J, 3] m, of the regressor that the predicted mesh goes through
    lifted: Tensor  # [B, J', 3] m, in the joint set of PoseNet
    vertices_valid: Tensor | None = None  # [B]
    joints_valid: Tensor | None = None  # [B] or [B, J]
    lifted_valid: Tensor | None = None  # [B] or [B, J']


class MeshLoss(nn.Module):
    """Vertex, joint, normal, edge and lifting loss.

    The edge term starts with epoch `edge_start_epoch` (counted from 0), when the mesh is roughly in place;
    the paper trains the body without it for 7 epochs and the hand for 15.
    """

    faces: Tensor  # [F, 3] int64

    def __init__(self, faces: Tensor, weights: MeshLossWeights | None = None, *, edge_start_epoch: int = 7):
        super().__init__()
        self.register_buffer("faces", faces.long(), persistent=False)
        self.weights = weights or MeshLossWeights()
        self.edge_start_epoch = edge_start_epoch

    def forward(
        self, vertices: Tensor, joints: Tensor, lifted: Tensor, target: MeshTarget, *, epoch: int
    ) -> dict[str, Tensor]:
        """The unweighted terms that are switched on, and "total", their weighted sum.

        Shapes: vertices [B, V, 3], joints [B, J, 3] regressed from them, lifted [B, J', 3], all in metres.
        """
        weights = self.weights
        terms = {
            "vertex": vertex_loss(vertices, target.vertices, target.vertices_valid),
            "joint": joint_loss(joints, target.joints, target.joints_valid),
            "lift": lifting_loss(lifted, target.lifted, target.lifted_valid),
        }
        if weights.normal:
            terms["normal"] = normal_loss(vertices, target.vertices, self.faces, target.vertices_valid)
        if weights.edge and epoch >= self.edge_start_epoch:
            terms["edge"] = edge_loss(vertices, target.vertices, self.faces, target.vertices_valid)
        weighted = [getattr(weights, name) * term for name, term in terms.items()]
        return {**terms, "total": torch.stack(weighted).sum()}
