"""Training states on disk: tensors and plain values, nothing that runs."""

from pathlib import Path

import pytest
import torch

from pose2mesh.errors import FormatError
from pose2mesh.training.state import load_state, save_state, versions


def state() -> dict:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {
        "stage": 1, "step": 20, "finished": False, "skipped": 0, "processes": 1, "seconds": 1.5, "config": "{}",
        "parts": {"network": model.state_dict(), "optimizer": optimizer.state_dict()}, "versions": versions(),
    }  # fmt: skip


def test_round_trip_is_exact(tmp_path: Path) -> None:
    saved = state()
    save_state(tmp_path / "last.pt", saved)
    loaded = load_state(tmp_path / "last.pt")
    assert loaded["stage"] == 1 and loaded["step"] == 20 and loaded["versions"] == saved["versions"]
    assert torch.equal(loaded["parts"]["network"]["weight"], saved["parts"]["network"]["weight"])
    moments = loaded["parts"]["optimizer"]["state"][0]
    for name, value in saved["parts"]["optimizer"]["state"][0].items():
        assert torch.equal(moments[name], value), name


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "last.pt"
    save_state(path, state())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FormatError, match=r"last\.pt .* delete it"):
        load_state(path)


@pytest.mark.parametrize("content", [torch.zeros(3), {"stage": 0}, [1, 2], {"stage": 0, "step": Path("/")}])
def test_foreign_content_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(FormatError, match=r"last\.pt"):
        load_state(tmp_path / "last.pt")


class Explosive:
    """Runs code when it is unpickled carelessly."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("exploded"),)


def test_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**state(), "more": Explosive()}, tmp_path / "last.pt")
    with pytest.raises(FormatError, match="holds more than tensors"):
        load_state(tmp_path / "last.pt")
    assert not (tmp_path / "exploded").exists()
