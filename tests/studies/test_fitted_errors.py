"""The study of the fit: without the fit it is what the protocol measures of the network itself, but for its camera.

The protocol's looks at the pelvis, `predict`'s at the middle of the box."""

from pathlib import Path

import pytest
from tiny_pack import write_pack

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.synthesis.mocap import MocapProtocol
from tools.studies.fitted_errors import COLUMNS, measure_fit, table


def test_without_the_fit_it_is_what_the_protocol_says_of_the_network(tmp_path: Path):
    motion = str(write_pack(tmp_path / "motion.npz", {"01_01": 6}))
    found = measure_fit([motion], 2, 1)
    plain = evaluate(load_network("anny-body"), MocapProtocol(load_anny_body(), motion, 2))
    for name in ("clean", "noisy"):
        ours, fitted = (found[f"{motion}, {kind}"][name] for kind in ("network", "fitted"))
        assert [ours[column] for column in COLUMNS] == pytest.approx(
            [plain[name][column] for column in COLUMNS], abs=0.3, rel=0.02
        )
        assert fitted["count"] == ours["count"] == 3 and fitted["mpjpe"] != ours["mpjpe"]
    assert len(table(found).splitlines()) == 2 + 4
