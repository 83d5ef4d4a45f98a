import threading

import pytest
import scipy.sparse as sp
import torch

from pose2mesh.errors import InputError
from pose2mesh.ops import (
    SparseOperator,
    available_backends,
    chebyshev_conv,
    native,
    register_backend,
    use_backend,
)
from pose2mesh.ops.chebyshev import dispatch

X = torch.ones(1, 3, 2)
WEIGHT = torch.ones(4, 2)
OPERATOR = SparseOperator.from_scipy(sp.identity(3, format="csr"))


@pytest.fixture
def marker_backend(monkeypatch):
    """Beside the reference alone, a backend for float32 only, whose result is recognizable."""
    monkeypatch.setattr(dispatch, "_BACKENDS", {"reference": dispatch._BACKENDS["reference"]})
    monkeypatch.delenv(dispatch.ENVIRONMENT_VARIABLE, raising=False)

    register_backend("marker", lambda layer: torch.full((1,), 7.0), supports=lambda x: x.dtype == torch.float32)


def test_auto_prefers_the_latest_backend_that_supports_the_tensor(marker_backend):
    assert available_backends(X)[0] == "marker"
    assert chebyshev_conv(X, OPERATOR, WEIGHT).tolist() == [7.0]
    assert chebyshev_conv(X.double(), OPERATOR, WEIGHT.double()).shape == (1, 3, 4)


def test_argument_wins_over_environment_over_auto(marker_backend, monkeypatch):
    monkeypatch.setenv("POSE2MESH_BACKEND", "reference")
    assert chebyshev_conv(X, OPERATOR, WEIGHT).shape == (1, 3, 4)
    assert chebyshev_conv(X, OPERATOR, WEIGHT, backend="marker").tolist() == [7.0]
    monkeypatch.setenv("POSE2MESH_BACKEND", "")
    assert chebyshev_conv(X, OPERATOR, WEIGHT).tolist() == [7.0]


def test_a_choice_for_a_block_is_that_of_its_thread(marker_backend):
    inside, outside = threading.Barrier(2, timeout=10), []

    def other():
        inside.wait()  # within the block of the first thread
        outside.append(chebyshev_conv(X, OPERATOR, WEIGHT).tolist())
        with use_backend("reference"):
            inside.wait()
            inside.wait()  # the first thread has left its block
            outside.append(chebyshev_conv(X, OPERATOR, WEIGHT).shape)

    thread = threading.Thread(target=other)
    thread.start()
    with use_backend("reference"):
        inside.wait()
        assert chebyshev_conv(X, OPERATOR, WEIGHT).shape == (1, 3, 4)
        inside.wait()
    inside.wait()
    assert chebyshev_conv(X, OPERATOR, WEIGHT).tolist() == [7.0]
    thread.join()
    assert outside == [[7.0], (1, 3, 4)]


def test_an_unknown_backend_is_refused_with_the_choices(marker_backend, monkeypatch):
    with pytest.raises(InputError, match=r"'fast'.*marker, reference"):
        chebyshev_conv(X, OPERATOR, WEIGHT, backend="fast")
    monkeypatch.setenv("POSE2MESH_BACKEND", "fast")
    with pytest.raises(InputError, match="POSE2MESH_BACKEND"):
        chebyshev_conv(X, OPERATOR, WEIGHT)


def test_a_backend_that_cannot_run_is_refused(marker_backend):
    with pytest.raises(InputError, match=r"'marker' cannot run on torch.float64"):
        chebyshev_conv(X.double(), OPERATOR, WEIGHT.double(), backend="marker")


BAD = {
    "x of another graph": ({"x": torch.ones(1, 4, 2)}, r"x has shape \(1, 4, 2\); expected \[B, 3, C_in\]"),
    "x without batch": ({"x": torch.ones(3, 2)}, r"x has shape \(3, 2\)"),
    "weight": ({"weight": torch.ones(4, 3)}, r"multiple of 2 \(C_in·K\)"),
    "bias": ({"bias": torch.ones(3)}, r"bias has shape \(3,\); expected \[4\]"),
    "scale": ({"scale": torch.ones(1, 4)}, r"scale has shape \(1, 4\); expected \[4\]"),
    "residual": ({"residual": torch.ones(1, 3, 2)}, r"residual has shape \(1, 3, 2\); expected \[1, 3, 4\]"),
    "integers": ({"x": torch.ones(1, 3, 2, dtype=torch.int64)}, r"x is torch.int64; expected floats"),
    "mixed types": ({"weight": torch.ones(4, 2).double()}, r"weight is torch.float64"),
    "activation": ({"activation": "gelu"}, r"'gelu'.*None or 'relu'"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        chebyshev_conv(**({"x": X, "operator": OPERATOR, "weight": WEIGHT} | change))


def test_an_operator_that_is_not_symmetric_is_refused():
    for matrix in (sp.csr_matrix([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]]), sp.csr_matrix([[0.0, 1], [2, 0]])):
        operator = SparseOperator.from_scipy(matrix)
        with pytest.raises(InputError, match="needs a symmetric operator"):
            chebyshev_conv(torch.ones(1, matrix.shape[0], 2), operator, WEIGHT)


def test_without_compiled_kernels_auto_falls_back_and_says_so_once(monkeypatch, caplog):
    monkeypatch.delenv(dispatch.ENVIRONMENT_VARIABLE, raising=False)
    expected = chebyshev_conv(X, OPERATOR, WEIGHT, backend="reference")
    monkeypatch.setattr(native, "is_available", lambda: False)
    monkeypatch.setattr(native, "find_library", lambda: None)
    for has_compiler in (False, True, True):
        monkeypatch.setattr(native, "has_compiler", lambda found=has_compiler: found)
        if not caplog.messages:
            dispatch._say_once.cache_clear()
        torch.testing.assert_close(chebyshev_conv(X, OPERATOR, WEIGHT), expected)
    (message,) = caplog.messages
    assert "plain torch" in message and "pose2mesh build-kernels" in message
