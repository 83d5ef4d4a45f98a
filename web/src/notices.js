// One sentence for everything that the page cannot do here.

// The smallest module with a 128-bit vector: browsers that know it run the networks.
const VECTORS = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);

/** What this browser lacks; nothing where it lacks nothing. */
export function missingParts() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(VECTORS)) return "This browser has no WebAssembly SIMD, which the networks need. Any browser since 2023 has it.";
  if (typeof OffscreenCanvas === "undefined" || typeof DecompressionStream === "undefined") return "This browser is too old: it has no OffscreenCanvas or no DecompressionStream. Any browser since 2023 has them.";
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return "This browser shows no 3D: it has no WebGL 2, or it is switched off.";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return "";
}

const CAMERA = {
  NotAllowedError: "The camera was refused. Allow it in the browser's settings of this page, or choose a file.",
  NotFoundError: "There is no camera here. Choose a file.",
  NotReadableError: "Another program uses the camera. Close it, or choose a file.",
  SecurityError: "Browsers give the camera only to pages that come by https or from this computer (localhost). Choose a file.",
};

export function complaintOf(error, file = "") {
  if (file) return `${file} cannot be read: it is no picture or video that this browser knows, or there is no memory for it.`;
  return CAMERA[error.name] || `This did not work: ${error.message || error}`;
}
