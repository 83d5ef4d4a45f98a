"use strict";
// The page of a result: meshes before the photo they were found in. Metres, y up, the photo's camera at the origin.

const result = JSON.parse(document.getElementById("result").textContent);
const at = (id) => document.getElementById(id);
const scene = new THREE.Scene();
const camera = new THREE.PerspectiveCamera(40, 1, 0.01, 500);
const light = new THREE.DirectionalLight(0xffffff, 0.75);
const people = []; // one of each model: { group, meshes, spheres, model }
const clock = new THREE.Clock();
const orbit = { target: new THREE.Vector3(0, 0, -3), yaw: 0, pitch: 0, distance: 3 };
const state = { ready: false, selected: null, isPlaying: true, home: null, errors: [] };
let renderer, backdrop, mixer, duration = 0;

function main() {
  try {
    renderer = new THREE.WebGLRenderer({ canvas: at("view"), antialias: true, preserveDrawingBuffer: true });
  } catch (error) {
    return notice("This browser shows no 3D: it has no WebGL, or it is switched off.");
  }
  renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
  renderer.outputEncoding = THREE.sRGBEncoding;
  scene.background = new THREE.Color(0xeceff2).convertSRGBToLinear();
  light.position.set(-0.65, 0.6, 0.6);
  camera.add(light);
  scene.add(camera, new THREE.HemisphereLight(0xffffff, 0x9a958c, 0.5));
  Promise.all(result.models.map(load)).then(start, (error) => notice(`The meshes cannot be read: ${error.message || error}`));
}

function notice(text) {
  state.errors.push(text);
  at("notice").textContent = text;
  at("notice").hidden = false;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function linear(color) {
  return new THREE.Color(...color).convertSRGBToLinear();
}

function load(model, index) {
  return new Promise((resolve, reject) => {
    new THREE.GLTFLoader().parse(bytes(model.glb).buffer, "", (gltf) => {
      const group = gltf.scene, meshes = [];
      group.position.set(...(model.place || [0, 0, 0]));
      group.traverse((node) => {
        if (!node.isMesh) return;
        node.frustumCulled = false; // a skinned mesh leaves the box of its rest pose
        if (model.color) node.material = node.material.clone();
        if (model.color) node.material.color.copy(linear(model.color));
        meshes.push(node);
      });
      if (gltf.animations.length) {
        mixer = new THREE.AnimationMixer(group);
        for (const clip of gltf.animations) {
          mixer.clipAction(clip).play();
          duration = Math.max(duration, clip.duration);
        }
      }
      people[index] = { group, meshes, spheres: spheres(model, group), model };
      scene.add(group);
      resolve();
    }, reject);
  });
}

// Each joint as a dot, and around it a sphere whose radius is one standard deviation.
function spheres(model, group) {
  const joints = new THREE.Group(), made = [];
  joints.visible = false;
  for (const [i, point] of (model.joints ? model.joints.points : []).entries()) {
    const deviation = model.joints.uncertainty ? model.joints.uncertainty[i] : null;
    const isSeen = !model.joints.seen || model.joints.seen[i];
    const color = isSeen ? 0x2f6fd0 : 0xd0702f;
    const dot = new THREE.Mesh(new THREE.SphereGeometry(0.012, 16, 12), new THREE.MeshBasicMaterial({ color }));
    const parts = [dot];
    if (deviation) {
      const material = new THREE.MeshBasicMaterial({ color, transparent: true, opacity: 0.25, depthWrite: false });
      parts.push(new THREE.Mesh(new THREE.SphereGeometry(deviation, 24, 16), material));
    }
    const spread = deviation ? ` ± ${Math.round(1000 * deviation)} mm` : "";
    for (const part of parts) {
      part.position.set(...point);
      part.userData.tip = model.joints.names[i].replaceAll("_", " ") + spread + (isSeen ? "" : ", not seen");
      joints.add(part);
    }
    made.push(...parts);
  }
  group.add(joints);
  return { group: joints, made };
}

function start() {
  if (mixer) mixer.setTime(0);
  scene.updateMatrixWorld(true);
  const box = bounds();
  const center = box.getCenter(new THREE.Vector3());
  if (result.camera && result.camera.size) {
    orbit.target.set(0, 0, center.z); // on the camera's axis, so that the first drag does not jump
    orbit.distance = -center.z;
  } else {
    orbit.target.copy(center);
    orbit.distance = 1.4 * box.getSize(new THREE.Vector3()).length();
  }
  if (result.photo) hang(box);
  if (mixer) {
    const grid = new THREE.GridHelper(20, 40, 0x9aa3ad, 0xc4cad1);
    grid.position.y = box.min.y;
    scene.add(grid);
    at("time").hidden = false;
    at("frame").max = duration;
  }
  at("photo").hidden = !result.photo;
  at("joints").hidden = !people.some((person) => person.spheres.made.length);
  state.home = { ...orbit, target: orbit.target.clone() };
  listen();
  select(null);
  resize();
  renderer.setAnimationLoop(draw);
  draw();
  state.ready = true;
}

function bounds() {
  const box = new THREE.Box3(), point = new THREE.Vector3();
  for (const mesh of people.flatMap((person) => person.meshes)) {
    const count = mesh.geometry.attributes.position.count;
    for (let i = 0; i < count; i += 8) {
      if (mesh.isSkinnedMesh) mesh.boneTransform(i, point);
      else point.fromBufferAttribute(mesh.geometry.attributes.position, i);
      box.expandByPoint(point.applyMatrix4(mesh.matrixWorld));
    }
  }
  return box;
}

// The photo behind everybody, as large as the camera sees it there.
function hang(box) {
  const { focal, center, size } = result.camera;
  const depth = 1.15 * -box.min.z + 0.3, scale = depth / focal;
  const texture = new THREE.TextureLoader().load(result.photo);
  texture.encoding = THREE.sRGBEncoding;
  const material = new THREE.MeshBasicMaterial({ map: texture, side: THREE.DoubleSide });
  backdrop = new THREE.Mesh(new THREE.PlaneGeometry(size[0] * scale, size[1] * scale), material);
  backdrop.position.set((size[0] / 2 - center[0]) * scale, (center[1] - size[1] / 2) * scale, -depth);
  scene.add(backdrop);
}

function resize() {
  const { clientWidth: width, clientHeight: height } = document.documentElement;
  renderer.setSize(width, height, false);
  camera.aspect = width / height;
  if (result.camera && result.camera.size) {
    const { focal, size } = result.camera; // the whole photo fits
    const half = Math.max(size[1] / 2, size[0] / 2 / camera.aspect) / focal;
    camera.fov = THREE.MathUtils.radToDeg(2 * Math.atan(half));
  }
  camera.updateProjectionMatrix();
}

function draw() {
  const passed = clock.getDelta();
  if (mixer && state.isPlaying) mixer.setTime((mixer.time + passed) % Math.max(duration, 1e-6));
  if (mixer) {
    at("clock").textContent = `${mixer.time.toFixed(2)} / ${duration.toFixed(2)} s`;
    at("frame").value = mixer.time;
  }
  const flat = Math.cos(orbit.pitch);
  const offset = new THREE.Vector3(Math.sin(orbit.yaw) * flat, Math.sin(orbit.pitch), Math.cos(orbit.yaw) * flat);
  camera.position.copy(orbit.target).addScaledVector(offset, orbit.distance);
  camera.lookAt(orbit.target);
  renderer.render(scene, camera);
}

function select(index) {
  state.selected = index;
  for (const [i, person] of people.entries()) {
    for (const mesh of person.meshes) mesh.material.emissive.setScalar(i === index ? 0.12 : 0);
  }
  const chosen = people[index], model = chosen && chosen.model;
  const count = chosen ? chosen.meshes[0].geometry.attributes.position.count : 0;
  at("facts").textContent = chosen
    ? `${model.name}, ${count} vertices` + (model.score ? `, score ${model.score}` : "")
    : `${people.length} ${people.length === 1 ? "model" : "models"}; drag to turn, scroll to zoom, click to choose`;
}

function hits(event, objects) {
  const { clientWidth: width, clientHeight: height } = document.documentElement;
  const ray = new THREE.Raycaster();
  ray.setFromCamera({ x: (2 * event.clientX) / width - 1, y: 1 - (2 * event.clientY) / height }, camera);
  return ray.intersectObjects(objects, false);
}

function click(event) {
  const hit = hits(event, people.flatMap((person) => person.meshes))[0];
  select(hit ? people.findIndex((person) => person.meshes.includes(hit.object)) : null);
}

function hover(event) {
  const shown = people.filter((person) => person.spheres.group.visible).flatMap((person) => person.spheres.made);
  const hit = shown.length ? hits(event, shown)[0] : null;
  at("tip").hidden = !hit;
  if (!hit) return;
  at("tip").textContent = hit.object.userData.tip;
  at("tip").style.left = `${event.clientX}px`;
  at("tip").style.top = `${event.clientY}px`;
}

function listen() {
  const view = at("view"), pointers = new Map();
  let moved = 0;
  window.addEventListener("resize", resize);
  view.addEventListener("contextmenu", (event) => event.preventDefault());
  view.addEventListener("pointerdown", (event) => {
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, event);
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return hover(event);
    const x = event.clientX - last.clientX, y = event.clientY - last.clientY;
    moved += Math.abs(x) + Math.abs(y);
    if (pointers.size === 2) {
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      const gap = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      zoom(gap(last) / Math.max(gap(event), 1));
    } else if (event.shiftKey || event.buttons === 2) pan(x, y);
    else turn(x, y);
    pointers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    view.addEventListener(name, (event) => {
      if (pointers.delete(event.pointerId) && name === "pointerup" && moved < 4) click(event);
    });
  }
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(0.001 * event.deltaY));
  }, { passive: false });
  toggle("photo", (isOn) => { if (backdrop) backdrop.visible = isOn; });
  toggle("mesh", (isOn) => people.forEach((person) => person.meshes.forEach((mesh) => { mesh.visible = isOn; })));
  toggle("joints", (isOn) => people.forEach(({ spheres: { group }, meshes }) => {
    group.visible = isOn;
    for (const { material } of meshes) Object.assign(material, { transparent: isOn, opacity: isOn ? 0.45 : 1, needsUpdate: true });
  }));
  toggle("play", (isOn) => {
    state.isPlaying = isOn;
    at("play").textContent = isOn ? "Pause" : "Play";
  });
  at("side").addEventListener("click", () => { orbit.yaw += Math.PI / 2; });
  at("home").addEventListener("click", () => Object.assign(orbit, state.home, { target: state.home.target.clone() }));
  at("save").addEventListener("click", save);
  at("frame").addEventListener("input", () => {
    if (state.isPlaying) at("play").click();
    mixer.setTime(Number(at("frame").value));
  });
}

function turn(x, y) {
  orbit.yaw -= 0.008 * x;
  orbit.pitch = Math.min(1.5, Math.max(-1.5, orbit.pitch + 0.008 * y));
}

function zoom(factor) {
  orbit.distance = Math.min(200, Math.max(0.1, orbit.distance * factor));
}

function pan(x, y) {
  const metres = (2 * orbit.distance * Math.tan(THREE.MathUtils.degToRad(camera.fov / 2))) / document.documentElement.clientHeight;
  orbit.target.add(new THREE.Vector3(-x * metres, y * metres, 0).applyQuaternion(camera.quaternion));
}

function toggle(id, act) {
  at(id).addEventListener("click", () => {
    const isOn = at(id).getAttribute("aria-pressed") !== "true";
    at(id).setAttribute("aria-pressed", String(isOn));
    act(isOn);
  });
}

function save() {
  const { model } = people[state.selected || 0];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes(model.glb)], { type: "model/gltf-binary" }));
  link.download = `${result.title} ${model.name}.glb`.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

window.pose2mesh = state; // what tests and other scripts may look at
main();
