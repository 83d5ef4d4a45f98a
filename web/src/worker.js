// All computing, away from the page, in two workers: one finds people in pictures, the other gives them meshes meanwhile.
import { aimed, placeOf, turnedBack } from "./camera.js";
import { followerOf } from "./landmarks.js";
import { loadNetworks } from "./networks.js";
import { People } from "./people.js";
import { convert, tables } from "./poses.js";

let networks, people;

const answers = {
  async load({ names }) {
    networks = await loadNetworks(names, (loaded) => postMessage({ loaded }));
    if (networks.landmarks) people = new People({ ...networks, follower: await followerOf(networks) });
    if (networks.mesh) await recover([tables.mirror.map((_, i) => [i, i * i, 1])], [640, 480]); // the first call is slow
    return { names: tables.jointNames, tints: tables.tints, focal: tables.focal };
  },
  async frame({ image, isStill, isFirst }) {
    if (isFirst) people.forget();
    const found = await (isStill ? people.inPicture(image) : people.inFrame(image));
    return { found: found.map(({ joints, track }, i) => ({ keypoints: joints, track: track ?? i })), image };
  },
  recover({ keypoints, size }) {
    return recover(keypoints, size);
  },
};

/** Meshes and joints, metres in the axes of the camera, of people's 33 joints in a picture of that size. */
async function recover(keypoints, size) {
  const usable = keypoints.map((pose) => aimed(convert(pose, tables.toNetwork), size));
  if (!usable.length) return [];
  const input = Float32Array.from(usable.flatMap(({ pose }) => pose.flat()));
  const [vertices, joints] = await networks.mesh(input, [usable.length, usable[0].pose.length, 3]);
  const part = ({ data, dims }, i) => data.slice(i * dims[1] * 3, (i + 1) * dims[1] * 3);
  return usable.map(({ turn }, i) => {
    const own = turnedBack(part(joints, i), turn), seen = convert(convert(keypoints[i], tables.toNetwork), tables.toOutput);
    return { vertices: turnedBack(part(vertices, i), turn), joints: own, place: placeOf(own, seen, size) };
  });
}

async function take({ id, task, ...given }) {
  try {
    const answer = await answers[task](given);
    const heavy = Array.isArray(answer) ? answer.map((body) => body.vertices) : answer.image ? [answer.image.data] : [];
    postMessage({ id, answer }, heavy.map((array) => array.buffer));
  } catch (error) {
    postMessage({ id, error: String(error.message || error) });
  }
}

let last = Promise.resolve(); // one after another: people are followed from frame to frame
onmessage = ({ data }) => (last = last.then(() => take(data)));
