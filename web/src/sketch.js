// Bodies drawn into the frames of a video by this page itself, in the light of view.js, for browsers without a graphics
// card: the program that stands in for one takes ten times as long.
const LIGHT = [-0.63, -0.58, -0.58, 0.7], SKY = 0.38, GROUND = 0.12; // direction in the camera's axes, strengths
const NEAR = 0.05; // metres

export class Sketch {
  /** `faces`: vertex numbers, three a face; `tints`: colors in [0, 1]; `around`: the page's color, bytes. */
  constructor(canvas, faces, tints, around) {
    this.brush = canvas.getContext("2d", { alpha: false });
    this.count = faces.reduce((most, value) => Math.max(most, value), 0) + 1;
    [this.points, this.normals, this.screen] = [0, 1, 2].map(() => new Float32Array(3 * this.count)); // screen: x, y px, 1 / z
    this.shades = new Float32Array(this.count);
    Object.assign(this, { faces, around, width: 0, height: 0 });
    this.colors = tints.map(shadesOf);
  }

  /** People in a frame of which `share` is kept, turned by `yaw` about the vertical through their middle. */
  show({ data, width, height }, people, focal, yaw, share) {
    const image = new ImageData(new Uint8ClampedArray(data), width, height);
    if (width !== this.width || height !== this.height) {
      Object.assign(this, { width, height, depths: new Float32Array(width * height) });
      Object.assign(this.brush.canvas, { width, height });
    }
    this.pixels = new Uint32Array(image.data.buffer);
    this.depths.fill(0);
    if (share < 1) image.data.forEach((value, i, all) => (all[i] = share * value + (1 - share) * (this.around[i % 4] ?? 255)));
    const middle = [0, 2].map((axis) => people.reduce((sum, { place }) => sum + place[axis] / people.length, 0));
    for (const { vertices, place, track } of people) {
      this.stand(vertices, place, middle, yaw, focal);
      this.light();
      this.fill(this.colors[track % this.colors.length]);
    }
    this.brush.putImageData(image, 0, 0);
  }

  /** Turn a body about the vertical through `middle` (x, z) and project it. */
  stand(vertices, place, middle, yaw, focal) {
    const { count, points, screen, width, height } = this, cos = Math.cos(yaw), sin = Math.sin(yaw);
    for (let i = 0; i < 3 * count; i += 3) {
      const across = vertices[i] + place[0] - middle[0], ahead = vertices[i + 2] + place[2] - middle[1];
      const x = middle[0] + cos * across - sin * ahead, y = vertices[i + 1] + place[1], z = middle[1] + sin * across + cos * ahead;
      points[i] = x;
      points[i + 1] = y;
      points[i + 2] = z;
      screen[i] = (focal * x) / z + width / 2;
      screen[i + 1] = (focal * y) / z + height / 2;
      screen[i + 2] = z > NEAR ? 1 / z : 0; // 0: too near to be drawn
    }
  }

  /** How bright each vertex is, by the mean normal of its faces. */
  light() {
    const { faces, count, points, normals, shades } = this;
    normals.fill(0);
    for (let face = 0; face < faces.length; face += 3) {
      const a = 3 * faces[face], b = 3 * faces[face + 1], c = 3 * faces[face + 2];
      const x1 = points[b] - points[a], y1 = points[b + 1] - points[a + 1], z1 = points[b + 2] - points[a + 2];
      const x2 = points[c] - points[a], y2 = points[c + 1] - points[a + 1], z2 = points[c + 2] - points[a + 2];
      const x = y1 * z2 - z1 * y2, y = z1 * x2 - x1 * z2, z = x1 * y2 - y1 * x2;
      for (let corner = 0; corner < 3; corner++) {
        const to = 3 * faces[face + corner];
        normals[to] += x;
        normals[to + 1] += y;
        normals[to + 2] += z;
      }
    }
    for (let vertex = 0; vertex < count; vertex++) {
      const x = normals[3 * vertex], y = normals[3 * vertex + 1], z = normals[3 * vertex + 2], length = Math.sqrt(x * x + y * y + z * z) || 1;
      const lit = Math.max(0, (LIGHT[0] * x + LIGHT[1] * y + LIGHT[2] * z) / length), above = 0.5 - (0.5 * y) / length;
      shades[vertex] = 255 * (LIGHT[3] * lit + GROUND + (SKY - GROUND) * above);
    }
  }

  fill(colors) {
    const { faces, screen, shades, width, height, depths, pixels } = this;
    for (let face = 0; face < faces.length; face += 3) {
      const p = faces[face], q = faces[face + 2], r = faces[face + 1], a = 3 * p, b = 3 * q, c = 3 * r; // as seen, y down
      const ax = screen[a], ay = screen[a + 1], bx = screen[b] - ax, by = screen[b + 1] - ay, cx = screen[c] - ax, cy = screen[c + 1] - ay;
      const area = bx * cy - by * cx;
      if (area <= 0 || !screen[a + 2] || !screen[b + 2] || !screen[c + 2]) continue; // seen from behind, or too near
      const left = Math.max(0, Math.ceil(ax + Math.min(0, bx, cx) - 0.5)), right = Math.min(width - 1, Math.floor(ax + Math.max(0, bx, cx) - 0.5));
      const top = Math.max(0, Math.ceil(ay + Math.min(0, by, cy) - 0.5)), bottom = Math.min(height - 1, Math.floor(ay + Math.max(0, by, cy) - 0.5));
      const depth = screen[a + 2], depthB = screen[b + 2] - depth, depthC = screen[c + 2] - depth;
      const shade = shades[p], shadeB = shades[q] - shade, shadeC = shades[r] - shade;
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const dx = x + 0.5 - ax, dy = y + 0.5 - ay, toB = (dx * cy - dy * cx) / area, toC = (bx * dy - by * dx) / area;
          if (toB < 0 || toC < 0 || toB + toC > 1) continue;
          const at = y * width + x, near = depth + toB * depthB + toC * depthC;
          if (near <= depths[at]) continue;
          depths[at] = near;
          pixels[at] = colors[(shade + toB * shadeB + toC * shadeC) | 0];
        }
      }
    }
  }
}

/** A tint under 300 strengths of light, as pixels. */
function shadesOf(tint) {
  const linear = tint.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const shown = (value) => Math.min(255, 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
  return Uint32Array.from({ length: 300 }, (_, light) => {
    const [red, green, blue] = linear.map((value) => Math.round(shown((value * light) / 255)));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}
