// Plays a GLB in three.js: node play_glb.mjs MODULES FILE SECONDS OUT; writes the skinned vertices of every mesh as float32.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, file, seconds, out] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${modules}/node_modules/three/${name}`).href);
globalThis.self = globalThis;
const THREE = await load("build/three.module.js");
const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");

const bytes = readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const gltf = await new GLTFLoader().parseAsync(buffer, "");
const mixer = new THREE.AnimationMixer(gltf.scene);
for (const clip of gltf.animations) mixer.clipAction(clip).play();
mixer.setTime(Number(seconds));
gltf.scene.updateMatrixWorld(true);
const points = [];
gltf.scene.traverse((mesh) => {
  if (!mesh.isSkinnedMesh) return;
  mesh.skeleton.update();
  const vertex = new THREE.Vector3();
  for (let i = 0; i < mesh.geometry.attributes.position.count; i++) {
    mesh.getVertexPosition(i, vertex);
    points.push(...vertex.applyMatrix4(mesh.matrixWorld).toArray());
  }
});
writeFileSync(out, Buffer.from(new Float32Array(points).buffer));
