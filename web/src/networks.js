// onnxruntime compiled to WebAssembly, and the networks, which lie compressed beside the page.
import * as ort from "onnxruntime-web/wasm";

async function unpack(name, onPart) {
  const answer = await fetch(new URL(`data/${name}.gz`, import.meta.url));
  if (!answer.ok) throw new Error(`data/${name}.gz is missing on the server (${answer.status})`);
  const counted = answer.body.pipeThrough(new TransformStream({
    transform(part, controller) {
      onPart(part.length);
      controller.enqueue(part);
    },
  }));
  // A server that says "Content-Encoding: gzip" has the browser unpack it: told by the first two bytes.
  const packed = new Uint8Array(await new Response(counted).arrayBuffer());
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) return packed;
  return new Uint8Array(await whole(name, new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()));
}

/** What comes of a file, or a sentence that says which one is damaged. */
function whole(name, coming) {
  return coming.catch((error) => { throw new Error(`data/${name}.gz is damaged on the server (${error.message})`); });
}

/** Networks by name, each a function of (values, shape) that gives its outputs; `onPart` hears of bytes that came. */
export async function loadNetworks(names, onPart) {
  const [runtime, ...files] = await Promise.all(["runtime.wasm", ...names.map((name) => `${name}.onnx`)].map((name) => unpack(name, onPart)));
  ort.env.wasm.wasmBinary = runtime.buffer;
  ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send
  const networks = {};
  for (const [i, name] of names.entries()) {
    const session = await whole(`${name}.onnx`, ort.InferenceSession.create(files[i], { executionProviders: ["wasm"], logSeverityLevel: 3 }));
    const input = session.inputNames[0], outputs = session.outputNames;
    networks[name] = async (values, shape) => {
      const type = values instanceof Int32Array ? "int32" : "float32";
      const found = await session.run({ [input]: new ort.Tensor(type, values, shape) });
      return outputs.map((output) => found[output]);
    };
  }
  return networks;
}
