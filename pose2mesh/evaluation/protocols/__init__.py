"""The protocols of the annotated datasets: which people, which joints, against what, relative to what."""

from pose2mesh.evaluation.protocols.evaluation import DatasetProtocol
from pose2mesh.evaluation.protocols.rules import RULES, Rules, rules_of

__all__ = ["RULES", "DatasetProtocol", "Rules", "rules_of"]
