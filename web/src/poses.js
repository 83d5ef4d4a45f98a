// Poses are arrays of [x, y, confidence]; which joint is which, and all thresholds, come from the Python package.
export const tables = TABLES; // put in by the build: a worker that waits for a file loses what it is told meanwhile

const { least, widths } = tables;

/** Joints of another set: each the mean of its sources, its confidence the least of theirs; zeros where there are none. */
export function convert(pose, sources) {
  return sources.map((parts) => {
    if (!parts.length) return [0, 0, 0];
    const mean = (axis) => parts.reduce((sum, part) => sum + pose[part][axis], 0) / parts.length;
    return [mean(0), mean(1), Math.min(...parts.map((part) => pose[part][2]))];
  });
}

/** COCO's object keypoint similarity of two poses of 17 joints, in [0, 1]. */
export function similarity(a, b) {
  const near = nearness(a, b);
  let sum = 0, total = 0;
  for (const [i, value] of near.entries()) {
    const weight = Math.max(Math.min(a[i][2], b[i][2]), least);
    sum += weight * value;
    total += weight;
  }
  return sum / total;
}

export function nearness(a, b) {
  const area = Math.max(areaOf(a), areaOf(b));
  return widths.map((width, i) => Math.exp(-((a[i][0] - b[i][0]) ** 2 + (a[i][1] - b[i][1]) ** 2) / (2 * area * width ** 2)));
}

function spans(pose) {
  return [0, 1].map((axis) => {
    const values = pose.map((joint) => joint[axis]);
    return Math.max(...values) - Math.min(...values);
  });
}

function areaOf(pose) {
  const [width, height] = spans(pose);
  return Math.max(width * height, Math.max(width, height) ** 2 / 4) * 0.53 + 1;
}

/** Longer side of the box around the seen joints, px. */
export function extent(pose) {
  const seen = pose.filter((joint) => joint[2] >= tables.missing);
  return seen.length > 1 ? Math.max(...spans(seen)) : 0;
}

/** Those of `items`, in their order, that are like none before; `poseOf` gives 17 joints. */
export function unlike(items, same, poseOf) {
  const kept = [];
  for (const item of items) {
    if (!kept.some((other) => similarity(poseOf(item), poseOf(other)) >= same)) kept.push(item);
  }
  return kept;
}
