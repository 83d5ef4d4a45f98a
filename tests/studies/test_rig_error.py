"""The table of what four weights cost: its distances are those of two skinnings, fitted rows are the smaller ones."""

import numpy as np

from pose2mesh.body_models import load_anny_body
from pose2mesh.exporters import save_motion
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Motion
from tools.studies import rig_error


def test_the_table(tmp_path, capsys):
    motion = walking(load_anny_body(), 0.5)
    row = motion.bone_names.index("clavicle.L")
    turned = motion.rotations.copy()
    turned[:, row] = turned[:, row] @ [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    path = save_motion(Motion(**{**vars(motion), "rotations": turned}), tmp_path / "motion.npz")
    assert rig_error.main([str(path)]) == 0
    table = capsys.readouterr().out.splitlines()
    _, shipped, fitted = (part.split() for part in table[1].split("|"))
    assert float(shipped[0]) > 3 > float(fitted[0]) and int(shipped[1]) > 0 == int(fitted[1])
    assert float(fitted[2]) < float(shipped[2])
    assert np.isfinite(float(fitted[2]))
