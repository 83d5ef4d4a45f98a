// Vectors of the width that the compiler was told, torch's own threads and dense product, and memory to work in.
#pragma once
#include <cstdint>
#include <cstdlib>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

template <class T> struct Vector;
template <> struct Vector<float> {
  typedef float type __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
};
template <> struct Vector<double> {
  typedef double type __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
};
template <class T> constexpr int kWidth = VECTOR_BYTES / sizeof(T);

// Functions of torch's stable C interface, found by name when the library is loaded.
struct Torch {
  int32_t (*parallel_for)(int64_t, int64_t, int64_t, void (*)(int64_t, int64_t, void*), void*);  // null before 2.10
  int32_t (*from_blob)(void*, int64_t, const int64_t*, const int64_t*, int64_t, int32_t, int32_t, int32_t, void**);
  int32_t (*addmm_out)(void*, void*, void*, void*, double, double);
  int32_t (*free_tensor)(void*);
  int32_t cpu, float32, float64;  // torch's numbers of the device and the data types
};

// Runs body(begin, end) over parts of 0 .. count, of at least `grain` each; one part runs outside any parallel region,
// so that a dense product within it may use all threads.
template <class Body> void parallel(const Torch* torch, int64_t count, int64_t grain, const Body& body) {
  if (!torch->parallel_for || count <= grain) return body(0, count);
  auto call = [](int64_t begin, int64_t end, void* context) { (*static_cast<const Body*>(context))(begin, end); };
  torch->parallel_for(0, count, grain, call, const_cast<void*>(static_cast<const void*>(&body)));
}

// Memory that is kept: fresh pages would cost more than what is done in them.
class Scratch {
 public:
  ~Scratch() { std::free(data_); }

  // Null when the system has none left.
  void* get(size_t bytes) {
    if (bytes > size_) {
      std::free(data_);
      size_ = (bytes + kPage - 1) / kPage * kPage;
      data_ = std::aligned_alloc(kPage, size_);
      if (!data_) size_ = 0;
#if defined(__linux__)
      if (data_) madvise(data_, size_, MADV_HUGEPAGE);
#endif
    }
    return data_;
  }

 private:
  static constexpr size_t kPage = 1 << 21;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// A matrix of ours as torch sees it, contiguous unless strides are given.
template <class T> class View {
 public:
  View(const Torch* torch, const T* data, int64_t rows, int64_t columns, int64_t down = 0, int64_t right = 1)
      : torch_(torch) {
    const int64_t sizes[] = {rows, columns}, strides[] = {down ? down : columns, right};
    const int32_t type = sizeof(T) == 4 ? torch->float32 : torch->float64;
    if (torch->from_blob(const_cast<T*>(data), 2, sizes, strides, 0, type, torch->cpu, 0, &handle)) handle = nullptr;
  }
  ~View() {
    if (handle) torch_->free_tensor(handle);
  }
  View(const View&) = delete;

  void* handle = nullptr;

 private:
  const Torch* torch_;
};

// out = left · right + beta · out; returns 0, or torch's error.
template <class T>
int32_t multiply(const Torch* torch, const View<T>& left, const View<T>& right, const View<T>& out, double beta) {
  if (!left.handle || !right.handle || !out.handle) return 1;
  return torch->addmm_out(out.handle, out.handle, left.handle, right.handle, beta, 1.0);
}
