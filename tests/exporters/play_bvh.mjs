// Plays a BVH in three.js: node play_bvh.mjs MODULES FILE SECONDS; prints the world position of every bone as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, file, seconds] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${modules}/node_modules/three/${name}`).href);
const THREE = await load("build/three.module.js");
const { BVHLoader } = await load("examples/jsm/loaders/BVHLoader.js");

const { skeleton, clip } = new BVHLoader().parse(readFileSync(file, "utf8"));
const root = skeleton.bones[0];
const mixer = new THREE.AnimationMixer(root);
mixer.clipAction(clip).play();
mixer.setTime(Number(seconds));
root.updateMatrixWorld(true);
const places = skeleton.bones.map((bone) => [bone.name, bone.getWorldPosition(new THREE.Vector3()).toArray()]);
console.log(JSON.stringify({ duration: clip.duration, places: Object.fromEntries(places) }));
