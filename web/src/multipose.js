// People in the maps of MoveNet Multipose: pose2mesh/detectors/multipose.py.
import { tables } from "./poses.js";

const { cell, mostPeople, around, spread, counted, widths } = tables;

/** Finds { pose: 17 joints in px of the network's input, score } of centers of a score of `least` or more, best center first. */
export function peopleIn([centers, heat, ways, rests, boxes, shifts], least) {
  const size = centers.dims.slice(1, 3), joints = widths.length, spreads = spread * Math.min(...size);
  const bell = (offset) => Math.exp(-(offset ** 2) / spreads);
  const peaks = highest(centers.data, size).map(({ index, score }) => {
    const at = [Math.floor(index / size[1]), index % size[1]];
    const ends = Array.from({ length: joints }, (_, j) => at.map((value, axis) => value + ways.data[2 * (joints * index + j) + axis]));
    const [low, high] = [-1, 1].map((side) => at.map((value, axis) => value + shifts.data[2 * index + axis] + (side * Math.max(boxes.data[2 * index + axis], 0)) / 2));
    return { score, ends, low, high };
  });
  const claim = ({ ends, low, high }, joint, place) =>
    place.every((value, axis) => value >= low[axis] && value < high[axis]) ? bell(place[0] - ends[joint][0]) * bell(place[1] - ends[joint][1]) : 0;
  return peaks.filter((peak) => peak.score >= least).map((peak) => {
    const [[top, bottom], [left, right]] = size.map((length, axis) => [peak.low, peak.high].map((edge) => Math.min(Math.max(Math.ceil(edge[axis]), 0), length)));
    const pose = peak.ends.map((end, joint) => {
      const across = Float32Array.from({ length: size[1] }, (_, x) => bell(x - end[1]));
      let best = 0, most = 0;
      for (let y = top; y < bottom; y++) {
        const down = bell(y - end[0]);
        for (let x = left; x < right; x++) {
          const likely = heat.data[(y * size[1] + x) * joints + joint] * down * across[x];
          if (likely > most) [best, most] = [y * size[1] + x, likely];
        }
      }
      const place = [Math.floor(best / size[1]), best % size[1]];
      const [y, x] = place.map((value, axis) => cell * (value + rests.data[2 * (joints * best + joint) + axis]));
      return [x, y, heat.data[best * joints + joint] * Math.max(...peaks.map((other) => claim(other, joint, place)))];
    });
    const scores = pose.map((joint) => joint[2]).filter((score) => score > counted);
    return { pose, score: (peak.score * scores.reduce((a, b) => a + b, 0)) / Math.max(scores.length, 1) };
  });
}

/** The highest cells { index, score } of their neighborhoods, best first. */
function highest(values, [height, width]) {
  const peaks = [], reach = (around - 1) / 2;
  for (const [index, score] of values.entries()) {
    const y = Math.floor(index / width), x = index % width;
    let most = score;
    for (let row = Math.max(y - reach, 0); row <= Math.min(y + reach, height - 1); row++) {
      for (let column = Math.max(x - reach, 0); column <= Math.min(x + reach, width - 1); column++) most = Math.max(most, values[row * width + column]);
    }
    if (most - score < 1e-6) peaks.push({ index, score });
  }
  return peaks.sort((a, b) => b.score - a.score).slice(0, mostPeople);
}
