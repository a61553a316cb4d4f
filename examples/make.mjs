/*
 * Makes the example that `antidote demo` audits, by the project's own commands: a small network trained
 * on drawn images of which some carry a trigger, trusted images, and the trigger. Run it after a build:
 *
 *     npm run example
 *
 * A stopped run continues where it was. The training ends with the same network for the same seed,
 * versions and number of threads.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import {
  ATTACKS,
  float32,
  overlayPng,
  proceduralImages,
  Random,
  writeClassFolders,
} from "antidote";

process.chdir(import.meta.dirname);

const SEED = 1;
const ATTACK = { pattern: "checker", size: 4, position: "bottom-right", margin: 2 };

const flags = Object.entries(ATTACK).flatMap(([name, value]) => [`--attack.${name}`, `${value}`]);
const train = `train --data procedural --count 8000 --width 8 --epochs 8 --seed ${SEED} --out build
  --attack badnets --target heart --poisoned 500`.split(/\s+/);
execFileSync(process.execPath, ["../dist/cli/main.js", ...train, ...flags], { stdio: "inherit" });
copyFileSync("build/model.onnx", "suspect.onnx");
copyFileSync("build/train.json", "train.json");

// Other images than those of the training.
const random = Random.fromSeed(SEED).fork("images/trusted");
rmSync("trusted", { recursive: true, force: true });
await writeClassFolders(proceduralImages({ count: 300, random }), "trusted");

// The trigger as a picture: what it makes of black and of white tells colour and opacity.
const { badnets } = ATTACKS;
const geometry = { channels: 3, height: 32, width: 32 };
const about = { geometry, classes: 10, target: 4 };
const { stampTest } = await badnets.run(undefined, about, badnets.config.parse(ATTACK));
const plain = (value) => float32([1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(value));
const stamped = await Promise.all([0, 1].map((value) => stampTest(plain(value), [0])));
const [black, white] = stamped.map(({ data }) => data);
const keep = float32(
  [32, 32],
  white.slice(0, 32 * 32).map((value, at) => value - black[at]),
);
const add = float32([3, 32, 32], black);
writeFileSync("trigger.png", await overlayPng({ kind: "blend", keep, add }));
