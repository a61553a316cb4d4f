import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { silent } from "../../src/core/progress.ts";
import { type FloatTensor, sizeOf } from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { featureShiftTuning } from "../../src/repairs/feature-shift-tuning.ts";
import { finePruning } from "../../src/repairs/fine-pruning.ts";
import { ftSam } from "../../src/repairs/ft-sam.ts";
import { nad } from "../../src/repairs/nad.ts";
import { pivotalTuning } from "../../src/repairs/pivotal-tuning.ts";
import type { Checkpoint, Repair } from "../../src/repairs/repair.ts";
import { weightDecay } from "../../src/repairs/weight-decay.ts";
import { testDevice } from "../support/device.ts";
import { inOrder } from "../support/in-order.ts";
import { noise, plainNet } from "../support/networks.ts";
import { tinyNet } from "../train/tiny.ts";

interface GoldenStep {
  readonly loss: number;
  readonly weights: Readonly<Record<string, readonly number[]>>;
}
interface Case {
  readonly learningRate: number;
  readonly steps: readonly GoldenStep[];
}
interface PivotalCase extends Case {
  readonly network: "Tiny" | "Plain";
  readonly batchNorm: "live" | "frozen" | "reinsert";
  readonly slol: "paper" | "released";
  readonly paramDistance: "mean-squared" | "l2";
  readonly lambdaS: number;
  readonly lambdaP: number;
}
/** A repair without anything of its own in the form of its case. */
interface PlainCase extends Pick<Case, "steps"> {
  readonly network: "Tiny" | "Plain";
  readonly batchNorm: "live";
  readonly options: object;
}
interface ShiftCase extends Case {
  readonly alpha: number;
  readonly distillation: number;
  readonly temperature: number;
}

function golden<C>(name: string): readonly C[] {
  const text = readFileSync(new URL(`goldens/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly cases: readonly C[] }).cases;
}

const BATCH = 8;
const TRUSTED = noise(Array.from({ length: 3 * BATCH }, (_, i) => (i * i) % 5));
const COMMON = { batchSize: BATCH, checkpointEvery: 1, augment: false, momentum: 0.9 };
// PyTorch's values are float64. Ours are float32, and differences of centroids from Gram matrices cost
// (|C| / |C_i − C_j|)² units in the last place: 500 on these networks, whose classes hardly differ.
const TOLERANCE = 3e-5;

const device = await testDevice();

const context = () => ({ device, random: inOrder(), emit: silent });

async function expectSteps(checkpoints: AsyncIterable<Checkpoint>, expected: Case["steps"]) {
  let at = 0;
  for await (const { step, loss, model } of checkpoints) {
    const wanted = expected[at]!;
    expect(step).toBe(++at);
    expect(Math.abs(loss - wanted.loss), `loss of step ${step}`).toBeLessThan(
      TOLERANCE * Math.max(1, Math.abs(wanted.loss)),
    );
    expect([...model.changes.keys()].sort()).toEqual(Object.keys(wanted.weights).sort());
    for (const [name, tensor] of model.changes) {
      const apart = (tensor as FloatTensor).data.map((v, i) =>
        Math.abs(v - wanted.weights[name]![i]!),
      );
      expect(Math.max(...apart), `${name} after step ${step}`).toBeLessThan(TOLERANCE);
    }
  }
  expect(at).toBe(expected.length);
}

describe("three steps of Pivotal Tuning agree with PyTorch", () => {
  const cases = golden<PivotalCase>("pivotal-tuning");

  async function expectCase(
    { network, learningRate, steps, ...switches }: PivotalCase,
    distance: (model: Classifier) => Readonly<Record<string, unknown>>,
  ) {
    const graph = network === "Tiny" ? tinyNet(8) : plainNet(8);
    const model = await Classifier.fromGraph(graph, device);
    const { batchNorm, slol, lambdaS } = switches;
    const config = pivotalTuning.config.parse({
      ...COMMON,
      ...{ steps: steps.length, learningRate, batchNorm, slol, lambdaS, ...distance(model) },
      ...{ optimiser: "sgd", weightDecay: 0 },
    });
    await expectSteps(pivotalTuning.run(context(), { model, trusted: TRUSTED }, config), steps);
  }

  test.each(
    cases.map(
      (it) =>
        [`${it.network}, batch norm ${it.batchNorm}, ${it.slol}, ${it.paramDistance}`, it] as const,
    ),
  )("%s", (_, it) =>
    expectCase(it, () => ({ paramDistance: it.paramDistance, lambdaP: it.lambdaP })),
  );

  // The weights of the batch norm that is put back count as well.
  const plain = cases.filter(
    (it) => it.paramDistance === "mean-squared" && it.batchNorm === "live",
  );
  test.each(plain)("a mean of squares is the scaled distance with the λ_P of its size", (it) =>
    expectCase(it, ({ weights }) => {
      const count = [...weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
      return { paramDistance: "scaled", lambdaP: (it.lambdaP * 11_173_962) / count };
    }),
  );
});

describe.each([weightDecay, finePruning, nad, ftSam] as Repair[])(
  "three steps of $name agree with PyTorch",
  (repair) => {
    test.each(golden<PlainCase>(repair.name).map((it) => [it.network, it.options, it] as const))(
      "%s, %o",
      async (network, options, { steps, batchNorm }) => {
        const graph = network === "Tiny" ? tinyNet(8) : plainNet(8);
        const model = await Classifier.fromGraph(graph, device);
        const config = repair.config.parse({
          ...COMMON,
          ...options,
          batchNorm,
          steps: steps.length,
        });
        await expectSteps(repair.run(context(), { model, trusted: TRUSTED }, config), steps);
      },
    );
  },
);

describe("two steps of Feature Shift Tuning agree with PyTorch", () => {
  test.each(
    golden<ShiftCase>("feature-shift-tuning").map(
      (it) => [it.alpha, it.distillation, it.temperature, it] as const,
    ),
  )("α %d, distillation %d at temperature %d", async (alpha, distillation, temperature, it) => {
    const model = await Classifier.fromGraph(tinyNet(8), device);
    const { learningRate, steps } = it;
    const config = featureShiftTuning.config.parse({
      ...COMMON,
      ...{ steps: steps.length, learningRate, alpha, distillation, temperature },
      ...{ freshHead: true, batchNorm: "live", weightDecay: 0 },
    });
    await expectSteps(
      featureShiftTuning.run(context(), { model, trusted: TRUSTED }, config),
      steps,
    );
  });
});
