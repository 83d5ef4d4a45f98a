// Cameras aimed at people, pose2mesh/fitting/aiming.py; where a body stands, in closed form, pose2mesh/geometry/placement.py.
import { tables } from "./poses.js";

const NEAREST = 0.3, FARTHEST = 100; // metres
const LEAST_AHEAD = 0.05; // of a direction, before an aimed camera

/** Focal length in px of a picture (width, height). */
export const focalOf = ([width, height]) => tables.focal * Math.hypot(width, height);

/** A pose in px as a camera sees it that is aimed at the middle of its box, and the turn [9] of that camera's axes. */
export function aimed(pose, size) {
  const focal = focalOf(size), center = [size[0] / 2, size[1] / 2], seen = pose.filter((joint) => joint[2] > 0);
  const [x, y] = [0, 1].map((axis) => {
    const values = seen.map((joint) => joint[axis]);
    return seen.length ? ((Math.min(...values) + Math.max(...values)) / 2 - center[axis]) / focal : 0;
  });
  const length = Math.hypot(1, x, y), a = x / length, b = y / length, c = 1 / length, share = 1 / (1 + c);
  const turn = [1 - share * a * a, -share * a * b, a, -share * a * b, 1 - share * b * b, b, -a, -b, c];
  const moved = pose.map((joint) => {
    if (!(joint[2] > 0)) return joint;
    const ray = [(joint[0] - center[0]) / focal, (joint[1] - center[1]) / focal, 1];
    const [right, down, ahead] = [0, 1, 2].map((axis) => ray.reduce((sum, value, row) => sum + value * turn[3 * row + axis], 0));
    const distance = Math.max(ahead, LEAST_AHEAD);
    return [(focal * right) / distance + center[0], (focal * down) / distance + center[1], joint[2]];
  });
  return { pose: moved, turn };
}

/** Points [3 N] in the axes of the picture's camera, from those of the aimed one. */
export function turnedBack(points, turn) {
  const turned = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    for (let row = 0; row < 3; row++) {
      turned[i + row] = turn[3 * row] * points[i] + turn[3 * row + 1] * points[i + 1] + turn[3 * row + 2] * points[i + 2];
    }
  }
  return turned;
}

/** Translation that brings joints [3 J] m onto a pose of J joints in px, weighted by confidence. */
export function placeOf(joints, pose, size) {
  const focal = focalOf(size), total = pose.reduce((sum, joint) => sum + joint[2], 0) || 1;
  const rows = pose.map(([x, y, confidence], i) => {
    const ray = [(x - size[0] / 2) / focal, (y - size[1] / 2) / focal], depth = joints[3 * i + 2];
    return { share: confidence / total, ray, excess: [ray[0] * depth - joints[3 * i], ray[1] * depth - joints[3 * i + 1]] };
  });
  const mean = (key, axis) => rows.reduce((sum, row) => sum + row.share * row[key][axis], 0);
  const ray = [mean("ray", 0), mean("ray", 1)], excess = [mean("excess", 0), mean("excess", 1)];
  let spread = 1e-8, along = 0;
  for (const row of rows) {
    for (const axis of [0, 1]) {
      const offset = row.ray[axis] - ray[axis];
      spread += row.share * offset ** 2;
      along += row.share * offset * (row.excess[axis] - excess[axis]);
    }
  }
  const nearest = NEAREST - Math.min(...pose.map((_, i) => joints[3 * i + 2]));
  const depth = Math.min(Math.max(-along / spread, nearest), nearest + FARTHEST);
  return [excess[0] + ray[0] * depth, excess[1] + ray[1] * depth, depth];
}
