// The bodies before the picture, seen by its camera, or turned aside.
import * as THREE from "three";

export class View {
  constructor(canvas, faces, tints) {
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true, preserveDrawingBuffer: true });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.index = new THREE.BufferAttribute(faces, 1);
    this.colors = tints.map((tint) => new THREE.Color().setRGB(...tint, THREE.SRGBColorSpace));
    this.camera = new THREE.PerspectiveCamera(40, 1, 0.05, 200);
    this.turntable = new THREE.Group();
    this.bodies = [];
    this.yaw = 0;
    const light = new THREE.DirectionalLight(0xffffff, 2.2);
    light.position.set(-0.65, 0.6, 0.6);
    this.scene = new THREE.Scene();
    this.scene.add(this.turntable, light, new THREE.HemisphereLight(0xffffff, 0x9a958c, 1.2));
  }

  /** Fit a picture of that size, whose focal length in px is known, into the canvas's box. */
  fit([width, height], focal) {
    const { clientWidth, clientHeight } = this.renderer.domElement;
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    const half = Math.max(height / 2, width / 2 / this.camera.aspect) / focal;
    this.camera.fov = THREE.MathUtils.radToDeg(2 * Math.atan(half));
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  show(people) {
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
    this.draw();
  }

  draw() {
    this.turntable.rotation.y = this.yaw;
    this.renderer.render(this.scene, this.camera);
  }

  newBody() {
    const geometry = new THREE.BufferGeometry();
    const count = this.index.array.reduce((most, value) => Math.max(most, value), 0) + 1;
    geometry.setIndex(this.index);
    geometry.setAttribute("position", new THREE.BufferAttribute(new Float32Array(3 * count), 3).setUsage(THREE.DynamicDrawUsage));
    const body = new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({ roughness: 0.7 }));
    body.scale.set(1, -1, -1); // the picture's axes: y down, z forward
    body.frustumCulled = false;
    this.turntable.add(body);
    return body;
  }
}
