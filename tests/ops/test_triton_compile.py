"""Every kernel compiles ahead of time for three architectures, without a GPU, and fits what a program may use there."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from pose2mesh.ops.chebyshev.cuda_fused import TILE, launch_settings

if find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)

SHARED_BYTES = {80: 166912, 90: 232448, 100: 232448}  # of one program: A100, H100 and H200, B200
TENSOR_MEMORY_COLUMNS = 512  # of sm_100
MOST_SPILLED_BYTES = 256  # of a thread; 552 were seen before the blocks were made narrower
TENSOR_CORES = {80: "mma.sync", 90: "wgmma", 100: "tcgen05.mma"}
MULTIPLES = ("channels", "_row", "_in", "_degree")
NAMES = {torch.bfloat16: "bf16", torch.float32: "fp32"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def compiled(kernel, types, constants, arch, **options):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: "constexpr" if name in constants else types[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        # As at a launch: tensors begin at multiples of 16, and the widths of the layers are such.
        attrs={
            (i,): [["tt.divisibility", 16]]
            for i, name in enumerate(names)
            if name not in constants and (types[name][0] == "*" or name.endswith(MULTIPLES))
        },
    )
    return triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)


def spilled_bytes(kernel, arch, folder) -> int:
    """As ptxas counts them."""
    import triton

    tools = Path(triton.__file__).parent / "backends/nvidia/bin"
    assembler = next(
        p for p in (tools / "ptxas-blackwell", tools / "ptxas") if p.exists() and (arch >= 100) <= p.exists()
    )
    target = re.search(r"\.target (sm_\w+)", kernel.asm["ptx"]).group(1)
    text = folder / "kernel.ptx"
    text.write_text(kernel.asm["ptx"])
    command = [str(assembler), "-v", f"--gpu-name={target}", str(text), "-o", str(folder / "kernel.cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(re.search(r"(\d+) bytes spill stores", done.stderr).group(1))


def check(kernel, arch, folder) -> None:
    assert kernel.metadata.shared <= SHARED_BYTES[arch]
    # A kernel that wants more compiles all the same, to a trap.
    assert (getattr(kernel.metadata, "tmem_size", 0) or 0) <= TENSOR_MEMORY_COLUMNS
    assert "trap;" not in kernel.asm["ptx"]
    assert spilled_bytes(kernel, arch, folder) <= MOST_SPILLED_BYTES


@pytest.mark.parametrize("arch", SHARED_BYTES)
def test_sparse_product(arch, tmp_path):
    from pose2mesh.ops.chebyshev.kernels.sparse_product import sparse_product

    number = "*bf16"
    types = {"crow": "*i32", "col": "*i32", "values": "*fp32", "parents": "*i64", "scale": "*fp32", "bias": "*fp32"}
    types |= dict.fromkeys(("x", "term", "before", "residual", "out"), number)
    types |= dict.fromkeys([name for name in sparse_product.arg_names if name.islower() and name not in types], "i32")
    coarse = [name for name in sparse_product.arg_names if name.endswith("_COARSE")]
    constants = {"ALPHA": 2, "IS_RELU": True, "BLOCK_NODES": 16, "BLOCK_CHANNELS": 128, **dict.fromkeys(coarse, True)}
    kernel = compiled(sparse_product, types, constants, arch, num_warps=4)
    check(kernel, arch, tmp_path)
    assert re.search(r"ld\.global[.\w:]*\.(v4\.b32|v2\.b64)", kernel.asm["ptx"])  # 16 bytes at a time


# type, whether tf32 is allowed, widths, whether the basis is kept for the gradient; the rest compiles under --slow
QUICK = [(torch.bfloat16, True, 256, 256, False), (torch.bfloat16, True, 128, 128, True)]
SLOW = [
    (torch.float32, allow_tf32, fan_in, fan_out, has_basis)
    for allow_tf32 in (True, False)
    for fan_in, fan_out in ((128, 128), (64, 3))
    for has_basis in (False, True)
]


@pytest.mark.parametrize("arch", SHARED_BYTES)
@pytest.mark.parametrize("case", [*QUICK, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)])
def test_tile_local(arch, case, tmp_path):
    from pose2mesh.ops.chebyshev.kernels.tile_local import tile_local

    dtype, allow_tf32, fan_in, fan_out, has_basis = case
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = allow_tf32
        constants = launch_settings(dtype, 3, TILE, fan_in, fan_out)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    options = {name: constants.pop(name) for name in ("num_warps", "num_stages")}
    number = "*" + NAMES[dtype]
    types = dict.fromkeys(("x", "blocks", "weight", "residual", "basis", "out"), number)
    types |= {"rings": "*i32", "first_column": "*i32", "widths": "*i32", "scale": "*fp32", "bias": "*fp32"}
    types |= dict.fromkeys([name for name in tile_local.arg_names if name.islower() and name not in types], "i32")
    constants["IS_RELU"] = not has_basis
    if has_basis:  # the gradient: weights transposed, no epilogue
        constants |= {"scale": None, "bias": None, "residual": None, "weight_in": 1}
    else:
        constants |= {"basis": None, "weight_out": 1}
    kernel = compiled(tile_local, types, constants, arch, **options)
    check(kernel, arch, tmp_path)
    assert TENSOR_CORES[arch] in kernel.asm["ptx"]
