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
  if (withTiles && wantsTiles(finds, longest)) {
    for (const box of tiles(image.width, image.height)) found.push(...(await look(network, image, box, tile, hint)));
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

function wantsTiles(finds, longest) {
  const likely = finds.filter((find) => find.score >= hint);
  const least = Math.min(...likely.map((find) => extent(find.pose)), longest);
  return !likely.some((find) => find.score >= sure) || least < small * longest;
}

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
