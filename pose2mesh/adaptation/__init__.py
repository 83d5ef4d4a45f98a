"""Adapt a network to 2D keypoints or photos of people it was not trained for, without a 3D label of theirs."""

from pose2mesh.adaptation.backbones import Backbone, backbone_of, load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.materials import Keypoints, Material, Photos
from pose2mesh.adaptation.run import Outcome, adapt, make_methods, run_adaptation
from pose2mesh.adaptation.target import TargetSet, load_target, split_target

__all__ = [
    "AdaptConfig",
    "Backbone",
    "Keypoints",
    "Material",
    "Outcome",
    "Photos",
    "TargetSet",
    "adapt",
    "backbone_of",
    "load_backbone",
    "load_target",
    "make_methods",
    "run_adaptation",
    "split_target",
]
