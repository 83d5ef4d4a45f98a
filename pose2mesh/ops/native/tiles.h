// A symmetric operator cut into tiles of rows, and one sample's polynomials of it.
//
// The rows of a tile need a term of their neighbors, the tile's ring, which it computes for itself: in mesh order some
// 80 rows beside a tile of 160. In return a tile needs nothing from another one, and nothing leaves the cache.
#pragma once
#include <algorithm>

#include "step.h"

// Made by tiles.py. With `parent` values may come from a coarser graph of `coarse` nodes, of which node i takes row
// parent[i] (never decreasing; the children of a node are in one tile), and `first` is the matrix times that copying.
template <class T> struct Tiles {
  int64_t nodes, coarse, count, widest;  // tiles; most rows of a tile with its ring
  Matrix<T> matrix, first;
  const int32_t *parent, *start;         // [count + 1] first row of each tile
  const int32_t *begin, *rows;           // [count + 1] into rows: the tile's own first, then its ring
  const int32_t* local_column;           // [entries] of the matrix: places in the tile's rows

  int64_t own(int64_t tile) const { return start[tile + 1] - start[tile]; }
  int64_t with_ring(int64_t tile) const { return begin[tile + 1] - begin[tile]; }
};

// What a thread takes at a time: one tile of one sample, or some samples where a whole graph is less than a tile.
struct Items {
  int64_t samples, tiles, count;

  template <class T> Items(const Tiles<T>& t, int64_t batch) {
    samples = t.count > 1 ? 1 : std::max<int64_t>(1, 512 / t.nodes);
    tiles = t.count, count = (batch + samples - 1) / samples * tiles;
  }
  template <class T> int64_t most_rows(const Tiles<T>& t) const { return std::max(t.widest, samples * t.nodes); }
};

template <class T> inline Line<T> line(const Matrix<T>& matrix, int64_t row, const int32_t* column) {
  Line<T> l;
  const int32_t begin = matrix.begin[row];
  l.column = column + begin, l.value = matrix.value + begin, l.entries = matrix.begin[row + 1] - begin;
  return l;
}

// T_0 x … T_{K−1} x of a tile side by side, K ≤ 3: x [nodes, C] to rows of K·C; below them T_1 of the ring.
template <class T> void fill(const Tiles<T>& t, int64_t tile, const T* x, T* out, int64_t channels, int64_t order) {
  const int64_t first = t.start[tile], own = t.own(tile), width = order * channels;
  const int32_t* rows = t.rows + t.begin[tile];
  for (int64_t i = 0; i < own; ++i) std::copy_n(x + (first + i) * channels, channels, out + i * width);
  if (order < 2) return;
  for (int64_t i = 0, all = order > 2 ? t.with_ring(tile) : own; i < all; ++i) {
    Line<T> l = line(t.matrix, rows[i], t.matrix.column);
    l.x = x, l.stride = channels, l.out = out + i * width + channels;
    run_line(l, {}, channels);
  }
  for (int64_t i = 0; order > 2 && i < own; ++i) {
    Line<T> l = line(t.matrix, first + i, t.local_column);
    l.x = out + channels, l.stride = width, l.factor = 2;
    l.minus = x + (first + i) * channels, l.out = out + i * width + 2 * channels;
    run_line(l, {}, channels);
  }
}

// Memory of this thread that the next call overwrites; null when the system has none left.
template <class T> T* memory(int64_t count) {
  thread_local Scratch scratch;
  return static_cast<T*>(scratch.get(count * sizeof(T)));
}
