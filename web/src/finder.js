// Where people are: MoveNet Multipose, as pose2mesh/detectors/finder.py.
import { peopleIn } from "./multipose.js";
import { resize } from "./pixels.js";
import { extent, tables, unlike } from "./poses.js";

const { stride, whole, tile, leastScore, doubt, clear, hint, small, sure, sameFind } = tables;

/** Finds { pose: 17 joints, score }, best first; `isQuick`: by the first, small look only. */
export async function findPeople(network, image, { withTiles = false, isQuick = false }) {
  const box = [0, 0, image.width, image.height], longest = Math.max(image.width, image.height);
  const found = best(await look(network, image, box, whole[0], doubt));
  let finds = found;
  if (isQuick || isClear(finds, longest)) return finds.filter((find) => find.score >= leastScore);
  found.push(...(await look(network, image, box, whole[1], hint)));
  finds = best(found);
  const wanted = withTiles ? wantedTiles(finds, image) : [];
  if (wanted.length) {
    for (const box of wanted) found.push(...(await look(network, image, box, tile, hint)));
    finds = best(found);
  }
  return finds.filter((find) => find.score >= leastScore);
}

function best(found) {
  return unlike([...found].sort((a, b) => b.score - a.score), sameFind, (find) => find.pose);
}

function isClear(finds, longest) {
  return finds.length > 0 && finds.every((find) => find.score >= clear && extent(find.pose) >= small * longest);
}

/** Tiles in which small finds have their middle; all where none is sure. */
function wantedTiles(finds, { width, height }) {
  const likely = finds.filter((find) => find.score >= hint), all = tiles(width, height);
  if (!likely.some((find) => find.score >= sure)) return all;
  const middles = likely.filter(({ pose }) => extent(pose) < small * Math.max(width, height)).map(({ pose }) => middle(pose));
  return all.filter(([left, top, right, bottom]) => middles.some(([x, y]) => left <= x && x <= right && top <= y && y <= bottom));
}

const middle = (pose) => [0, 1].map((axis) => {
  const values = pose.map((joint) => joint[axis]);
  return (Math.min(...values) + Math.max(...values)) / 2;
});

function tiles(width, height) {
  const starts = [0, 0.4];
  return starts.flatMap((top) => starts.map((left) => [left * width, top * height, (left + 0.6) * width, (top + 0.6) * height]));
}

async function look(network, image, box, longest, least) {
  const [left, top, right, bottom] = box.map(Math.round);
  const scale = longest / Math.max(right - left, bottom - top);
  const size = [right - left, bottom - top].map((side) => Math.max(1, Math.round(side * scale)));
  const [width, height] = size.map((side) => Math.ceil(side / stride) * stride);
  const part = resize(image, left, top, right, bottom, ...size);
  const padded = new Int32Array(3 * width * height);
  for (let y = 0; y < size[1]; y++) padded.set(part.data.subarray(3 * y * size[0], 3 * (y + 1) * size[0]), 3 * y * width);
  const finds = peopleIn(await network(padded, [1, height, width, 3]), least).filter((find) => find.score >= least);
  const across = (right - left) / size[0], down = (bottom - top) / size[1];
  return finds.map(({ pose, score }) => ({ score, pose: pose.map((joint) => [joint[0] * across + left, joint[1] * down + top, joint[2]]) }));
}
