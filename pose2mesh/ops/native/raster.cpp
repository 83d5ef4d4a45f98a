// A mesh to triangles in the picture, these to pixels with a z-buffer, and values between their corners: what
// rendering/software.py does in numpy, operation by operation, so that the bytes are the same.
#include <algorithm>
#include <cmath>
#include <cstdint>

#pragma GCC optimize("-ffp-contract=off")  // a fused multiply-add would round otherwise than numpy
#ifdef __clang__
#pragma clang fp contract(off)
#endif

namespace {

struct Point {
  double x, y, inverse;
};

// All of these are made by raster.py. A mesh before a camera.
struct Mesh {
  const double* vertices;  // [V, 3] m
  const int32_t* faces;    // [F, 3]
  double* corners;         // [F, 3, 3] of the faces that may be seen: x and y in pixels, 1/z
  int64_t* numbers;        // [F] of these faces
  bool* is_back;           // [F] whether their inside is seen
  int64_t count, width, height, is_closed;
  double focal, x, y, near;
};

// Whether centers of pixels, 0 to `size`, lie between the least and the most of three.
bool covers(double a, double b, double c, double size) {
  const double low = std::ceil(std::min(std::min(a, b), c) - 0.5), high = std::ceil(std::max(std::max(a, b), c) - 0.5);
  return std::min(high, size) > std::max(low, 0.0);
}

int64_t triangles(const Mesh& m) {
  int64_t kept = 0;
  for (int64_t face = 0; face < m.count; ++face) {
    Point corner[3];
    bool far = true;
    for (int k = 0; k < 3; ++k) {
      const double* v = m.vertices + 3 * static_cast<int64_t>(m.faces[3 * face + k]);
      far = far && v[2] > m.near;
      const double inverse = 1 / v[2];
      corner[k] = {m.focal * v[0] * inverse + m.x, m.focal * v[1] * inverse + m.y, inverse};
    }
    const Point &a = corner[0], &b = corner[1], &c = corner[2];
    const bool is_back = (b.x - a.x) * (c.y - a.y) > (b.y - a.y) * (c.x - a.x);
    const bool finite = std::isfinite(a.x + b.x + c.x) && std::isfinite(a.y + b.y + c.y);
    if (!far || !finite || (m.is_closed && is_back)) continue;
    if (!covers(a.x, b.x, c.x, m.width) || !covers(a.y, b.y, c.y, m.height)) continue;
    for (int k = 0; k < 3; ++k) {
      double* to = m.corners + 9 * kept + 3 * k;
      to[0] = corner[k].x, to[1] = corner[k].y, to[2] = corner[k].inverse;
    }
    m.numbers[kept] = face, m.is_back[kept] = is_back;
    ++kept;
  }
  return kept;
}

struct Picture {
  const double* corners;  // [F, 3, 3] x and y in pixels, 1/z
  double* nearest;        // [H, W] 1/z; begins as zeros
  int64_t* owner;         // [H, W] triangle; begins as -1
  int64_t triangles, width, height;
};

bool above(const Point& a, const Point& b) { return a.y < b.y || (a.y == b.y && a.x < b.x); }

double slant(const Point& upper, const Point& lower) {
  const double rise = lower.y - upper.y;
  return rise > 0 ? (lower.x - upper.x) / rise : 0;
}

void scan(const Picture& p, int64_t triangle) {
  Point corner[3];
  for (int k = 0; k < 3; ++k) {
    const double* from = p.corners + 9 * triangle + 3 * k;
    corner[k] = {from[0], from[1], from[2]};
  }
  if (above(corner[1], corner[0])) std::swap(corner[0], corner[1]);
  if (above(corner[2], corner[1])) std::swap(corner[1], corner[2]);
  if (above(corner[1], corner[0])) std::swap(corner[0], corner[1]);
  const Point &a = corner[0], &b = corner[1], &c = corner[2];
  const double px = b.x - a.x, py = b.y - a.y, pz = b.inverse - a.inverse;
  const double qx = c.x - a.x, qy = c.y - a.y, qz = c.inverse - a.inverse;
  const double area = px * qy - py * qx;
  const double right = area != 0 ? (pz * qy - py * qz) / area : 0, down = area != 0 ? (px * qz - pz * qx) / area : 0;
  const double ac = slant(a, c), ab = slant(a, b), bc = slant(b, c);
  const double least = std::min(std::min(a.inverse, b.inverse), c.inverse);  // slivers must not extrapolate
  const double most = std::max(std::max(a.inverse, b.inverse), c.inverse);
  const double width = static_cast<double>(p.width);
  const auto top = static_cast<int64_t>(std::max(std::ceil(a.y - 0.5), 0.0));
  const auto bottom = static_cast<int64_t>(std::min(std::ceil(c.y - 0.5), static_cast<double>(p.height)));
  for (int64_t row = top; row < bottom; ++row) {
    const double y = static_cast<double>(row) + 0.5;
    const double one = a.x + (y - a.y) * ac, other = y < b.y ? a.x + (y - a.y) * ab : b.x + (y - b.y) * bc;
    const double first = std::clamp(std::ceil(std::min(one, other) - 0.5), 0.0, width);
    const double count = std::clamp(std::ceil(std::max(one, other) - 0.5), 0.0, width) - first;
    double start = a.inverse + down * (y - a.y) + right * (first + 0.5 - a.x);
    const double stop = std::clamp(start + right * (count - 1), least, most);
    start = std::clamp(start, least, most);
    const double step = (stop - start) / std::max(count - 1, 1.0);
    const int64_t from = row * p.width + static_cast<int64_t>(first);
    for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) {
      const double inverse = start + step * static_cast<double>(i);
      if (inverse >= p.nearest[from + i]) {  // equal depths: the last face, always the same one
        p.nearest[from + i] = inverse;
        p.owner[from + i] = triangle;
      }
    }
  }
}

// Values of triangles, linear in the picture.
struct Values {
  const double* corners;           // [F, 3, 3]
  const double* values;            // [F, 3, C]
  const int64_t *pixels, *owners;  // [S]
  uint8_t* out;                    // [S, C]
  int64_t samples, channels, width;
  double sliver;
};

void interpolate(const Values& v) {
  constexpr int64_t most = 4;
  const int64_t c = v.channels;
  int64_t triangle = -1;
  float middle[2] = {}, mean[most] = {}, right[most] = {}, down[most] = {};
  for (int64_t s = 0; s < v.samples; ++s) {
    if (v.owners[s] != triangle) {  // neighbors mostly have one owner
      triangle = v.owners[s];
      const double *a = v.corners + 9 * triangle, *b = a + 3, *d = a + 6, *values = v.values + 3 * c * triangle;
      const double px = b[0] - a[0], py = b[1] - a[1], qx = d[0] - a[0], qy = d[1] - a[1];
      const double area = px * qy - py * qx, scale = std::abs(area) > v.sliver ? 1 / area : 0;
      for (int k = 0; k < 2; ++k) middle[k] = static_cast<float>((a[k] + b[k] + d[k]) / 3 - 0.5);
      for (int64_t k = 0; k < c; ++k) {
        const double first = values[k], p = values[c + k] - first, q = values[2 * c + k] - first;
        right[k] = static_cast<float>(scale * (p * qy - q * py));
        down[k] = static_cast<float>(scale * (q * px - p * qx));
        mean[k] = static_cast<float>((first + values[c + k] + values[2 * c + k]) / 3 + 0.5);
      }
    }
    const auto x = static_cast<float>(static_cast<double>(v.pixels[s] % v.width) - middle[0]);
    const auto y = static_cast<float>(static_cast<double>(v.pixels[s] / v.width) - middle[1]);
    for (int64_t k = 0; k < c; ++k)
      v.out[s * c + k] = static_cast<uint8_t>(std::clamp(mean[k] + right[k] * x + down[k] * y, 0.0f, 255.0f));
  }
}

}  // namespace

extern "C" {
int64_t raster_triangles(const Mesh* mesh) { return triangles(*mesh); }
int64_t raster_scan(const Picture* picture) {
  for (int64_t triangle = 0; triangle < picture->triangles; ++triangle) scan(*picture, triangle);
  return 0;
}
int64_t raster_interpolate(const Values* values) {
  interpolate(*values);
  return 0;
}
}
