// Pictures are { data: Uint8ClampedArray RGBA, width, height }; resampled as Pillow does, so that networks see the same.

/** A part of a picture, averaged over squares of `factor` px. Sides are integers within the picture. */
export function reduce(image, left, top, right, bottom, factor) {
  const width = Math.ceil((right - left) / factor), height = Math.ceil((bottom - top) / factor);
  const out = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const y0 = top + y * factor, y1 = Math.min(y0 + factor, bottom);
    for (let x = 0; x < width; x++, to += 3) {
      const x0 = left + x * factor, x1 = Math.min(x0 + factor, right);
      let red = 0, green = 0, blue = 0;
      for (let row = y0; row < y1; row++) {
        for (let i = 4 * (row * image.width + x0), end = i + 4 * (x1 - x0); i < end; i += 4) {
          red += image.data[i];
          green += image.data[i + 1];
          blue += image.data[i + 2];
        }
      }
      const share = 1 / ((y1 - y0) * (x1 - x0));
      out[to] = red * share + 0.5;
      out[to + 1] = green * share + 0.5;
      out[to + 2] = blue * share + 0.5;
    }
  }
  return { data: out, width, height };
}

/** A box of a picture at another size, by a triangle filter as wide as the shrinking asks; RGB. */
export function resize(image, left, top, right, bottom, width, height) {
  const factor = Math.max(1, Math.floor(Math.min((right - left) / width, (bottom - top) / height) / 2));
  const part = reduce(image, left, top, right, bottom, factor);
  const across = filter((right - left) / factor, part.width, width), down = filter((bottom - top) / factor, part.height, height);
  const middle = new Uint8ClampedArray(3 * width * part.height), out = new Uint8ClampedArray(3 * width * height);
  weigh(part.data, middle, across, part.height, part.width, 3, 3 * part.width, 3, 3 * width);
  weigh(middle, out, down, width, part.height, 3 * width, 3, 3 * width, 3);
  return { data: out, width, height };
}

function filter(extent, length, count) {
  const scale = extent / count, support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const center = (i + 0.5) * scale;
    const from = Math.max(0, Math.floor(center - support + 0.5)), to = Math.min(length, Math.floor(center + support + 0.5));
    const weights = [];
    for (let x = from; x < to; x++) weights.push(Math.max(0, 1 - Math.abs((x + 0.5 - center) / support)));
    const total = weights.reduce((a, b) => a + b, 0);
    return { from, weights: weights.map((weight) => weight / total) };
  });
}

function weigh(source, target, taps, lines, _length, step, line, stepOut, lineOut) {
  for (let i = 0; i < taps.length; i++) {
    const { from, weights } = taps[i];
    for (let j = 0; j < lines; j++) {
      let red = 0, green = 0, blue = 0;
      for (let k = 0, at = from * step + j * line; k < weights.length; k++, at += step) {
        red += weights[k] * source[at];
        green += weights[k] * source[at + 1];
        blue += weights[k] * source[at + 2];
      }
      const to = i * stepOut + j * lineOut;
      target[to] = red; // a clamped array rounds
      target[to + 1] = green;
      target[to + 2] = blue;
    }
  }
}

/** A square, turned region of a picture: center, side and the way up, all in px. */
export class Region {
  constructor(center, side, up) {
    Object.assign(this, { center, side, up });
  }

  /** A point of the square, each axis in [0, 1], in the picture. */
  toPicture([x, y]) {
    const across = (x - 0.5) * this.side, down = (y - 0.5) * this.side, [ux, uy] = this.up;
    return [this.center[0] - across * uy - down * ux, this.center[1] + across * ux - down * uy];
  }

  /** The square as RGB floats [size * size * 3] in [0, 1]; black outside of the picture. */
  cut(image, size) {
    const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map((corner) => this.toPicture(corner));
    const low = [0, 1].map((axis) => clip(Math.floor(Math.min(...corners.map((c) => c[axis]))) - 1, axis ? image.height : image.width));
    const high = [0, 1].map((axis) => clip(Math.ceil(Math.max(...corners.map((c) => c[axis]))) + 1, axis ? image.height : image.width));
    const out = new Float32Array(3 * size * size);
    if (high[0] <= low[0] || high[1] <= low[1]) return out;
    const shrink = Math.max(1, Math.floor(this.side / size));
    const part = reduce(image, low[0], low[1], high[0], high[1], shrink);
    const step = this.side / size / shrink, [ux, uy] = this.up;
    const [left, top] = this.toPicture([0, 0]).map((value, axis) => (value - low[axis]) / shrink);
    for (let v = 0, to = 0; v < size; v++) {
      for (let u = 0; u < size; u++, to += 3) {
        const across = (u + 0.5) * step, down = (v + 0.5) * step;
        sample(part, left - across * uy - down * ux, top + across * ux - down * uy, out, to);
      }
    }
    return out;
  }
}

const clip = (value, limit) => Math.min(Math.max(value, 0), limit);

function sample({ data, width, height }, x, y, out, to) {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const left = Math.floor(x - 0.5), top = Math.floor(y - 0.5), dx = x - 0.5 - left, dy = y - 0.5 - top;
  const x0 = Math.max(left, 0), x1 = Math.min(left + 1, width - 1), y0 = Math.max(top, 0), y1 = Math.min(top + 1, height - 1);
  const a = 3 * (y0 * width + x0), b = 3 * (y0 * width + x1), c = 3 * (y1 * width + x0), d = 3 * (y1 * width + x1);
  for (let i = 0; i < 3; i++) {
    const above = data[a + i] + dx * (data[b + i] - data[a + i]), below = data[c + i] + dx * (data[d + i] - data[c + i]);
    out[to + i] = Math.floor(above + dy * (below - above) + 0.5) / 255;
  }
}
