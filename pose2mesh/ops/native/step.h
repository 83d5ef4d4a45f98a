// One row of a step of Chebyshev's or Clenshaw's recurrence, with everything that may follow it.
#pragma once
#include <utility>

#include "parallel.h"

// A matrix [rows, columns] in compressed rows.
template <class T> struct Matrix {
  const int32_t *begin, *column;
  const T* value;
};

// scale, bias [C]; null where there is none.
template <class T> struct Epilogue {
  const T *scale = nullptr, *bias = nullptr;
  bool relu = false;
};

// out = relu(scale · (factor · Σ_e value[e] · x[column[e]] + plus − minus) + bias) + residual, less what is null.
template <class T> struct Line {
  const int32_t* column = nullptr;
  const T* value = nullptr;
  int32_t entries = 0;
  T factor = 1;
  const T* x = nullptr;
  int64_t stride = 0;  // between rows of x
  const T *plus = nullptr, *minus = nullptr, *residual = nullptr;
  T* out = nullptr;
};

// The channels c .. c + Count·W, held in registers; written as fold expressions, since loops over `sum` go through memory.
template <class T, int... K>
inline void block(const Line<T>& l, const Epilogue<T>& end, int64_t c, std::integer_sequence<int, K...>) {
  typedef typename Vector<T>::type V;
  auto at = [c](const T* p, int k) -> V { return *reinterpret_cast<const V*>(p + c + k * kWidth<T>); };
  V sum[sizeof...(K)] = {((void)K, V{})...};
  for (int32_t e = 0; e < l.entries; ++e) {
    const T* row = l.x + l.column[e] * l.stride;
    const T value = l.factor * l.value[e];
    ((sum[K] += value * at(row, K)), ...);
  }
  if (l.plus) ((sum[K] += at(l.plus, K)), ...);
  if (l.minus) ((sum[K] -= at(l.minus, K)), ...);
  if (end.scale) ((sum[K] *= at(end.scale, K)), ...);
  if (end.bias) ((sum[K] += at(end.bias, K)), ...);
  if (end.relu) ((sum[K] = sum[K] < 0 ? V{} : sum[K]), ...);  // so that what is no number stays none
  if (l.residual) ((sum[K] += at(l.residual, K)), ...);
  ((*reinterpret_cast<V*>(l.out + c + K * kWidth<T>) = sum[K]), ...);
}

template <class T> inline void run_line(const Line<T>& l, const Epilogue<T>& end, int64_t channels) {
  constexpr int W = kWidth<T>;
  int64_t c = 0;
  for (; c + 8 * W <= channels; c += 8 * W) block(l, end, c, std::make_integer_sequence<int, 8>());
  for (; c + 4 * W <= channels; c += 4 * W) block(l, end, c, std::make_integer_sequence<int, 4>());
  for (; c + W <= channels; c += W) block(l, end, c, std::make_integer_sequence<int, 1>());
  for (; c < channels; ++c) {
    T y = 0;
    for (int32_t e = 0; e < l.entries; ++e) y += l.factor * l.value[e] * l.x[l.column[e] * l.stride + c];
    if (l.plus) y += l.plus[c];
    if (l.minus) y -= l.minus[c];
    if (end.scale) y *= end.scale[c];
    if (end.bias) y += end.bias[c];
    if (end.relu && y < 0) y = 0;
    if (l.residual) y += l.residual[c];
    l.out[c] = y;
  }
}
