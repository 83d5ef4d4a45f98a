"""Adapt a network to 2D keypoints of people it was not trained for, without a 3D label of theirs."""

from pose2mesh.adaptation.backbones import Backbone, backbone_of
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.run import METHODS, Outcome, adapt, load_backbone, make_methods, run_adaptation
from pose2mesh.adaptation.target import TargetSet, load_target, split_target

__all__ = [
    "METHODS",
    "AdaptConfig",
    "Backbone",
    "Outcome",
    "TargetSet",
    "adapt",
    "backbone_of",
    "load_backbone",
    "load_target",
    "make_methods",
    "run_adaptation",
    "split_target",
]
