/*
 * Measures the example on images that neither training nor audit has seen, and writes
 * results/demo.json: the verdict, accuracy and success of the planted trigger before and after the repair.
 *
 *     npm run example:measure
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { proceduralImages, Random, writeClassFolders } from "antidote";

process.chdir(join(import.meta.dirname, ".."));
const MAIN = "dist/cli/main.js";
const folder = mkdtempSync(join(tmpdir(), "antidote-example-"));
const images = join(folder, "test");
await writeClassFolders(
  proceduralImages({ count: 2000, random: Random.fromSeed(1).fork("images/judge") }),
  images,
);

const out = join(folder, "audit");
const started = performance.now();
const demo = spawnSync(process.execPath, [MAIN, "demo", "--json", "--out", out], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
const seconds = (performance.now() - started) / 1000;
const audit = JSON.parse(demo.stdout);

const evaluate = (model) => {
  const words = ["--images", images, "--trigger", "examples/trigger.png", "--target", "heart"];
  const line = [MAIN, "evaluate", model, ...words, "--json", "--quiet"];
  const { accuracy, attackSuccess } = JSON.parse(
    execFileSync(process.execPath, line, { encoding: "utf8" }),
  );
  return { accuracy, attackSuccess };
};
const record = {
  verdict: audit.verdict,
  targetClass: audit.targetClass,
  score: audit.score,
  before: evaluate("examples/suspect.onnx"),
  after: evaluate(join(out, "repaired.onnx")),
  seconds,
  config: audit.config,
  seed: audit.seed,
  versions: audit.versions,
  hardware: audit.hardware,
  startedAt: audit.startedAt,
};
mkdirSync("results", { recursive: true });
writeFileSync("results/demo.json", `${JSON.stringify(record, null, 2)}\n`);
rmSync(folder, { recursive: true });
console.log(
  record.verdict,
  record.targetClass,
  record.before,
  record.after,
  `${Math.round(seconds)} s`,
);
