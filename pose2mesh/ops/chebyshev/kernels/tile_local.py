"""A whole graph layer in one kernel: sparse and dense products of a tile of vertices on the tensor cores."""

import triton
import triton.language as tl


@triton.jit
def tile_local(
    x,  # [B, N, C_in]
    rings,  # columns that a tile touches, the near ones first; each tile padded to whole chunks
    first_column,  # [tiles + 1] where a tile begins in `rings`
    widths,  # [tiles, K − 1] columns that T_k touches in a tile, in whole chunks
    blocks,  # of each tile [K − 1, TILE, its columns]: the rows of T_1(L) … T_{K−1}(L)
    weight,  # [K, C_in, C_out] by strides
    scale,  # [C_out] or None
    bias,  # [C_out] or None
    residual,  # [B, N, C_out] or None
    basis,  # [B, N, K, C_in], or None: where T_k x is left for k ≥ 1
    out,  # [B, N, C_out]
    nodes,
    fan_in,
    fan_out,
    x_row,  # numbers from one row to the next; those of the other features are without gaps
    weight_degree,
    weight_in,
    weight_out,
    ORDER: tl.constexpr,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK_IN: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    IS_RELU: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """out = relu(scale · Σ_k T_k(L) x W_k + bias) + residual for TILE rows of one sample and BLOCK_OUT channels.

    T_k of a tile is a small dense matrix over the k-ring of its rows, so both products run on the tensor cores:
    the ring's rows go through shared memory in chunks, T_k x stays in registers. One writer for each number.
    """
    tile = tl.program_id(0)
    sample = tl.program_id(2).to(tl.int64)
    row = tl.arange(0, TILE)
    n = tile * TILE + row
    o = tl.program_id(1) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    is_node, is_out = n < nodes, o < fan_out
    features = x + sample * nodes * x_row
    begin = tl.load(first_column + tile)
    width = tl.load(first_column + tile + 1) - begin
    block = blocks + begin.to(tl.int64) * TILE * (ORDER - 1)
    total = tl.zeros([TILE, BLOCK_OUT], dtype=tl.float32)

    for start in range(0, fan_in, BLOCK_IN):
        c = start + tl.arange(0, BLOCK_IN)
        is_in = c < fan_in
        weights = weight + c[:, None] * weight_in + o[None, :] * weight_out
        is_weight = is_in[:, None] & is_out[None, :]
        own = tl.load(features + n[:, None] * x_row + c[None, :], mask=is_node[:, None] & is_in[None, :], other=0.0)
        w = tl.load(weights, mask=is_weight, other=0.0)
        total = tl.dot(own, w, total, input_precision=PRECISION)
        for degree in range(1, ORDER):
            polynomial = tl.zeros([TILE, BLOCK_IN], dtype=tl.float32)
            for chunk in range(0, tl.load(widths + tile * (ORDER - 1) + degree - 1), CHUNK):
                r = chunk + tl.arange(0, CHUNK)
                source = tl.load(rings + begin + r)
                ring = tl.load(features + source[:, None] * x_row + c[None, :], mask=is_in[None, :], other=0.0)
                matrix = tl.load(block + ((degree - 1) * TILE + row[:, None]) * width + r[None, :])
                polynomial = tl.dot(matrix, ring, polynomial, input_precision=PRECISION)
            polynomial = polynomial.to(x.dtype.element_ty)
            w = tl.load(weights + degree * weight_degree, mask=is_weight, other=0.0)
            total = tl.dot(polynomial, w, total, input_precision=PRECISION)
            if basis is not None:
                place = basis + ((sample * nodes + n[:, None]) * ORDER + degree) * fan_in + c[None, :]
                is_first = tl.program_id(1) == 0
                tl.store(place, polynomial, mask=is_first & is_node[:, None] & is_in[None, :])

    if scale is not None:
        total *= tl.load(scale + o, mask=is_out, other=0.0).to(tl.float32)[None, :]
    if bias is not None:
        total += tl.load(bias + o, mask=is_out, other=0.0).to(tl.float32)[None, :]
    if IS_RELU:
        total = tl.where(total < 0, 0.0, total)  # keeps NaN, as torch does
    is_inside = is_node[:, None] & is_out[None, :]
    place = (sample * nodes + n[:, None]) * fan_out + o[None, :]
    if residual is not None:
        total += tl.load(residual + place, mask=is_inside, other=0.0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=is_inside)
