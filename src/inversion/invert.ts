import { invariant, throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { float32, type Tensor, tensor } from "../core/tensor.ts";
import type { FixedTrigger } from "../data/fixed-trigger.ts";
import { batchTensors, count, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { partsOf } from "../models/memory.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Tensors } from "../runtime/device.ts";
import { allFinite, diverged } from "../train/divergence.ts";
import { crossEntropy } from "../train/losses.ts";
import { adam } from "../train/optimisers.ts";
import { compileStep, type Step } from "../train/step.ts";
import type { Adaptation, SizeControl } from "./size-control.ts";
import type { FamilyName, TriggerFamily } from "./trigger-family.ts";

/** What an inversion looks for, and how hard. */
export interface InversionPlan {
  readonly family: TriggerFamily;
  readonly steps: number;
  /** Images per class and step. */
  readonly images: number;
  readonly learningRate: number;
  /** How many classes share a step; they do not influence each other. */
  readonly classesPerStep: number;
  /** Weight of CE(f_suspect(x ⊕ T), c). */
  readonly suspectWeight: number;
  /** Weight of CE(f_repaired(x ⊕ T), y); 0 leaves the repaired model out. */
  readonly repairedWeight: number;
  /** If given, it governs the size of every trigger and says which one is kept; otherwise it is the last. */
  readonly control?: SizeControl;
  /** Weight of the size where nothing governs it; default 0. */
  readonly penalty?: number;
}

/** The trigger found for one class. */
export interface Inverted {
  readonly target: number;
  /** The kind of trigger that was searched. */
  readonly family: FamilyName;
  readonly trigger: FixedTrigger;
  /** Its size as the family measures it. */
  readonly size: number;
  /** Whether there was one that the size control would keep; always true without. */
  readonly reached: boolean;
}

/** Adam's decay rates in the code released with Calibrated Trigger Inversion. */
const BETAS = { beta1: 0.5, beta2: 0.9 };
/**
 * Largest weight of a penalty: one that grows for as long as a trigger works, however small it is, would be infinite after some hundred
 * steps. From about 1e19 on the squares in Adam's memory are infinite and the trigger rests, so the bound decides nothing.
 */
const HEAVIEST = 1e30;
/** Share of the old value in the running average of the success. */
const MEMORY = 0.8;

/**
 * Searches a trigger for every class in `targets`: Adam on
 * w_s·CE(f_suspect(x⊕T), c) + w_r·CE(f_repaired(x⊕T), y) over trusted images x that are not of class c
 * (Lukas & Kerschbaum, Algorithm 4). Both models are evaluated in one graph, several classes per step.
 * @param images trusted images with their true labels y
 * @throws `DIVERGED` if the loss or a trigger is no longer finite; steps are counted over all groups of classes
 */
export async function invertTriggers(
  context: RunContext,
  models: { readonly suspect: Classifier; readonly repaired?: Classifier | undefined },
  images: ImageSet,
  targets: readonly number[],
  plan: InversionPlan,
  stage = "inversion",
): Promise<Inverted[]> {
  const groups = Math.ceil(targets.length / plan.classesPerStep);
  // As even as can be: what a last group lacks would be computed in vain.
  const width = Math.ceil(targets.length / groups);
  const parts = await partsFor(context, models, width, plan);
  const step = await compileInversion(context, models, images, width, plan, parts);
  try {
    const found: Inverted[] = [];
    for (let g = 0; g < groups; g++) {
      // A last group that is not full repeats its first class; the repetitions are dropped.
      const group = targets.slice(g * width, (g + 1) * width);
      const padded = Array.from({ length: width }, (_, m) => group[m] ?? group[0]!);
      const random = context.random.fork(`inversion/${plan.family.name}/${group.join(",")}`);
      const search = new Search(step, plan, images, padded, parts, random);
      await search.start();
      for (let i = 0; i < plan.steps; i++) {
        throwIfCancelled(context.signal);
        const loss = await search.advance(i, context.signal);
        const done = g * plan.steps + i + 1;
        if (!Number.isFinite(loss)) throw diverged(stage, done);
        context.emit({ kind: "step", stage, done, total: groups * plan.steps });
      }
      const last = await step.read();
      if (!allFinite(last)) throw diverged(stage, (g + 1) * plan.steps);
      found.push(...search.finish(last).slice(0, group.length));
    }
    return found;
  } finally {
    await step.release();
  }
}

/** Parts of a step, each with as many images of every class as the others. */
async function partsFor(
  { memory }: RunContext,
  {
    suspect,
    repaired,
  }: { readonly suspect: Classifier; readonly repaired?: Classifier | undefined },
  width: number,
  { images, repairedWeight }: InversionPlan,
): Promise<number> {
  const networks = repaired && repairedWeight > 0 ? [suspect, repaired] : [suspect];
  return await partsOf(networks, images, memory === undefined ? undefined : memory / width);
}

type InversionStep = Step<"success" | "size">;

function compileInversion(
  context: RunContext,
  models: { readonly suspect: Classifier; readonly repaired?: Classifier | undefined },
  images: ImageSet,
  width: number,
  plan: InversionPlan,
  parts: number,
): Promise<InversionStep> {
  const { channels, height, width: columns } = images;
  const each = plan.images / parts;
  const rows = width * each;
  const blocks = [width, each, channels, height, columns];
  const { suspect, repaired } = models;
  return (async () => {
    const suspectGraph = await suspect.at(rows);
    const repairedGraph = plan.repairedWeight > 0 ? await repaired?.at(rows) : undefined;
    return compileStep(context.device, {
      parameters: plan.family.start(width, images, context.random.fork("inversion/shape")),
      optimiser: adam(BETAS),
      parts,
      build(b, at) {
        const x = b.input("images", "float32", [rows, channels, height, columns]);
        const labels = b.input("labels", "int64", [rows]);
        const target = b.input("target", "int64", [rows]);
        const penalty = b.input("penalty", "float32", [width]);
        const stamped = b.reshape(plan.family.apply(b, at, b.reshape(x, blocks)), x.shape);
        // Means per class are summed, so that classes sharing a step do not dilute each other.
        const perClass = (rowLosses: ReturnType<typeof crossEntropy>) =>
          b.mean(b.reshape(rowLosses, [width, each]), [1]);
        const { logits } = suspect.append(b, suspectGraph, stamped, "suspect/");
        let losses = b.mul(perClass(crossEntropy(b, logits, target)), b.scalar(plan.suspectWeight)); // [M]
        if (repaired && repairedGraph) {
          const kept = repaired.append(b, repairedGraph, stamped, "repaired/").logits;
          const calibration = perClass(crossEntropy(b, kept, labels));
          losses = b.add(losses, b.mul(calibration, b.scalar(plan.repairedWeight)));
        }
        const size = plan.family.size(b, at); // [M]
        if (plan.control || plan.penalty) losses = b.add(losses, b.mul(penalty, size));
        const hit = b.cast(b.equal(b.argMax(logits, 1), target), "float32"); // [M·b]
        return { loss: b.sum(losses), metrics: { success: perClass(hit), size } };
      },
      ...(plan.family.project ? { project: plan.family.project } : {}),
    });
  })();
}

/** Success and size of the triggers of a group. */
type Measured = Readonly<Record<"success" | "size", Float32Array>>;

/** The means over the parts of a step. */
function averaged(parts: readonly Readonly<Record<keyof Measured, Tensor>>[]): Measured {
  const mean = (name: keyof Measured) => {
    const all = parts.map((part) => part[name].data as Float32Array);
    return all[0]!.map((_, m) => all.reduce((sum, values) => sum + values[m]!, 0) / all.length);
  };
  return { success: mean("success"), size: mean("size") };
}

/** The search for the triggers of one group of classes. */
class Search {
  readonly #step: InversionStep;
  readonly #plan: InversionPlan;
  readonly #images: ImageSet;
  readonly #targets: readonly number[];
  readonly #parts: number;
  readonly #random: Random;
  /** Trusted images that are not of the class, for every class of the group. */
  readonly #others: readonly (readonly number[])[];
  readonly #penalty: Float32Array;
  readonly #adaptations: readonly Adaptation[];
  readonly #average: Float32Array;
  readonly #best: ({ readonly merit: number; readonly found: Inverted } | undefined)[];

  constructor(
    step: InversionStep,
    plan: InversionPlan,
    images: ImageSet,
    targets: readonly number[],
    parts: number,
    random: Random,
  ) {
    this.#step = step;
    this.#plan = plan;
    this.#images = images;
    this.#targets = targets;
    this.#parts = parts;
    this.#random = random;
    const all = Array.from({ length: count(images) }, (_, index) => index);
    this.#others = targets.map((c) => all.filter((index) => images.labels[index] !== c));
    invariant(
      this.#others.every((others) => others.length > 0),
      "every class needs trusted images of other classes",
    );
    const { control, penalty = 0 } = plan;
    this.#penalty = new Float32Array(targets.length).fill(control?.weight ?? penalty);
    this.#adaptations = control ? targets.map(() => control.adaptation()) : [];
    this.#average = new Float32Array(targets.length);
    this.#best = targets.map(() => undefined);
  }

  async start(): Promise<void> {
    await this.#step.write(
      this.#plan.family.start(this.#targets.length, this.#images, this.#random),
    );
    await this.#step.resetOptimiser();
  }

  /** @returns the loss */
  async advance(i: number, signal: AbortSignal | undefined): Promise<number> {
    const { learningRate, control } = this.#plan;
    const parts = Array.from({ length: this.#parts }, () => this.#part());
    // The parameters before the update are those that the success of this step is measured with.
    const before = control && i > this.#plan.steps / 4 ? await this.#step.read() : undefined;
    const { loss, metrics } = await this.#step.runParts(parts, learningRate, signal);
    if (control) this.#adapt(i, control, averaged(metrics), before);
    return loss;
  }

  /** What a part of a step shows: as many images to every class. */
  #part(): Tensors {
    const each = this.#plan.images / this.#parts;
    const indices = this.#others.flatMap((others) =>
      Array.from({ length: each }, () => others[this.#random.integer(0, others.length)]!),
    );
    const { images, labels } = batchTensors(this.#images, indices);
    const target = BigInt64Array.from(indices, (_, row) =>
      BigInt(this.#targets[Math.floor(row / each)]!),
    );
    return {
      images,
      labels,
      target: tensor("int64", [target.length], target),
      penalty: float32([this.#targets.length], this.#penalty.slice()),
    };
  }

  #adapt(
    i: number,
    control: SizeControl,
    { success: successes, size: sizes }: Measured,
    before: ReadonlyMap<string, Tensor> | undefined,
  ): void {
    for (const [m, target] of this.#targets.entries()) {
      const [success, size] = [successes[m]!, sizes[m]!];
      const average = i === 0 ? success : MEMORY * this.#average[m]! + (1 - MEMORY) * success;
      this.#average[m] = average;
      const seen = { success, average, size };
      this.#penalty[m] = Math.min(HEAVIEST, this.#adaptations[m]!(this.#penalty[m]!, seen));
      const merit = control.merit(seen);
      const least = this.#best[m]?.merit ?? Number.NEGATIVE_INFINITY;
      if (before && merit !== undefined && merit > least) {
        const { family } = this.#plan;
        const trigger = family.trigger(before, m, this.#images);
        this.#best[m] = {
          merit,
          found: { target, family: family.name, trigger, size, reached: true },
        };
      }
    }
  }

  /** @param last the parameters after the last step */
  finish(last: ReadonlyMap<string, Tensor>): Inverted[] {
    return this.#targets.map((target, m) => {
      const kept = this.#best[m];
      if (kept) return kept.found;
      const { family } = this.#plan;
      const trigger = family.trigger(last, m, this.#images);
      return {
        target,
        family: family.name,
        trigger,
        size: family.sizeOf(trigger),
        reached: this.#plan.control === undefined,
      };
    });
  }
}
