/**
 * Exports torchvision's (and timm's) classifiers with both of PyTorch's exporters and compares the
 * gradients of each with PyTorch's: `npm run test:exports [-- NAME ...]`. Needs Python with torch,
 * torchvision, onnx and onnxscript (`PYTHON` names another than python3) and about 5 GB for a while.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const python = process.env["PYTHON"] ?? "python3";
const script = fileURLToPath(new URL("export.py", import.meta.url));
const test = fileURLToPath(new URL("../exports.test.ts", import.meta.url));
const run = (command, args, env = process.env) =>
  spawnSync(command, args, { stdio: "inherit", env }).status ?? 1;

const check = spawnSync(python, ["-c", "import torch, torchvision, onnx, onnxscript"]);
if (check.status !== 0) {
  console.log(`Skipped: "${python}" has no torch, torchvision, onnx and onnxscript (set PYTHON).`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "antidote-exports-"));
try {
  const exported = run(python, [script, folder, ...process.argv.slice(2)]);
  const env = { ...process.env, ANTIDOTE_EXPORTS: folder };
  process.exitCode = exported || run("npx", ["vitest", "run", test], env);
} finally {
  rmSync(folder, { recursive: true });
}
