// The 33 joints of one person: BlazePose, as pose2mesh/detectors/landmarks.py.
import { Region } from "./pixels.js";
import { convert, tables } from "./poses.js";

const { side, margin, heatReach, heatSure, shareBeyond, trunks, mirror, toCoco, hips, shoulders, missing } = tables;
const QUICK = 50; // ms of one look that the full network may take in a video
const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** The person in a region: { joints, coco, score, region }; `both`: mean of the plain and the mirrored view. */
export async function look(network, image, region, both = false) {
  const crop = region.cut(image, side);
  let { points, seen, circle, score } = await run(network, crop);
  if (both) {
    const other = await run(network, flipped(crop));
    const turn = ([x, y]) => [1 - x, y];
    const theirs = mirror.map((joint) => turn(other.points[joint])), theirSeen = mirror.map((joint) => other.seen[joint]);
    const isSwapped = distance(points, mirror.map((joint) => theirs[joint])) < distance(points, theirs);
    if (!isSwapped) {
      points = points.map((point, i) => mean(point, theirs[i]));
      seen = seen.map((value, i) => (value + theirSeen[i]) / 2);
    }
    circle = circle.map((point, i) => mean(point, turn(other.circle[i])));
    score = (score + other.score) / 2;
  }
  const joints = points.map((point, i) => [...region.toPicture(point), seen[i]]);
  return { joints, coco: convert(joints, toCoco), score, region: circleRegion(...circle.map((point) => region.toPicture(point))) };
}

/** What follows people from frame to frame: the full network where this machine is quick enough, else the light one. */
export async function followerOf({ landmarks, light }) {
  const nothing = new Float32Array(3 * side * side);
  await run(landmarks, nothing); // the first call is slow
  const start = performance.now();
  await run(landmarks, nothing);
  return performance.now() - start < QUICK ? landmarks : light;
}

async function run(network, crop) {
  const [landmarks, scores, heat] = await network(crop, [1, side, side, 3]);
  const value = (joint, axis) => landmarks.data[5 * joint + axis];
  const all = Array.from({ length: 35 }, (_, joint) => [value(joint, 0) / side, value(joint, 1) / side]);
  return {
    points: mirror.map((_, joint) => warmest(all[joint], heat, joint)),
    seen: mirror.map((_, joint) => sigmoid(value(joint, 3))),
    circle: all.slice(33),
    score: scores.data[0],
  };
}

/** A point in [0, 1] moved to the center of the heat around it. */
function warmest(point, { data, dims: [, height, width, channels] }, joint) {
  const column = Math.floor(point[0] * width), row = Math.floor(point[1] * height);
  if (column < 0 || row < 0 || column >= width || row >= height) return point;
  let total = 0, across = 0, down = 0, most = 0;
  for (let y = Math.max(0, row - heatReach); y <= Math.min(height - 1, row + heatReach); y++) {
    for (let x = Math.max(0, column - heatReach); x <= Math.min(width - 1, column + heatReach); x++) {
      const weight = sigmoid(data[(y * width + x) * channels + joint]);
      total += weight;
      across += weight * x;
      down += weight * y;
      most = Math.max(most, weight);
    }
  }
  return most >= heatSure ? [across / total / width, down / total / height] : point;
}

function flipped(crop) {
  const out = new Float32Array(crop.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = 3 * (y * side + x), to = 3 * (y * side + side - 1 - x);
      out.set(crop.subarray(from, from + 3), to);
    }
  }
  return out;
}

const mean = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
const distance = (a, b) => a.reduce((sum, point, i) => sum + Math.hypot(point[0] - b[i][0], point[1] - b[i][1]), 0);

function circleRegion(center, rim) {
  const radius = Math.hypot(rim[0] - center[0], rim[1] - center[1]);
  const up = radius > 1e-3 ? [(rim[0] - center[0]) / radius, (rim[1] - center[1]) / radius] : [0, -1];
  return new Region(center, 2 * margin * Math.max(radius, 1), up);
}

/** Where to look first for a pose of 17 joints. */
export function regionOf(pose) {
  const [hip, shoulder] = [hips, shoulders].map(([a, b]) => mean(pose[a], pose[b]));
  const trunk = Math.hypot(shoulder[0] - hip[0], shoulder[1] - hip[1]);
  const up = trunk > 1e-3 ? [(shoulder[0] - hip[0]) / trunk, (shoulder[1] - hip[1]) / trunk] : [0, -1];
  const reach = pose.filter((joint) => joint[2] >= missing).map((joint) => Math.hypot(joint[0] - hip[0], joint[1] - hip[1]));
  const radius = Math.max(shareBeyond * Math.max(0, ...reach), trunks * trunk, 1);
  return circleRegion(hip, [hip[0] + radius * up[0], hip[1] + radius * up[1]]);
}
