"""Paths outside eager torch on a toy network: the same vertices, at a batch size they were not exported with."""

from importlib.util import find_spec

import pytest
import torch
from small_classic import check_paths, small_classic

from pose2mesh.benchmarks import workloads
from pose2mesh.benchmarks.runtimes import add_compiled, add_exported


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))), reason="onnx is not installed")
def test_onnxruntime_joins_the_paths():
    workload = workloads.classic(torch.device("cpu"), network=small_classic().eval())
    extended = add_exported(workload)
    assert set(extended.paths) >= {"onnxruntime", *workload.paths}
    x = workload.make_input(3)
    with torch.no_grad():
        expected = workload.paths["reference"](x)
        got = extended.paths["onnxruntime"](x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


@pytest.mark.slow
def test_the_compiled_network_joins_the_paths_at_batch_1():
    """At batch 1 a norm that still trained would fail."""
    workload = add_compiled(workloads.classic(torch.device("cpu"), network=small_classic()))
    check_paths(workload, "forward", 1)
    assert "compile" in workload.paths
