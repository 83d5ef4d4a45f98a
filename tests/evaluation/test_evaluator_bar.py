"""Bars of measurements know their totals."""

import pytest
from tiny_pack import write_pack

from pose2mesh.body_models import load_anny_body, load_hand_body
from pose2mesh.evaluation.evaluator import shown
from pose2mesh.synthesis.hands import HandProtocol
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.synthesis.upright import UprightProtocol


@pytest.mark.parametrize("kind", ["mocap", "hand", "upright"])
def test_a_bar_counts_what_it_was_told(tmp_path, capsys, kind: str) -> None:
    made = {
        "mocap": lambda: MocapProtocol(load_anny_body(), str(write_pack(tmp_path / "pack.npz")), every=1, limit=7),
        "hand": lambda: HandProtocol(load_hand_body(), limit=7),
        "upright": lambda: UprightProtocol(load_anny_body(), limit=7),
    }
    batches = list(shown(made[kind](), 4, progress=True))
    assert [len(batch.groups) for batch in batches] == [4, 3]
    assert "7/7" in capsys.readouterr().err
