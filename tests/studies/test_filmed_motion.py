"""Films whose truth is known."""

from pathlib import Path

import numpy as np
import pytest

from pose2mesh.errors import MissingFileError
from tools.studies import filmed_motion


@pytest.mark.data
def test_a_film_is_recovered_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(filmed_motion, "FRAMES", slice(20, 32))
    try:
        assert filmed_motion.main([str(tmp_path), "--films", "1", "--no-opinion"]) == 0
    except MissingFileError as error:
        pytest.skip(str(error))
    _, first, mean = capsys.readouterr().out.splitlines()
    found, pa, mpjpe, _ = first.split()[1:]
    assert float(found.rstrip("%")) > 90 and 10 < float(pa) < 120 and float(pa) < float(mpjpe) < 250
    assert mean.split()[1:] == first.split()[1:]
    truth = np.load(tmp_path / "0.npz")
    assert truth["joints"].shape == (12, 18, 3) and abs(truth["joints"][:, 17]).max() < 1e-5
    made = (tmp_path / "0.mp4").stat().st_mtime_ns
    filmed_motion.films(tmp_path, "mocap2_val.npz", 1)
    assert (tmp_path / "0.mp4").stat().st_mtime_ns == made
