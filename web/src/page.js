// What people touch: camera or file in, picture and bodies out. Nothing leaves the page.
import { complaintOf, missingParts } from "./notices.js";
import { View } from "./view.js";

const LONGEST = 1600, VIDEO = 640; // px: longest side of a photo, and of a camera's frame, that is looked at
const at = (id) => document.getElementById(id);
const state = { ready: false, errors: [], frames: 0, rate: 0, last: null, run: 0 };
window.pose2mesh = state; // what tests and other scripts may look at
const waiting = new Map();
// Not on the graphics card: pixels come back from there ten times slower than the networks wait for them.
const surface = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
let finder, mesher, view, facts, shown = { size: [4, 3], isStill: true }, count = 0, loaded = 0, since, tracks = [];

async function main() {
  const missing = missingParts();
  if (missing) return notice(missing);
  listen();
  try {
    [finder, mesher] = [startWorker(), startWorker()];
    const loads = [ask(finder, "load", { names: ["finder", "landmarks", "light"] }), ask(mesher, "load", { names: ["mesh"] })];
    const [faces, told] = await Promise.all([readFaces(), ...loads]);
    facts = told;
    view = new View(at("bodies"), at("frame"), faces, facts.tints);
    fit();
  } catch (error) {
    return notice(complaintOf(error));
  }
  state.recover = (keypoints, pictureSize) => ask(mesher, "recover", { keypoints, size: pictureSize });
  state.jointNames = facts.names;
  for (const id of ["camera", "file", "turn"]) at(id).disabled = false;
  say("Choose the camera or a file. Pictures stay on this device.");
  state.ready = true;
  if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("offline.js").catch(() => {});
}

async function readFaces() {
  const answer = await fetch(new URL("data/faces.bin.gz", import.meta.url));
  const packed = await answer.blob();
  const stream = answer.headers.get("Content-Encoding") === "gzip" ? packed.stream() : packed.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint16Array(await new Response(stream).arrayBuffer());
}

function startWorker() {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = hear;
  worker.onerror = (event) => notice(`The page's worker cannot start: ${event.message || "is a file missing?"}`);
  return worker;
}

function ask(worker, task, given = {}, transfer = []) {
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    worker.postMessage({ id: count, task, ...given }, transfer);
  });
}

function hear({ data }) {
  if (data.loaded) return say(`Loading the networks: ${((loaded += data.loaded) / 1e6).toFixed(1)} MB`);
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) reject(new Error(data.error));
  else resolve(data.answer);
}

function notice(text) {
  state.errors.push(text);
  at("notice").textContent = text;
  at("notice").hidden = false;
}

function say(text) {
  if (at("facts").textContent !== text) at("facts").textContent = text;
}

async function startCamera() {
  const run = stop();
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: VIDEO }, facingMode: "user" }, audio: false });
    tracks = stream.getVideoTracks();
    if (run !== state.run) return tracks.forEach((track) => track.stop()); // a file was chosen meanwhile
    if (!("MediaStreamTrackProcessor" in window)) return await play(run, { srcObject: stream });
    // Frames as they come: those of a video element lie on the graphics card.
    const frames = new MediaStreamTrackProcessor({ track: tracks[0], maxBufferSize: 1 }).readable.getReader();
    await follow(run, async (how) => {
      const { value: frame } = await frames.read();
      return frame && look(frame, frame.displayWidth, frame.displayHeight, VIDEO, how);
    });
  } catch (error) {
    notice(complaintOf(error));
  }
}

async function openFile(file) {
  const run = stop();
  if (!file) return;
  const url = URL.createObjectURL(file);
  try {
    if (file.type.startsWith("video/")) return await play(run, { src: url, loop: true });
    say("Looking");
    const bitmap = await createImageBitmap(file);
    show(run, await look(bitmap, bitmap.width, bitmap.height, LONGEST, { isStill: true }), true);
  } catch (error) {
    notice(complaintOf(error, file.name));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Stop what runs; the number of what begins. */
function stop() {
  const video = at("video");
  for (const track of tracks) track.stop();
  tracks = [];
  video.srcObject = null;
  video.removeAttribute("src");
  at("notice").hidden = true;
  Object.assign(state, { frames: 0, rate: 0 });
  since = { time: performance.now(), frames: 0 };
  return ++state.run;
}

async function play(run, source) {
  const video = Object.assign(at("video"), source);
  await video.play();
  await follow(run, (how) => look(video, video.videoWidth, video.videoHeight, VIDEO, how));
}

/** Show what `next` finds, frame after frame, until something else begins or there is none. */
async function follow(run, next) {
  say("Looking");
  const coming = [next({ isFirst: true }), next({ isFirst: false })]; // so that the worker need not wait for the next one
  while (run === state.run) {
    const answer = await coming.shift();
    if (!answer) return;
    if (run === state.run) coming.push(next({ isFirst: false }));
    show(run, answer, false);
  }
}

/** Ask the workers for the people of a picture or frame of width x height px, made smaller where a side is longer than `longest`. */
async function look(source, width, height, longest, how) {
  const image = await pixelsOf(source, width, height, Math.min(1, longest / Math.max(width, height)));
  source.close?.();
  const seen = await ask(finder, "frame", { image, ...how }, [image.data.buffer]);
  const bodies = await ask(mesher, "recover", { keypoints: seen.found.map((person) => person.keypoints), size: [seen.image.width, seen.image.height] });
  return { people: bodies.map((body, i) => ({ ...body, ...seen.found[i] })), image: seen.image };
}

async function pixelsOf(source, width, height, scale) {
  const size = [width, height].map((side) => Math.max(1, Math.round(scale * side))), whole = { format: "RGBA" };
  if (scale === 1 && source.copyTo && !source.rotation && source.allocationSize(whole) === 4 * width * height) {
    const image = new ImageData(...size); // from the camera as it is, not by way of a canvas and the graphics card
    await source.copyTo(image.data, whole);
    return image;
  }
  Object.assign(surface.canvas, { width: size[0], height: size[1] });
  if (scale < 1) surface.imageSmoothingQuality = "high";
  surface.drawImage(source, 0, 0, ...size);
  return surface.getImageData(0, 0, ...size);
}

function show(run, answer, isStill) {
  if (run !== state.run) return;
  const size = [answer.image.width, answer.image.height];
  const isOther = size.join() !== shown.size.join() || isStill !== shown.isStill;
  shown = { size, isStill };
  if (isOther) fit();
  state.last = answer;
  state.frames++;
  view.show(answer.image, answer.people);
  const number = answer.people.length, whom = number ? `${number} ${number === 1 ? "person" : "people"}` : "nobody found";
  const now = performance.now(), seconds = (now - since.time) / 1000;
  if (seconds >= 1) {
    state.rate = (state.frames - since.frames) / seconds;
    since = { time: now, frames: state.frames };
  }
  say(isStill || !state.rate ? whom : `${whom}, ${state.rate.toFixed(state.rate < 9.5 ? 1 : 0)} frames a second`);
}

function fit() {
  if (view) view.fit(shown.size, facts.focal * Math.hypot(...shown.size), shown.isStill);
}

function listen() {
  at("camera").addEventListener("click", startCamera);
  at("file").addEventListener("change", () => openFile(at("file").files[0]));
  at("turn").addEventListener("input", () => {
    const yaw = Number(at("turn").value);
    view.turn(yaw);
  });
  window.addEventListener("resize", fit);
}

main();
