"""Files of torch: what training and releases write is read, what would crash or fill the process is refused before."""

import io
import pickletools
import zipfile

import pytest
import torch

from pose2mesh.checkpoints.official import read_official
from pose2mesh.checkpoints.tensors import load_tensors
from pose2mesh.errors import FormatError
from pose2mesh.training.state import load_state

CONTENT = {
    "state": {"a.weight": torch.arange(6.0).reshape(2, 3)},
    "steps": [1, 2.5, None],
    "name": "x",
    "pair": (1, (2,)),
}


@pytest.mark.parametrize("is_new", [True, False], ids=["zip", "legacy"])
def test_plain_files_are_read(tmp_path, is_new):
    torch.save(CONTENT, tmp_path / "a.pt", _use_new_zipfile_serialization=is_new)
    found = load_tensors(tmp_path / "a.pt")
    assert torch.equal(found["state"]["a.weight"], CONTENT["state"]["a.weight"])
    assert found["steps"] == [1, 2.5, None] and found["pair"] == (1, (2,))


def test_a_trainings_whole_state_is_read(tmp_path):
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"optimizer": optimizer.state_dict(), "random": torch.get_rng_state(), "layer": layer.state_dict()}
    torch.save(state, tmp_path / "a.pt")
    found = load_tensors(tmp_path / "a.pt")
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], state["optimizer"]["state"][0]["exp_avg"])


def deep_pickle(depth=100_000):
    """A tuple in a tuple and so on, the key of a dictionary."""
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


def write_zip(path, content, compression=zipfile.ZIP_STORED, member="data.pkl"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(f"archive/{member}", content)
        archive.writestr("archive/version", "3\n")


def hostile(path, kind):
    if kind == "deep":
        write_zip(path, deep_pickle())
    elif kind == "deep legacy":
        torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
        first = io.BytesIO(path.read_bytes())
        for _ in range(3):  # the parts before the content, read without running them
            list(pickletools.genops(first))
        path.write_bytes(path.read_bytes()[: first.tell()] + deep_pickle())
    elif kind == "inflated":
        write_zip(path, bytes(10**8), zipfile.ZIP_DEFLATED, "data/0")
    else:
        path.write_bytes(b"no checkpoint")


@pytest.mark.parametrize("kind", ["deep", "deep legacy", "inflated", "text"])
def test_hostile_files_are_refused_by_every_reader(tmp_path, kind, monkeypatch):
    path = tmp_path / "a.pth.tar"
    hostile(path, kind)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("too late: torch reads it"))
    for read in (load_state, read_official):
        with pytest.raises(FormatError, match=r"a\.pth\.tar"):
            read(path)
