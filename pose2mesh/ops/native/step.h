// One row of a step of Chebyshev's or Clenshaw's recurrence, with everything that may follow it.
#pragma once
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

// A block of channels that stays in registers: `Count` vectors from channel c on.
template <class T, int Count> inline void block(const Line<T>& l, const Epilogue<T>& end, int64_t c) {
  typedef typename Vector<T>::type V;
  constexpr int W = kWidth<T>;
  auto at = [c](const T* p, int k) -> V { return *reinterpret_cast<const V*>(p + c + k * W); };
  V sum[Count] = {};
  for (int32_t e = 0; e < l.entries; ++e) {
    const T* row = l.x + l.column[e] * l.stride;
    const T value = l.factor * l.value[e];
    for (int k = 0; k < Count; ++k) sum[k] += value * at(row, k);
  }
  for (int k = 0; k < Count; ++k) {
    V y = sum[k];
    if (l.plus) y += at(l.plus, k);
    if (l.minus) y -= at(l.minus, k);
    if (end.scale) y *= at(end.scale, k);
    if (end.bias) y += at(end.bias, k);
    if (end.relu) y = y < 0 ? V{} : y;  // so that what is no number stays none
    if (l.residual) y += at(l.residual, k);
    *reinterpret_cast<V*>(l.out + c + k * W) = y;
  }
}

template <class T> inline void run_line(const Line<T>& l, const Epilogue<T>& end, int64_t channels) {
  constexpr int W = kWidth<T>;
  int64_t c = 0;
  for (; c + 8 * W <= channels; c += 8 * W) block<T, 8>(l, end, c);
  for (; c + 4 * W <= channels; c += 4 * W) block<T, 4>(l, end, c);
  for (; c + W <= channels; c += W) block<T, 1>(l, end, c);
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
