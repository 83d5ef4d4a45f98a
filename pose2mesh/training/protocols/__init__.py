"""The protocols of the annotated datasets: which people, which joints, against what, relative to what."""

from pose2mesh.training.protocols.evaluation import evaluate_dataset
from pose2mesh.training.protocols.rules import RULES, Rules, rules_of

__all__ = ["RULES", "Rules", "evaluate_dataset", "rules_of"]
