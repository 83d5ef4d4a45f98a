// Where a body stands before the camera, in closed form: pose2mesh/fitting/batched_camera.py.
import { tables } from "./poses.js";

const NEAREST = 0.3, FARTHEST = 100; // metres

/** Focal length in px of a picture (width, height). */
export const focalOf = ([width, height]) => tables.focal * Math.hypot(width, height);

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
