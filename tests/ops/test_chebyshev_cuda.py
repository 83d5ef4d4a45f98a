"""The Triton kernels, interpreted on the CPU, give what the reference gives: values, gradients, types."""

import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from test_chebyshev_reference import dense_polynomial, ring_with_chords, scaled_laplacian

from pose2mesh.ops import SparseOperator
from pose2mesh.ops.chebyshev import cuda_frame, dispatch
from pose2mesh.ops.chebyshev.ring_tiles import CHUNK, ring_tiles

HERE = Path(__file__).parent
# Largest differences, of the largest value of each tensor. float32 against float64; bfloat16 has 8 bits, and its
# gradients go through the cube of results that reach 50 at K = 5. Measured: 4e-7, 0.05, 4e-7, 0.01, 1e-15.
TOLERANCES = {"float32": 3e-6, "half": 0.04, "upsampling": 3e-6, "autocast": 0.04, "float64": 1e-12}


@pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.parametrize("backend", ["cuda", "cuda-fused"])
def test_interpreted_kernels(backend):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(HERE / "triton_cases.py"), backend]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    assert found.keys() >= {"float32", "half", "upsampling", "autocast", "repeats"}
    assert found.pop("repeats") == 1 and found.pop("gradcheck", 1) == 1
    assert {name: value for name, value in found.items() if not value <= TOLERANCES[name]} == {}


@pytest.mark.parametrize(("nodes", "order", "tile"), [(70, 3, 32), (33, 5, 16), (7, 2, 64), (20, 1, 32)])
def test_tiles_hold_the_polynomials(nodes, order, tile):
    matrix = scaled_laplacian(ring_with_chords(nodes), "unit")[0]
    operator = SparseOperator.from_scipy(matrix)
    tiles = ring_tiles(operator, order, tile, torch.float32)
    assert ring_tiles(operator, order, tile, torch.float32) is tiles  # made once
    bounds = tiles.first_column.tolist()
    assert len(bounds) == -(-nodes // tile) + 1 and bounds[-1] == len(tiles.rings)
    for degree in range(1, order):
        expected = dense_polynomial(matrix.astype(np.float32).astype(np.float64).toarray(), degree)
        for i, (begin, end) in enumerate(pairwise(bounds)):
            start = begin * tile * (order - 1)
            width = int(tiles.widths[i, degree - 1])
            assert width % CHUNK == 0 and width <= end - begin
            block = tiles.blocks[start : start + (order - 1) * tile * (end - begin)].view(order - 1, tile, -1)
            dense = np.zeros((tile, nodes))
            np.add.at(dense.T, tiles.rings[begin : begin + width].numpy(), block[degree - 1, :, :width].numpy().T)
            rows = expected[i * tile : (i + 1) * tile]
            np.testing.assert_allclose(dense[: len(rows)], rows, atol=1e-5)
            assert not dense[len(rows) :].any()


def test_tiles_follow_the_operator():
    operator = SparseOperator.from_scipy(sp.identity(9, format="csr"), persistent=True)
    before = ring_tiles(operator, 2, 16, torch.float32)
    operator.load_state_dict(SparseOperator.from_scipy(2 * sp.identity(9), persistent=True).state_dict())
    after = ring_tiles(operator, 2, 16, torch.float32)
    assert before.blocks.sum() == 9 and after.blocks.sum() == 18


def test_backends_are_offered_for_cuda_tensors_alone():
    x = torch.zeros(1, 2, 3)
    assert not {"cuda", "cuda-fused"} & set(dispatch.available_backends(x))
    with pytest.raises(dispatch.InputError, match=r"'cuda' cannot run on torch.float32 on cpu"):
        dispatch._choose("cuda", x)


def _forget() -> None:
    cuda_frame.why_not.cache_clear()
    cuda_frame.notice_fallback.cache_clear()


class _OnCuda:
    """What the choice looks at, for a device that is not here."""

    dtype, is_cuda, device = torch.float32, True, torch.device("cuda", 7)


def test_auto_prefers_the_kernels_and_says_once_what_is_missing(monkeypatch, caplog):
    monkeypatch.delenv(dispatch.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(cuda_frame, "find_spec", lambda name: True)
    _forget()
    assert dispatch._choose("auto", _OnCuda()) == "cuda"
    assert dispatch._choose("cuda-fused", _OnCuda()) == "cuda-fused"
    monkeypatch.setattr(cuda_frame, "find_spec", lambda name: None)
    _forget()
    assert [dispatch._choose("auto", _OnCuda()) for _ in range(2)] == ["reference"] * 2
    assert [r.getMessage().count("triton is not installed") for r in caplog.records] == [1]
    _forget()


def test_old_devices_run_the_reference(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old")
    monkeypatch.setattr(cuda_frame, "find_spec", lambda name: True)
    _forget()
    assert "Old has compute capability 7.5" in cuda_frame.why_not(_OnCuda.device)
    _forget()
