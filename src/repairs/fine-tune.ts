import { gradients } from "../autodiff/gradients.ts";
import { once } from "../core/once.ts";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32, type Tensor, toNumbers } from "../core/tensor.ts";
import { augment, mixPairs } from "../data/augment.ts";
import { batchTensors, count, type ImageSet } from "../data/images.ts";
import type { Classifier, Outputs, Weights } from "../models/classifier.ts";
import { batchFor } from "../models/memory.ts";
import { ReinsertedBatchNorm } from "../models/reinserted-batch-norm.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { correct } from "../train/losses.ts";
import type { Optimiser } from "../train/optimisers.ts";
import { inParts } from "../train/parts.ts";
import type { Schedule } from "../train/schedules.ts";
import { compileStep } from "../train/step.ts";
import { tunedNetwork } from "../train/tuned-network.ts";
import { RateGovernor } from "./rate-governor.ts";
import type { Checkpoint, RepairInput } from "./repair.ts";
import { notePartsOf, type Pace, tuningSteps } from "./tuning-steps.ts";

/** What a repair's loss may use. */
export interface LossTerms {
  /** The model under repair, on the (possibly stamped) images. */
  readonly student: Tapped;
  /**
   * The suspect, or the plan's teacher in its place, frozen and in evaluation mode, on the images without
   * a stamp. Only computed if something asks for it.
   */
  readonly pivot: Tapped;
  /** True labels, [N]. */
  readonly labels: Value;
  /** A trained tensor before the step, by name. */
  weight(name: string): Value;
  /** Its value in the suspect, a constant. */
  pivotWeight(name: string): Value;
  /** Names of all trained tensors. */
  readonly names: readonly string[];
}

/** A trained tensor before the step, and the slope of the loss there. */
export interface SlopedWeight {
  readonly name: string;
  readonly weight: Value;
  readonly slope: Value;
}

/** What a network says, and every tensor inside it by its name in the graph. */
interface Tapped extends Outputs {
  readonly tensor: (name: string) => Value;
}

/** What distinguishes one repair by fine-tuning from another. */
export interface FineTunePlan extends Pace {
  readonly schedule: Schedule;
  readonly optimiser: Optimiser;
  /** Random crop and flip. */
  readonly augment: boolean;
  /** "live": batch statistics where the graph has batch norm. "reinsert": also where it was folded. "frozen": neither. */
  readonly batchNorm: "live" | "reinsert" | "frozen";
  /** Whether the rate of the schedule is only approached as far as clean images keep their answers. */
  readonly governed?: boolean;
  /** Share of the images that another one of the batch shines through, for both models; default 0. */
  readonly mixed?: number;
  /** The model that the one under repair is compared with, where it is not the suspect. */
  readonly teacher?: Classifier;
  /** Start values that differ from the suspect's, e.g. a fresh head. */
  readonly start?: Weights;
  /**
   * Changes some of the augmented images before the model under repair sees them; the suspect sees them
   * unchanged. A backdoor may work at one place only, so nothing moves a trigger afterwards.
   * @param step from 1 on
   */
  stamp?(images: FloatTensor, random: Random, step: number): FloatTensor;
  loss(b: GraphBuilder, terms: LossTerms): Value;
  /**
   * Where the slope is taken instead of at the weights themselves, which it then moves (sharpness-aware tuning).
   * Running statistics are those at the weights themselves.
   * @returns a value of the same shape for every trained tensor, by name
   */
  lookAhead?(b: GraphBuilder, weights: readonly SlopedWeight[]): ReadonlyMap<string, Value>;
  /** Maps a trained tensor after its update. */
  project?(b: GraphBuilder, name: string, updated: Value): Value;
}

/**
 * The loop that all repairs by fine-tuning share: batches of augmented trusted images, the model under
 * repair beside the frozen suspect in one graph, and a stream of checkpoints. Where a budget of memory divides a step,
 * what is a statistic of the batch (batch norm, the centroids of SLOL, where sharpness-aware tuning looks ahead) is one of a part.
 * @throws `DIVERGED` if the loss is no longer finite; the checkpoints before remain valid
 */
export async function* fineTune(
  context: RunContext,
  { model, trusted }: RepairInput,
  plan: FineTunePlan,
): AsyncGenerator<Checkpoint> {
  const { device, signal } = context;
  const teacher = plan.teacher ?? model;
  const wanted = Math.min(plan.batchSize, count(trusted));
  // The teacher counts whether or not the loss turns out to ask for it: rather one part too many.
  const { size: batchSize, parts } = await batchFor(
    plan.lookAhead ? [model, model, teacher] : [model, teacher],
    wanted,
    context.memory,
  );
  const rows = batchSize / parts;
  notePartsOf(context, plan.stage, batchSize, parts);
  const frozen = await model.at(rows);
  const still = await teacher.at(rows);
  const norm =
    plan.batchNorm === "reinsert"
      ? await ReinsertedBatchNorm.measure(context, model, trusted)
      : undefined;
  const tuned = tunedNetwork(norm?.apply(frozen) ?? frozen, plan.batchNorm !== "frozen");
  const origin = new Map<string, Tensor>([...model.weights, ...(norm?.parameters ?? [])]);
  const names = [...origin.keys()];

  const step = await compileStep<string>(device, {
    parameters: new Map([...origin, ...(plan.start ?? [])]),
    buffers: tuned.statistics,
    optimiser: plan.optimiser,
    parts,
    ...(plan.project ? { project: plan.project } : {}),
    build(b, at) {
      const shape = [rows, trusted.channels, trusted.height, trusted.width];
      const images = b.input("images", "float32", shape); // [N,C,H,W]
      const seen = plan.stamp ? b.input("stamped", "float32", shape) : images;
      const labels = b.input("labels", "int64", [rows]);
      const pivot = once(() => teacher.append(b, still, images, "pivot/"));
      const known = new Map<string, Value>();
      const pivotWeight = (name: string): Value => {
        const value =
          known.get(name) ??
          // What the suspect's graph holds already is not written a second time.
          (teacher === model && still.constants.has(name)
            ? pivot().tensor(name)
            : b.constant(origin.get(name)!));
        known.set(name, value);
        return value;
      };
      const bound = [...names, ...tuned.statistics.keys()];
      const pass = (prefix: string, weight: (name: string) => Value) => {
        const bindings = Object.fromEntries(bound.map((name) => [name, weight(name)]));
        const student = model.append(b, tuned.network, seen, prefix, bindings);
        const loss = plan.loss(b, {
          ...{ student, labels, names, pivotWeight, weight },
          get pivot() {
            return pivot();
          },
        });
        return { student, loss };
      };
      const { student, loss: here } = pass("student/", at);
      const slopesAt = plan.lookAhead?.(b, sloped(b, here, names, at));
      const loss = slopesAt ? pass("ahead/", (name) => slopesAt.get(name) ?? at(name)).loss : here;
      const updates = new Map([...tuned.updates].map(([name, out]) => [name, student.tensor(out)]));
      const agreement = () => correct(b, student.logits, b.argMax(pivot().logits, 1)); // [N]
      return {
        ...{ loss, updates, metrics: plan.governed ? { agreement: agreement() } : {} },
        ...(slopesAt ? { slopesAt } : {}),
      };
    },
  });

  try {
    const governor = plan.governed ? new RateGovernor() : undefined;
    const reached = tuningSteps(
      context,
      trusted,
      { ...plan, batchSize },
      {
        async take(indices, draws, at) {
          const feeds = feedsOf(trusted, indices, plan, draws, at);
          const rate = plan.schedule(at - 1) * (governor?.share ?? 1);
          const { loss, metrics } = await step.runParts(inParts(feeds, parts), rate, signal);
          const agreements = metrics.map(({ agreement }) => agreement!);
          governor?.observe(meanOfClean(agreements, feeds));
          return loss;
        },
        read: () => step.read(),
      },
    );
    for await (const { step: at, loss, values } of reached) {
      yield { step: at, loss, model: model.withWeights(norm?.fold(values) ?? values) };
    }
  } finally {
    await step.release();
  }
}

function sloped(
  b: GraphBuilder,
  loss: Value,
  names: readonly string[],
  at: (name: string) => Value,
): SlopedWeight[] {
  const slopes = gradients(b, loss, names.map(at));
  return names.map((name, i) => ({ name, weight: at(name), slope: slopes[i]! }));
}

/** The mean of what is known about the images that carry no trigger; 1 if all do. @param parts [N] together */
function meanOfClean(parts: readonly Tensor[], { images, stamped = images }: Feeds): number {
  const known = parts.flatMap((part) => [...toNumbers(part)]);
  const length = images.data.length / known.length;
  const row = ({ data }: FloatTensor, at: number) => data.subarray(at * length, (at + 1) * length);
  const clean = known.filter((_, at) =>
    row(images, at).every((value, i) => value === stamped.data[at * length + i]),
  );
  return clean.length === 0 ? 1 : clean.reduce((sum, v) => sum + v, 0) / clean.length;
}

interface Feeds {
  readonly [name: string]: Tensor;
  readonly images: FloatTensor;
  readonly stamped?: FloatTensor;
}

function feedsOf(
  trusted: ImageSet,
  indices: readonly number[],
  plan: FineTunePlan,
  draws: Random,
  step: number,
): Feeds {
  const { images: plain, labels } = batchTensors(trusted, indices);
  const images = plan.mixed ? mixPairs(plain, plan.mixed, draws.fork("mix")) : plain;
  const { shape, data } = images;
  const shown = float32(shape, plan.augment ? augment(data, trusted, draws.fork("augment")) : data);
  const feeds = { images: shown, labels };
  return plan.stamp ? { ...feeds, stamped: plan.stamp(shown, draws.fork("stamp"), step) } : feeds;
}
