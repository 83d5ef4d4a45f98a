// Bundle the page and its worker, with the tables that come as JSON by the standard input, into the folder given, beside
// what tools/assets/build_web.py writes there.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const out = process.argv[2];
await build({
  entryPoints: { page: "src/page.js", worker: "src/worker.js" },
  outdir: out,
  bundle: true,
  define: { TABLES: readFileSync(0, "utf8") },
  minify: true,
  format: "esm",
  target: ["chrome94", "firefox114", "safari16.4"],
  legalComments: "eof",
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "offline.js"]) copyFileSync(name, join(out, name));
for (const name of ["LICENSE", "NOTICE"]) copyFileSync(join("..", name), join(out, name));
const runtime = readFileSync("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
writeFileSync(join(out, "data", "runtime.wasm.gz"), gzipSync(runtime, { level: 9 }));
