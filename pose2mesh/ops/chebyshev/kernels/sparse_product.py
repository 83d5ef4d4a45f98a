"""Sparse product with the Chebyshev recurrence and the layer's epilogue in the same pass over memory."""

import triton
import triton.language as tl


@triton.jit
def sparse_product(
    crow,  # [N + 1] int32
    col,  # [nnz] int32
    values,  # [nnz]
    parents,  # [N] int64 node of a coarser graph whose value each node takes, or None
    x,  # [B, N, C] features that are gathered; this and the next ones may be of the coarser graph, [B, M, C]
    term,  # added, or None
    before,  # subtracted, or None
    scale,  # [C] or None
    bias,  # [C] or None
    residual,  # [B, N, C] or None
    out,  # [B, N, C]; may be `term`, whose rows are read by the program that writes them alone
    nodes,
    x_nodes,
    coarse_nodes,
    channels,
    x_row,  # numbers from one row to the next; samples follow each other without a gap
    term_row,
    before_row,
    residual_row,
    out_row,
    ALPHA: tl.constexpr,
    IS_X_COARSE: tl.constexpr,
    IS_TERM_COARSE: tl.constexpr,
    IS_BEFORE_COARSE: tl.constexpr,
    IS_RESIDUAL_COARSE: tl.constexpr,
    IS_RELU: tl.constexpr,
    BLOCK_NODES: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """out = relu(scale · (ALPHA · matrix · x + term − before) + bias) + residual, each part optional.

    A program writes BLOCK_NODES rows of one sample: one writer for each number, in a fixed order of summation.
    Sums are in float32 (float64 for float64 features), whatever the type of the features.
    """
    sample = tl.program_id(2).to(tl.int64)
    n = tl.program_id(0) * BLOCK_NODES + tl.arange(0, BLOCK_NODES)
    c = tl.program_id(1) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    is_node, is_channel = n < nodes, c < channels
    is_inside = is_node[:, None] & is_channel[None, :]
    number = tl.float64 if x.dtype.element_ty == tl.float64 else tl.float32

    first = tl.load(crow + n, mask=is_node, other=0)
    end = tl.load(crow + n + 1, mask=is_node, other=0)
    row = (sample * nodes + n)[:, None]
    if parents is not None:
        coarse_row = (sample * coarse_nodes + tl.load(parents + n, mask=is_node, other=0))[:, None]
    features = x + sample * x_nodes * x_row + c[None, :]
    total = tl.zeros([BLOCK_NODES, BLOCK_CHANNELS], dtype=number)
    for step in range(0, tl.max(end - first, axis=0)):
        entry = first + step
        is_entry = entry < end
        source = tl.load(col + entry, mask=is_entry, other=0)
        if IS_X_COARSE:
            source = tl.load(parents + source, mask=is_entry, other=0)
        value = tl.load(values + entry, mask=is_entry, other=0.0).to(number)
        neighbor = tl.load(features + source[:, None] * x_row, mask=is_entry[:, None] & is_channel[None, :], other=0.0)
        total += value[:, None] * neighbor.to(number)
    total *= ALPHA

    if term is not None:
        place = (coarse_row if IS_TERM_COARSE else row) * term_row + c[None, :]
        total += tl.load(term + place, mask=is_inside, other=0.0).to(number)
    if before is not None:
        place = (coarse_row if IS_BEFORE_COARSE else row) * before_row + c[None, :]
        total -= tl.load(before + place, mask=is_inside, other=0.0).to(number)
    if scale is not None:
        total *= tl.load(scale + c, mask=is_channel, other=0.0).to(number)[None, :]
    if bias is not None:
        total += tl.load(bias + c, mask=is_channel, other=0.0).to(number)[None, :]
    if IS_RELU:
        total = tl.where(total < 0, 0.0, total)  # keeps NaN, as torch does
    if residual is not None:
        place = (coarse_row if IS_RESIDUAL_COARSE else row) * residual_row + c[None, :]
        total += tl.load(residual + place, mask=is_inside, other=0.0).to(number)
    tl.store(out + row * out_row + c[None, :], total.to(out.dtype.element_ty), mask=is_inside)
