"""The shipped hand weights are those of their card, and measure what it says."""

import hashlib
import json

import pytest

from pose2mesh.body_models import load_body_model
from pose2mesh.checkpoints import load_network
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.paths import asset
from pose2mesh.synthesis.hands import HandProtocol

CARD = json.loads(asset("weights/anny-hand.json").read_text())


def test_card_belongs_to_the_file() -> None:
    content = asset("weights/anny-hand.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CARD["sha256"]
    assert len(content) <= 8e6
    network = load_network("anny-hand")
    assert sum(p.numel() for p in network.parameters()) == CARD["parameters"] <= 4_000_000


def test_first_samples_of_the_protocol() -> None:
    """One variation of each held-out gesture, to 0.1 mm and 0.005."""
    first = CARD["metrics_mm"]["first_samples"]
    protocol = HandProtocol(load_body_model("anny-hand"), limit=first["samples"])
    measured = evaluate(load_network("anny-hand"), protocol, batch_size=first["samples"])
    for kind in ("clean", "noisy"):
        assert measured[kind]["count"] == first["samples"]
        for metric, value in first[kind].items():
            tolerance = 0.1 if metric.endswith(("mpjpe", "mpvpe")) else 0.005
            assert measured[kind][metric] == pytest.approx(value, abs=tolerance), (kind, metric)
