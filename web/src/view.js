// The picture and the bodies before it on one canvas, seen by the picture's camera, or turned aside.
import * as THREE from "three";
import { Sketch } from "./sketch.js";

const FAR = 150; // metres to the picture, behind everybody
const FADED = 0.15; // what is left of the picture when bodies are turned aside

export class View {
  constructor(canvas, frame, faces, tints) {
    const context = canvas.getContext("webgl2", { alpha: false, antialias: true }), around = getComputedStyle(document.body).backgroundColor;
    this.renderer = new THREE.WebGLRenderer({ canvas, context });
    this.renderer.setClearColor(around);
    this.sketch = isDrawnByProgram(context) ? new Sketch(frame, faces, tints, around.match(/\d+/g).map(Number)) : null;
    this.index = new THREE.BufferAttribute(faces, 1);
    this.colors = tints.map((tint) => new THREE.Color().setRGB(...tint, THREE.SRGBColorSpace));
    this.camera = new THREE.PerspectiveCamera(40, 1, 0.05, 200);
    this.turntable = new THREE.Group();
    this.bodies = [];
    this.yaw = 0;
    this.picture = newPicture();
    const light = new THREE.DirectionalLight(0xffffff, 2.2);
    light.position.set(-0.65, 0.6, 0.6);
    this.scene = new THREE.Scene();
    this.scene.add(this.picture, this.turntable, light, new THREE.HemisphereLight(0xffffff, 0x9a958c, 1.2));
  }

  /** Fit a picture of that size, whose focal length in px is known, into the canvas's box; videos are sketched without a card. */
  fit([width, height], focal, isStill) {
    this.focal = focal;
    this.isSketched = !isStill && this.sketch !== null;
    this.renderer.domElement.hidden = this.isSketched;
    if (this.sketch) this.sketch.brush.canvas.hidden = !this.isSketched;
    if (this.isSketched) return;
    const { clientWidth, clientHeight } = this.renderer.domElement;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    const half = Math.max(height / 2, width / 2 / this.camera.aspect) / focal;
    this.camera.fov = THREE.MathUtils.radToDeg(2 * Math.atan(half));
    this.camera.updateProjectionMatrix();
    this.picture.scale.set((FAR * width) / focal, (FAR * height) / focal, 1);
    this.draw();
  }

  show(image, people) {
    if (this.isSketched) return this.sketch.show(image, people, this.focal, this.yaw, this.isTurned ? FADED : 1);
    const { map } = this.picture.material.uniforms, old = map.value.image;
    if (old.width !== image.width || old.height !== image.height) map.value.dispose();
    map.value.image = image;
    this.picture.visible = true;
    map.value.needsUpdate = true;
    while (this.bodies.length < people.length) this.bodies.push(this.newBody());
    const middle = people.reduce((sum, { place }) => sum.add(new THREE.Vector3(place[0], -place[1], -place[2])), new THREE.Vector3());
    if (people.length) this.turntable.position.copy(middle.divideScalar(people.length));
    for (const [i, body] of this.bodies.entries()) {
      const person = people[i];
      body.visible = Boolean(person);
      if (!person) continue;
      body.geometry.attributes.position.copyArray(person.vertices).needsUpdate = true;
      body.geometry.computeVertexNormals();
      body.material.color.copy(this.colors[person.track % this.colors.length]);
      body.position.set(person.place[0], -person.place[1], -person.place[2]).sub(this.turntable.position);
    }
    this.draw();
  }

  turn(yaw) {
    this.yaw = yaw;
    if (!this.isSketched) this.draw(); // a sketch's next frame is turned
  }

  get isTurned() {
    return Math.abs(this.yaw) >= 0.05;
  }

  draw() {
    this.turntable.rotation.y = this.yaw;
    this.picture.material.transparent = this.isTurned;
    this.picture.material.uniforms.share.value = this.isTurned ? FADED : 1;
    this.renderer.render(this.scene, this.camera);
  }

  newBody() {
    const geometry = new THREE.BufferGeometry();
    const count = this.index.array.reduce((most, value) => Math.max(most, value), 0) + 1;
    geometry.setIndex(this.index);
    geometry.setAttribute("position", new THREE.BufferAttribute(new Float32Array(3 * count), 3).setUsage(THREE.DynamicDrawUsage));
    const body = new THREE.Mesh(geometry, new THREE.MeshLambertMaterial());
    body.scale.set(1, -1, -1); // the picture's axes: y down, z forward
    body.frustumCulled = false;
    this.turntable.add(body);
    return body;
  }
}

/** Whether a program stands in for the graphics card. */
function isDrawnByProgram(context) {
  const names = context.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|software|basic render/i.test(context.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : context.RENDERER));
}

/** A plane behind everything that shows a picture's own colors. */
function newPicture() {
  const map = new THREE.DataTexture(new Uint8Array(4), 1, 1);
  map.magFilter = map.minFilter = THREE.LinearFilter;
  const plane = new THREE.Mesh(new THREE.PlaneGeometry(), new THREE.ShaderMaterial({
    uniforms: { map: { value: map }, share: { value: 1 } },
    vertexShader: "varying vec2 at; void main() { at = vec2(uv.x, 1.0 - uv.y); gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }",
    fragmentShader: "uniform sampler2D map; uniform float share; varying vec2 at; void main() { gl_FragColor = vec4(texture2D(map, at).rgb, share); }",
  }));
  plane.position.z = -FAR;
  plane.renderOrder = 1; // where no body is
  plane.frustumCulled = false;
  plane.visible = false; // until there is one
  return plane;
}
