/**
 * Makes training steps of a classifier made of CLIP ViT-B/32 at full size, with random weights: how long one takes, and
 * how much memory the two processes need at most. `npm run build` first.
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { describeHardware, describeVersions } from "../../dist/audit/describe.js";
import { int64, sizeOf } from "../../dist/core/tensor.js";
import { Classifier } from "../../dist/models/classifier.js";
import { clipClassifier } from "../../dist/models/clip/classifier.js";
import { CLIP_CONFIG } from "../../dist/models/clip/config.js";
import { imageParameters } from "../../dist/models/clip/parameters.js";
import { openDevice } from "../../dist/runtime/process-device.js";
import { sgd } from "../../dist/train/optimisers.js";
import { compileStep } from "../../dist/train/step.js";
import { trainingStep } from "../../dist/train/training-step.js";
import { filled, randomWeights } from "./random-weights.mjs";

const HELP = `node bench/clip/step.mjs [options]

  --batch N      images per step (128)
  --classes N    classes of the head (1000)
  --steps N      steps (2)
  --threads N    threads (2)
  --out FILE     writes the record to a file, too
`;

const PREPROCESSING = {
  range: "0-1",
  channels: "rgb",
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
};

const { values: flags } = parseArgs({
  options: {
    batch: { type: "string", default: "128" },
    classes: { type: "string", default: "1000" },
    steps: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  process.stdout.write(HELP);
} else {
  const numbers = Object.entries(flags).filter(([name]) => name !== "out" && name !== "help");
  const record = await measured(
    Object.fromEntries(numbers.map(([name, it]) => [name, Number(it)])),
  );
  const text = `${JSON.stringify(record, null, 2)}\n`;
  if (flags.out) writeFileSync(flags.out, text);
  process.stdout.write(text);
}

async function measured({ batch, classes, steps, threads }) {
  const load = loadavg()[0];
  const device = await openDevice({ name: "cpu", threads });
  try {
    return { ...(await timed(device, { batch, classes, steps })), load };
  } finally {
    await device.close();
  }
}

async function timed(device, { batch, classes, steps }) {
  const classifier = await untrained(device, classes);
  const parameters = [...classifier.weights.values()].reduce(
    (sum, it) => sum + sizeOf(it.shape),
    0,
  );
  // As Table IV of the paper trains on ImageNet.
  const optimiser = sgd({ momentum: 0.9, weightDecay: 1e-4 });
  const step = await compileStep(device, await trainingStep(classifier, batch, optimiser, 0));
  const { height, width } = classifier.image;
  const images = filled([batch, 3, height, width], 0, 1);
  const labels = int64(Array.from({ length: batch }, (_, i) => i % classes));
  const seconds = [];
  const losses = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    losses.push((await step.run({ images, labels }, 1e-4)).loss);
    seconds.push((performance.now() - start) / 1000);
  }
  const main = process.resourceUsage().maxRSS * 1024;
  const computing = await device.peakMemory();
  return {
    network: "CLIP ViT-B/32, image tower and head, random weights",
    batch,
    classes,
    parameters,
    losses,
    seconds,
    // Of either process at its own worst moment; together they need at most the sum.
    peakMemory: { main, computing, sum: main + computing },
    versions: describeVersions(),
    hardware: describeHardware(device),
  };
}

/** The network of `openai/clip-vit-base-patch32`, whose configuration consists of defaults. */
async function untrained(device, classes) {
  const shape = CLIP_CONFIG.parse({ model_type: "clip" });
  const parameters = randomWeights(imageParameters(shape));
  const head = filled([classes, shape.projection], -1, 1);
  return Classifier.fromGraph(clipClassifier(shape, parameters, head, PREPROCESSING), device);
}
