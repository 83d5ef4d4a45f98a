"""One view of every network that can be adapted: features that change, and a frozen head behind them."""

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import finest_vertex_ids, load_network, read_weights
from pose2mesh.errors import InputError
from pose2mesh.fitting.parameters import ParameterFit
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.losses.coordinates import distance_loss
from pose2mesh.losses.parameters import ParameterLoss
from pose2mesh.losses.targets import Batch
from pose2mesh.losses.terms import LossConfig
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.key2mesh import Key2Mesh
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.synthesis.detections import conversion


class Backbone(nn.Module, ABC):
    """A network whose feature extractor is adapted while everything behind the features stays as it is.

    `source` is the extractor as it was, frozen; `extractor` the adapted one, part of `network`, which is what is saved.
    Features of both are [B,C].
    """

    def __init__(self, network: Any, settings: dict[str, Any]):
        super().__init__()
        self.network, self.settings = network.eval().requires_grad_(False), settings
        self.joint_set = network.joint_set
        self.from_coco = conversion("coco17", self.joint_set)
        self.source = copy.deepcopy(network.lifter)
        self.extractor = network.lifter
        self.width = network.lifter.width
        joints = network.output_joint_names
        self.shared = [(i, joints.index(j)) for i, j in enumerate(find_joint_set(self.joint_set).joints) if j in joints]
        for parameter in self.trainable():
            parameter.requires_grad_(True)

    @property
    def device(self) -> torch.device:
        return next(self.extractor.parameters()).device

    def trainable(self) -> list[nn.Parameter]:
        """The weights that adaptation changes: the extractor without the joints it also gives."""
        return [p for name, p in self.extractor.named_parameters() if not name.startswith("head.")]

    def features(self, keypoints: Tensor) -> Tensor:
        """Adapted features [B,C] of keypoints [B,J,3] in the network's joint set."""
        return self.extractor.features(keypoints)

    @torch.no_grad()
    def source_features(self, keypoints: Tensor) -> Tensor:
        """Features [B,C] as they were before adaptation."""
        return self.source.features(keypoints)

    def keypoints_of(self, batch: Batch) -> Tensor:
        """Keypoints [B,J,3] of source samples, which are seen in COCO-17, in the network's joint set."""
        return self.from_coco(batch.keypoints)

    def align(self, keypoints: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """The joints that input and output have in common: keypoints [B,K,3] and joints [B,K,3] m.

        `joints` may be the first of the output's alone: those of a decoder, with which every set of outputs begins.
        """
        rows, columns = zip(*(pair for pair in self.shared if pair[1] < joints.shape[1]), strict=True)
        return keypoints[:, list(rows)], joints[:, list(columns)]

    @abstractmethod
    def joints(self, features: Tensor) -> Tensor:
        """Joints [B,J',3] m of features [B,C] through the frozen head."""

    @abstractmethod
    def parameters_of(self, features: Tensor) -> BodyParameters:
        """Rotations and shape of the body that features [B,C] stand for."""

    @abstractmethod
    def supervised(self, features: Tensor, batch: Batch) -> Tensor:
        """The loss of features [B,C] against everything known of synthetic samples, metres."""

    @property
    @abstractmethod
    def vertex_ids(self) -> np.ndarray:
        """The vertices that batches for `supervised` hold."""


class ParameterBackbone(Backbone):
    """The parameter network."""

    def __init__(self, network: Key2Mesh, settings: dict[str, Any]):
        super().__init__(network, settings)
        self.loss = ParameterLoss(network.decoder.of_vertices(self.vertex_ids), LossConfig())

    def parameters_of(self, features: Tensor) -> BodyParameters:
        return self.network.estimate(features)

    def joints(self, features: Tensor) -> Tensor:
        return self.network.decoder.joints(self.parameters_of(features))

    def supervised(self, features: Tensor, batch: Batch) -> Tensor:
        return self.loss(self.parameters_of(features), batch)[0]

    @property
    def vertex_ids(self) -> np.ndarray:
        return finest_vertex_ids(self.settings)


class GraphBackbone(Backbone):
    """The graph network: the lifter's features, its joints, and the first guess of the mesh head.

    Graph layers cost fifty times the lifter, so losses stop at the coarsest vertices, a linear map of the features; the
    frozen layers refine what they are given. Parameters are fitted to those vertices.
    """

    @cached_property
    def fit(self) -> ParameterFit:
        return ParameterFit(load_anny_body(), self.vertex_ids)

    def parameters_of(self, features: Tensor) -> BodyParameters:
        return self.fit(self.network.mesh_head.coarsest(features).float())

    def joints(self, features: Tensor) -> Tensor:
        return self.network.lifter.joints(features)

    def supervised(self, features: Tensor, batch: Batch) -> Tensor:
        coarsest = self.network.mesh_head.coarsest(features)
        joints = self.joints(features)[:, : batch.joints.shape[1]]  # sets of outputs begin with the same joints
        return distance_loss(joints, batch.joints) + distance_loss(coarsest, batch.vertices)

    @property
    def vertex_ids(self) -> np.ndarray:
        mesh = self.settings["mesh"]
        return np.asarray(load_hierarchy(mesh["hierarchy"]).vertex_ids[len(mesh["channels"])])


_VIEWS = {"parameters": ParameterBackbone, "vertices": GraphBackbone}


def load_backbone(weights: str | Path, device: torch.device) -> Backbone:
    """Weights by name or path, ready to be adapted."""
    _, settings = read_weights(weights)
    return backbone_of(load_network(weights, device), settings).to(device)


def backbone_of(network: nn.Module, settings: dict[str, Any]) -> Backbone:
    """The view of a network; `settings` as its weights file holds them.

    Raises InputError for a network without features to adapt, or of a body that source samples are not made of.
    """
    if settings.get("body") != "anny-body":
        raise InputError(f"adaptation: source samples are made of anny-body, not of {settings.get('body')!r}")
    if view := _VIEWS.get(abilities_of(network).adapted):
        return view(network, settings)
    raise InputError(
        f"adaptation: a {type(network).__name__} of kind {settings.get('kind')!r} has no features to adapt; give "
        "weights such as anny-key2mesh or anny-body"
    )
