// Whole Chebyshev layers of up to three terms, forward and backward, tile by tile; each thread takes whole tiles.
//
// Plain C interface, so that one library serves every version of torch. Arrays are dense, the last axis fastest.
// Shapes and types are checked by the caller. Functions return 0, or 1 when memory ran out.
#include <atomic>

#include "tiles.h"

namespace {

// y = relu(scale · (Σ_k T_k(L) x W_k) + bias) + residual for x [B, nodes, C] and W [K·C, C'], or, weights first, for
// terms u_k = x W_k as x [B, nodes or coarse, K·C'].
template <class T> struct Layer {
  const T *x, *weight;
  T* y;  // [B, nodes, C']
  Epilogue<T> epilogue;
  const T* residual;  // [B, nodes or coarse, C']
  int64_t is_coarse, is_residual_coarse, batch, channels, width, order;
};

template <class T> const T* residual_row(const Tiles<T>& t, const Layer<T>& layer, int64_t sample, int64_t node) {
  if (!layer.residual) return nullptr;
  const int64_t rows = layer.is_residual_coarse ? t.coarse : t.nodes;
  return layer.residual + (sample * rows + (layer.is_residual_coarse ? t.parent[node] : node)) * layer.width;
}

// Bias and what else follows, on rows that were just multiplied.
template <class T> void finish(const Tiles<T>& t, const Layer<T>& layer, int64_t sample, int64_t first, int64_t rows) {
  if (!layer.epilogue.scale && !layer.epilogue.bias && !layer.epilogue.relu && !layer.residual) return;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t node = first + i;
    Line<T> l;
    l.plus = l.out = layer.y + (sample * t.nodes + node) * layer.width;
    l.residual = residual_row(t, layer, sample + node / t.nodes, node % t.nodes);
    run_line(l, layer.epilogue, layer.width);
  }
}

// Sparse products first: the terms of a tile are made, multiplied and finished in the cache.
template <class T> int32_t convolve(const Torch* torch, const Tiles<T>& t, const Layer<T>& layer) {
  const Items items(t, layer.batch);
  const int64_t width = layer.order * layer.channels;
  std::atomic<int32_t> error{0};
  parallel(torch, items.count, 1, [&](int64_t begin, int64_t end) {
    T* terms = memory<T>(items.most_rows(t) * width);
    if (!terms) error = 1;
    for (int64_t item = begin; item < end && !error; ++item) {
      const int64_t sample = item / items.tiles * items.samples, tile = item % items.tiles;
      const int64_t samples = std::min(items.samples, layer.batch - sample), rows = samples * t.own(tile);
      for (int64_t s = 0; s < samples; ++s)
        fill(t, tile, layer.x + (sample + s) * t.nodes * layer.channels, terms + s * t.nodes * width, layer.channels,
             layer.order);
      const View<T> left(torch, terms, rows, width), right(torch, layer.weight, width, layer.width);
      const View<T> out(torch, layer.y + (sample * t.nodes + t.start[tile]) * layer.width, rows, layer.width);
      if (multiply(torch, left, right, out, 0)) error = 1;
      finish(t, layer, sample, t.start[tile], rows);
    }
  });
  return error;
}

// Weights first, Clenshaw's recurrence: b_1 = u_1 + 2 L u_2, y = u_0 + L b_1 − u_2. Terms of a coarser graph are taken
// by the children on the way, in L u_2 by the matrix `first`.
template <class T> int32_t combine(const Torch* torch, const Tiles<T>& t, const Layer<T>& layer) {
  const int64_t c = layer.width, stride = layer.order * c, nodes = layer.is_coarse ? t.coarse : t.nodes;
  const Matrix<T>& entering = layer.is_coarse ? t.first : t.matrix;
  std::atomic<int32_t> error{0};
  parallel(torch, layer.batch * t.count, 1, [&](int64_t begin, int64_t end) {
    T* ring = memory<T>(t.widest * c);
    if (!ring) error = 1;
    for (int64_t item = begin; item < end && !error; ++item) {
      const int64_t sample = item / t.count, tile = item % t.count;
      const T* terms = layer.x + sample * nodes * stride;
      auto row = [&](int64_t node) { return terms + (layer.is_coarse ? t.parent[node] : node) * stride; };
      for (int64_t i = 0; layer.order > 2 && i < t.with_ring(tile); ++i) {
        const int32_t node = t.rows[t.begin[tile] + i];
        Line<T> l = line(entering, node, entering.column);
        l.x = terms + 2 * c, l.stride = stride, l.factor = 2, l.plus = row(node) + c, l.out = ring + i * c;
        run_line(l, {}, c);
      }
      for (int64_t node = t.start[tile]; node < t.start[tile + 1]; ++node) {
        Line<T> l;
        if (layer.order == 2) l = line(entering, node, entering.column), l.x = terms + c, l.stride = stride;
        if (layer.order > 2) {
          l = line(t.matrix, node, t.local_column);
          l.x = ring, l.stride = c, l.minus = row(node) + 2 * c;
        }
        l.plus = row(node), l.residual = residual_row(t, layer, sample, node);
        l.out = layer.y + (sample * t.nodes + node) * c;
        run_line(l, layer.epilogue, c);
      }
    }
  });
  return error;
}

// dx = D Wᵀ and dW = xᵀ D with D = [T_k(L) dy]_k, which for a coarser x is summed over the children first.
template <class T> struct Gradient {
  const T *x, *weight, *upstream;  // [B, nodes or coarse, C], Wᵀ [K·C', C], dy [B, nodes, C']
  T *grad_x, *grad_weight;         // null or as x; null or [parts, C, K·C'], one for each part of the work, zeros
  int64_t is_coarse, parts, batch, channels, width, order;
};

// Adds up the children of every coarse node of a tile in place; returns the number of coarse nodes.
template <class T> int64_t sum_children(const Tiles<T>& t, int64_t tile, T* rows, int64_t width) {
  const int32_t* parent = t.parent + t.start[tile];
  int64_t last = 0;
  for (int64_t i = 1; i < t.own(tile); ++i) {
    T* from = rows + i * width;
    T* to = rows + (parent[i] - parent[0]) * width;
    if (parent[i] == parent[i - 1])
      for (int64_t c = 0; c < width; ++c) to[c] += from[c];
    else if (to != from)
      std::copy_n(from, width, to);
    last = parent[i] - parent[0];
  }
  return last + 1;
}

template <class T> int32_t backward(const Torch* torch, const Tiles<T>& t, const Gradient<T>& g) {
  const Items items(t, g.batch);
  const int64_t width = g.order * g.width, nodes = g.is_coarse ? t.coarse : t.nodes;
  std::atomic<int32_t> error{0};
  auto run_item = [&](int64_t item, T* terms, T* grad_weight) {
    const int64_t sample = item / items.tiles * items.samples, tile = item % items.tiles;
    const int64_t samples = std::min(items.samples, g.batch - sample);
    int64_t rows = 0;
    for (int64_t s = 0; s < samples; ++s) {
      T* target = terms + rows * width;
      fill(t, tile, g.upstream + (sample + s) * t.nodes * g.width, target, g.width, g.order);
      rows += g.is_coarse ? sum_children(t, tile, target, width) : t.own(tile);
    }
    const int64_t first = sample * nodes + (g.is_coarse ? t.parent[t.start[tile]] : t.start[tile]);
    const View<T> d(torch, terms, rows, width);
    if (g.grad_x) {
      const View<T> weight(torch, g.weight, width, g.channels);
      const View<T> out(torch, g.grad_x + first * g.channels, rows, g.channels);
      if (multiply(torch, d, weight, out, 0)) error = 1;
    }
    if (grad_weight) {
      const View<T> x(torch, g.x + first * g.channels, g.channels, rows, 1, g.channels);  // transposed
      const View<T> out(torch, grad_weight, g.channels, width);
      if (multiply(torch, x, d, out, 1)) error = 1;
    }
  };
  parallel(torch, g.parts, 1, [&](int64_t begin, int64_t end) {
    T* terms = memory<T>(items.most_rows(t) * width);
    if (!terms) error = 1;
    for (int64_t part = begin; part < end; ++part)
      for (int64_t item = items.count * part / g.parts; item < items.count * (part + 1) / g.parts && !error; ++item)
        run_item(item, terms, g.grad_weight ? g.grad_weight + part * g.channels * width : nullptr);
  });
  return error;
}

}  // namespace

#define EXPORT(T, suffix)                                                                                        \
  extern "C" int32_t convolve_##suffix(const Torch* torch, const Tiles<T>* tiles, const Layer<T>* layer) {       \
    return convolve(torch, *tiles, *layer);                                                                      \
  }                                                                                                              \
  extern "C" int32_t combine_##suffix(const Torch* torch, const Tiles<T>* tiles, const Layer<T>* layer) {        \
    return combine(torch, *tiles, *layer);                                                                       \
  }                                                                                                              \
  extern "C" int32_t backward_##suffix(const Torch* torch, const Tiles<T>* tiles, const Gradient<T>* gradient) { \
    return backward(torch, *tiles, *gradient);                                                                   \
  }

EXPORT(float, float32)
EXPORT(double, float64)
