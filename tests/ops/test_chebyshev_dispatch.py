import pytest
import scipy.sparse as sp
import torch

from pose2mesh.errors import InputError
from pose2mesh.ops import SparseOperator, available_backends, chebyshev_conv, register_backend
from pose2mesh.ops.chebyshev import dispatch

X = torch.ones(1, 3, 2)
WEIGHT = torch.ones(4, 2)
OPERATOR = SparseOperator.from_scipy(sp.identity(3, format="csr"))


@pytest.fixture
def marker_backend(monkeypatch):
    """Beside the reference alone, a backend for float32 only, whose result is recognizable."""
    monkeypatch.setattr(dispatch, "_BACKENDS", {"reference": dispatch._BACKENDS["reference"]})
    monkeypatch.delenv(dispatch.ENVIRONMENT_VARIABLE, raising=False)

    def conv(x, operator, weight, bias=None, *, activation=None, residual=None):
        return torch.full((1,), 7.0)

    register_backend("marker", conv, supports=lambda x: x.dtype == torch.float32)


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


def test_an_unknown_backend_is_refused_with_the_choices(marker_backend, monkeypatch):
    with pytest.raises(InputError, match=r"'fast'.*marker, reference"):
        chebyshev_conv(X, OPERATOR, WEIGHT, backend="fast")
    monkeypatch.setenv("POSE2MESH_BACKEND", "fast")
    with pytest.raises(InputError, match="POSE2MESH_BACKEND"):
        chebyshev_conv(X, OPERATOR, WEIGHT)


def test_a_backend_that_cannot_run_is_refused(marker_backend):
    with pytest.raises(InputError, match=r"'marker' cannot run on torch.float64"):
        chebyshev_conv(X.double(), OPERATOR, WEIGHT.double(), backend="marker")
