// Batch norm with the statistics of the batch, ReLU and residual in one pass, forward and backward.
//
// Arrays are [R, C] with R = B·N rows. Sums run over fixed blocks of rows, whatever the threads, in double precision, and
// the caller adds up the blocks in their order: the results are the same in every run.
#include <algorithm>
#include <cmath>

#include "parallel.h"

namespace {

// Made by norm.py. z = relu(y · scale + shift) + residual with scale = γ / σ and shift = β − μ scale.
template <class T> struct Norm {
  const T *y, *residual, *upstream;  // [R, C] each; null where there is none
  T* out;                            // z, or dy
  const T *scale, *shift;            // [C]
  const T *mean, *inverse;           // [C] μ and 1 / σ
  double *first, *second;            // [blocks, C]: mean and sum of squared deviations, or Σ g and Σ g x̂
  const T *mean_g, *mean_gx;         // [C] of the whole batch
  int64_t rows, channels, blocks;
  int64_t begin(int64_t block) const { return rows * block / blocks; }
};

template <class T> void statistics(const Torch* torch, const Norm<T>& n) {
  const int64_t c = n.channels;
  parallel(torch, n.blocks, 1, [&](int64_t from, int64_t to) {
    for (int64_t block = from; block < to; ++block) {
      double *mean = n.first + block * c, *squares = n.second + block * c;
      std::fill_n(mean, c, 0), std::fill_n(squares, c, 0);
      const int64_t begin = n.begin(block), end = n.begin(block + 1);
      for (int64_t r = begin; r < end; ++r)
#pragma GCC ivdep
        for (int64_t k = 0; k < c; ++k) mean[k] += n.y[r * c + k];
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) mean[k] /= std::max<int64_t>(1, end - begin);
      for (int64_t r = begin; r < end; ++r)
#pragma GCC ivdep
        for (int64_t k = 0; k < c; ++k) squares[k] += (n.y[r * c + k] - mean[k]) * (n.y[r * c + k] - mean[k]);
    }
  });
}

template <class T> void apply(const Torch* torch, const Norm<T>& n) {
  const int64_t c = n.channels;
  parallel(torch, n.blocks, 1, [&](int64_t from, int64_t to) {
    for (int64_t r = n.begin(from); r < n.begin(to); ++r)
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) {
        const T z = n.y[r * c + k] * n.scale[k] + n.shift[k];
        n.out[r * c + k] = (z < 0 ? 0 : z) + (n.residual ? n.residual[r * c + k] : 0);
      }
  });
}

// g = dz where the ReLU let it through; x̂ = (y − μ) / σ.
template <class T> void sums(const Torch* torch, const Norm<T>& n) {
  const int64_t c = n.channels;
  parallel(torch, n.blocks, 1, [&](int64_t from, int64_t to) {
    for (int64_t block = from; block < to; ++block) {
      double *sum = n.first + block * c, *sum_x = n.second + block * c;
      std::fill_n(sum, c, 0), std::fill_n(sum_x, c, 0);
      for (int64_t r = n.begin(block); r < n.begin(block + 1); ++r)
#pragma GCC ivdep
        for (int64_t k = 0; k < c; ++k) {
          const T y = n.y[r * c + k];
          const T g = y * n.scale[k] + n.shift[k] > 0 ? n.upstream[r * c + k] : 0;
          sum[k] += g, sum_x[k] += g * ((y - n.mean[k]) * n.inverse[k]);
        }
    }
  });
}

template <class T> void backward(const Torch* torch, const Norm<T>& n) {
  const int64_t c = n.channels;
  parallel(torch, n.blocks, 1, [&](int64_t from, int64_t to) {
    for (int64_t r = n.begin(from); r < n.begin(to); ++r)
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) {
        const T y = n.y[r * c + k];
        const T g = y * n.scale[k] + n.shift[k] > 0 ? n.upstream[r * c + k] : 0;
        n.out[r * c + k] = n.scale[k] * (g - n.mean_g[k] - (y - n.mean[k]) * n.inverse[k] * n.mean_gx[k]);
      }
  });
}

}  // namespace

#define EXPORT(T, suffix)                                                                                    \
  extern "C" void norm_statistics_##suffix(const Torch* torch, const Norm<T>* n) { statistics(torch, *n); } \
  extern "C" void norm_apply_##suffix(const Torch* torch, const Norm<T>* n) { apply(torch, *n); }           \
  extern "C" void norm_sums_##suffix(const Torch* torch, const Norm<T>* n) { sums(torch, *n); }             \
  extern "C" void norm_backward_##suffix(const Torch* torch, const Norm<T>* n) { backward(torch, *n); }

EXPORT(float, float32)
EXPORT(double, float64)
