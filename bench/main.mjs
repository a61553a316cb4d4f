/**
 * Times a full training step and a trigger-inversion step of ResNet-18 with the stem for small images,
 * beside the same work in PyTorch where Python has it. Both sides take turns, so that what else the
 * machine does meets both; a ratio is formed within each turn. Where other programs keep the processors
 * busy, the ratio of processor time says more than that of elapsed time. Afterwards it times how long every
 * attack takes to mark a batch of training images.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { describeHardware, describeVersions } from "../dist/audit/describe.js";
import { openDevice } from "../dist/runtime/process-device.js";
import { median, medianWithInterval, Stopwatch } from "./measure.mjs";
import { stampingShares } from "./stamping.mjs";
import { openSteps } from "./steps.mjs";
import { Torch } from "./torch.mjs";

const HELP = `npm run bench -- [options]

  --width N      channels of the first stage (64)
  --batch N      images per step (128)
  --repeats N    turns that are timed, after warm-up (10)
  --threads N    threads of both sides (all processors)
  --python PATH  interpreter that has torch (python3)
  --json         one JSON document on stdout
  --out FILE     write it to a file, too
`;

const WORKS = ["training", "inversion"];
const LAYOUTS = ["contiguous", "channels_last"];
/** Untimed steps of each kind: the first ones allocate memory and pack weights. */
const WARM_UP = 2;
/** Timed steps by which PyTorch's memory layout is chosen. */
const TRIALS = 3;

const { values: flags } = parseArgs({
  options: {
    width: { type: "string", default: "64" },
    batch: { type: "string", default: "128" },
    repeats: { type: "string", default: "10" },
    threads: { type: "string", default: String(availableParallelism()) },
    python: { type: "string", default: "python3" },
    json: { type: "boolean", default: false },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  process.stdout.write(HELP);
} else {
  const record = await bench({
    width: whole("width"),
    batch: whole("batch"),
    repeats: whole("repeats"),
    threads: whole("threads"),
  });
  const text = `${JSON.stringify(record, null, 2)}\n`;
  if (flags.out) {
    mkdirSync(dirname(flags.out), { recursive: true });
    writeFileSync(flags.out, text);
  }
  process.stdout.write(flags.json ? text : summary(record));
}

function whole(name) {
  const value = Number(flags[name]);
  if (!Number.isInteger(value) || value < 1) {
    process.stderr.write(`--${name} takes a whole number from 1 on.\n`);
    process.exit(4);
  }
  return value;
}

async function bench(config) {
  const device = await openDevice({ name: "cpu", threads: config.threads });
  try {
    return await benchOn(device, config);
  } finally {
    await device.close();
  }
}

async function benchOn(device, config) {
  const steps = await openSteps(device, config);
  const torch = await Torch.open(flags.python, config);
  const loadBefore = loadavg()[0];
  const results = {};
  for (const work of WORKS) {
    results[work] = await measure(work, steps[work], torch, config.repeats, device.pid);
  }
  torch?.close();
  return {
    ...results,
    stamping: await stampingShares(device, config, results.training.seconds),
    config: { ...config, model: "resnet18", image: [3, 32, 32], type: "float32" },
    machine: { ...describeHardware(device), load: { before: loadBefore, after: loadavg()[0] } },
    versions: { ...describeVersions(), torch: torch?.version ?? null },
    date: new Date().toISOString(),
  };
}

async function measure(work, { flop, run }, torch, repeats, pid) {
  for (let i = 0; i < WARM_UP; i++) await run();
  const layout = torch && (await fasterLayout(work, torch));
  const turns = [];
  for (let i = 0; i < repeats; i++) {
    process.stderr.write(`${work} ${i + 1}/${repeats}\n`);
    const stopwatch = new Stopwatch(pid);
    await run();
    turns.push({ ours: stopwatch.read(), torch: torch && (await torch.step(work, layout)) });
  }
  const seconds = medianWithInterval(turns.map(({ ours }) => ours.seconds));
  const cpuSeconds = median(turns.map(({ ours }) => ours.cpuSeconds));
  return {
    seconds: seconds.value,
    secondsInterval: [seconds.low, seconds.high],
    cpuSeconds,
    gflops: flop / seconds.value / 1e9,
    flop,
    ...(torch ? ratios(turns) : { ratio: null, ratioInterval: null, cpuRatio: null }),
    torch: torch
      ? {
          layout,
          seconds: median(turns.map((turn) => turn.torch.seconds)),
          cpuSeconds: median(turns.map((turn) => turn.torch.cpuSeconds)),
        }
      : null,
    turns,
  };
}

/** PyTorch's time divided by ours, turn by turn. */
function ratios(turns) {
  const elapsed = medianWithInterval(turns.map(({ ours, torch }) => torch.seconds / ours.seconds));
  const cpu = medianWithInterval(
    turns.map(({ ours, torch }) => torch.cpuSeconds / ours.cpuSeconds),
  );
  return {
    ratio: elapsed.value,
    ratioInterval: [elapsed.low, elapsed.high],
    cpuRatio: cpu.value,
    cpuRatioInterval: [cpu.low, cpu.high],
  };
}

/** PyTorch is measured in the memory layout that suits it better. */
async function fasterLayout(work, torch) {
  const medians = new Map();
  for (const layout of LAYOUTS) {
    for (let i = 0; i < WARM_UP; i++) await torch.step(work, layout);
    const times = [];
    for (let i = 0; i < TRIALS; i++) times.push((await torch.step(work, layout)).cpuSeconds);
    medians.set(layout, median(times));
  }
  return LAYOUTS.toSorted((a, b) => medians.get(a) - medians.get(b))[0];
}

function summary({ config, machine, versions, stamping, ...results }) {
  const range = ([low, high]) => `[${low.toFixed(2)}, ${high.toFixed(2)}]`;
  const lines = WORKS.map((work) => {
    const { seconds, gflops, torch, ...ratio } = results[work];
    const ours = `${work.padEnd(9)}  ${seconds.toFixed(3)} s  ${gflops.toFixed(0)} GFLOP/s`;
    if (!torch) return ours;
    return [
      ours,
      `PyTorch ${torch.seconds.toFixed(3)} s (${torch.layout})`,
      `ratio ${ratio.ratio.toFixed(2)} ${range(ratio.ratioInterval)}`,
      `of processor time ${ratio.cpuRatio.toFixed(2)} ${range(ratio.cpuRatioInterval)}`,
    ].join("  ");
  });
  const marking = Object.entries(stamping).map(
    ([name, { seconds, share }]) =>
      `${name} ${(1000 * seconds).toFixed(0)} ms (${(100 * share).toFixed(1)} %)`,
  );
  const { width, batch, repeats, threads } = config;
  const { before, after } = machine.load;
  const torch = versions.torch ? `PyTorch ${versions.torch}` : "no PyTorch found (--python PATH)";
  return [
    `ResNet-18, width ${width}, batch ${batch}, float32; ${threads} threads on ${machine.cores} processors ${machine.cpu}`,
    ...lines,
    `marking a batch, as a share of a training step: ${marking.join(", ")}`,
    `medians of ${repeats} turns; ratio = PyTorch's time / ours, 95 % interval; ${torch}; load ${before.toFixed(1)} before, ${after.toFixed(1)} after`,
    "",
  ].join("\n");
}
