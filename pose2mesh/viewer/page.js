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
let renderer, backdrop, mixer, duration = 0, isDirty = true;

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
  camera.add(light, light.target); // both, or the light would go to the scene's origin wherever one looks from
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
        if (model.colors) {
          node.material = node.material.clone();
          node.material.color.copy(linear(model.colors[meshes.length % model.colors.length]));
        }
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
    const grid = new THREE.GridHelper(20, 40, 0x7d8792, 0xa3acb6);
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
  renderer.setAnimationLoop(tick);
  state.ready = true;
}

// Of all that is shown; of a motion at nine moments, for people who walk leave the box of the first.
function bounds() {
  const box = new THREE.Box3(), moments = mixer ? 8 : 0;
  for (let i = moments; i >= 0; i--) {
    if (mixer) mixer.setTime((0.999 * duration * i) / moments);
    scene.updateMatrixWorld(true);
    enclose(box);
  }
  return box;
}

function enclose(box) {
  const point = new THREE.Vector3();
  for (const mesh of people.flatMap((person) => person.meshes)) {
    const count = mesh.geometry.attributes.position.count;
    for (let i = 0; i < count; i += 8) {
      point.fromBufferAttribute(mesh.geometry.attributes.position, i);
      if (mesh.isSkinnedMesh) mesh.boneTransform(i, point);
      box.expandByPoint(point.applyMatrix4(mesh.matrixWorld));
    }
  }
}

// The photo behind everybody, as large as the camera sees it there.
function hang(box) {
  const { focal, center, size } = result.camera;
  const depth = 1.15 * -box.min.z + 0.3, scale = depth / focal;
  const texture = new THREE.TextureLoader().load(result.photo, () => { isDirty = true; });
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

// A frame is drawn when something moves or was touched: a page that lies open costs nothing.
function tick() {
  const passed = clock.getDelta();
  if (!isDirty && !(mixer && state.isPlaying)) return;
  isDirty = false;
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
