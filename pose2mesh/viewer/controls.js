"use strict";
// What pointers and buttons do on the page of page.js, which is loaded before.

function hits(event, objects) {
  const { clientWidth: width, clientHeight: height } = document.documentElement;
  const ray = new THREE.Raycaster();
  ray.setFromCamera({ x: (2 * event.clientX) / width - 1, y: 1 - (2 * event.clientY) / height }, camera);
  return ray.intersectObjects(objects, false);
}

function click(event) {
  const hit = hits(event, people.flatMap((person) => person.meshes))[0];
  select(hit ? people.findIndex((person) => person.meshes.includes(hit.object)) : null);
  isDirty = true;
  if (hit) look(hit.point);
}

// Turn about a point from now on, without moving away from where the camera is.
function look(point) {
  const away = camera.position.clone().sub(point);
  Object.assign(orbit, { distance: away.length(), yaw: Math.atan2(away.x, away.z), pitch: Math.asin(away.y / away.length()) });
  orbit.target.copy(point);
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
  for (const name of ["pointermove", "pointerdown", "wheel", "click", "input", "resize"]) {
    window.addEventListener(name, () => { isDirty = true; }, true);
  }
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
