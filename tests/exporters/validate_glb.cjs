// Khronos glTF validator: node validate_glb.cjs MODULES FILE; prints its report as JSON.
const [modules, file] = process.argv.slice(2);
const validator = require(require.resolve("gltf-validator", { paths: [modules] }));
const bytes = new Uint8Array(require("node:fs").readFileSync(file));
validator.validateBytes(bytes).then((report) => console.log(JSON.stringify(report)));
