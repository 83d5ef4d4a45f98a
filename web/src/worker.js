// All computing, away from the page: pictures in, people with meshes out.
import { placeOf } from "./camera.js";
import { loadNetworks } from "./networks.js";
import { People } from "./people.js";
import { convert, tables } from "./poses.js";

let networks, people;

const answers = {
  async load() {
    let loaded = 0;
    const told = (part) => postMessage({ loaded: (loaded += part) });
    networks = await loadNetworks(["finder", "landmarks", "mesh"], told);
    people = new People(networks);
    await recover([tables.mirror.map((_, i) => [i, i * i, 1])], [640, 480]); // the first call of a network is slow
    return { names: tables.jointNames, tints: tables.tints, focal: tables.focal };
  },
  async frame({ image, isStill, isFirst }) {
    const start = performance.now();
    if (isFirst) people.forget();
    const found = await (isStill ? people.inPicture(image) : people.inFrame(image));
    const detected = performance.now();
    const bodies = await recover(found.map((person) => person.joints), [image.width, image.height]);
    const shown = bodies.map((body, i) => ({ ...body, keypoints: found[i].joints, track: found[i].track ?? i }));
    const times = { detect: detected - start, mesh: performance.now() - detected };
    return { people: shown, image, times };
  },
  recover({ keypoints, size }) {
    return recover(keypoints, size);
  },
};

/** Meshes and joints, metres in the axes of the camera, of people's 33 joints in a picture of that size. */
async function recover(keypoints, size) {
  const usable = keypoints.map((pose) => convert(pose, tables.toNetwork));
  if (!usable.length) return [];
  const input = Float32Array.from(usable.flat(2));
  const [vertices, joints] = await networks.mesh(input, [usable.length, usable[0].length, 3]);
  const part = ({ data, dims }, i) => data.slice(i * dims[1] * 3, (i + 1) * dims[1] * 3);
  return usable.map((pose, i) => {
    const own = part(joints, i);
    return { vertices: part(vertices, i), joints: own, place: placeOf(own, convert(pose, tables.toOutput), size) };
  });
}

async function take({ id, task, ...given }) {
  try {
    const answer = await answers[task](given);
    const bodies = Array.isArray(answer) ? answer : answer.people || [];
    const heavy = bodies.map((body) => body.vertices.buffer);
    postMessage({ id, answer }, answer.image ? [...heavy, answer.image.data.buffer] : heavy);
  } catch (error) {
    postMessage({ id, error: String(error.message || error) });
  }
}

let last = Promise.resolve(); // one after another: people are followed from frame to frame
onmessage = ({ data }) => (last = last.then(() => take(data)));
