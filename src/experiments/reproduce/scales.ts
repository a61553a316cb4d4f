import { AntidoteError } from "../../core/errors.ts";
import type { ExperimentInput } from "./artefact.ts";

/** How large the models of a reproduction are, and how many. */
export interface Scale {
  readonly name: "tiny" | "small" | "paper";
  /** For people: what it is, and about how long it takes. */
  readonly description: string;
  /** Images and training of every trial. */
  readonly base: Omit<ExperimentInput, "attacks" | "repairs" | "detectors" | "network">;
  /** Channels of the first stage of every ResNet-18. */
  readonly width: number;
  /** The classifier that all models go on from, in place of a new ResNet-18. */
  readonly pretrained?: Pretrained;
  /** The amounts of poison of Table II and III, by attack, and options that differ from the paper's. */
  readonly poison: Readonly<Record<string, AttackInput>>;
  /** Poisoned models of every amount in Figure 5, of every attack in the others, and clean ones against them. */
  readonly models: {
    readonly perAmount: number;
    readonly perAttack: number;
    readonly clean: number;
  };
  /** Values of m in Figure 5. */
  readonly amounts: Amounts;
  /** Those in Figure 6, where they are others. */
  readonly curves?: Amounts;
  /** Shares r of Table III. */
  readonly shares: readonly number[];
  /** Options of repairs and of detectors that differ from Table V's, by name. */
  readonly repairs: Options;
  readonly detectors: Options;
  /** Options of Pivotal Tuning where it makes the copy that Calibrated Trigger Inversion compares a model with; those of `repairs` without. */
  readonly reference?: Options[string] | undefined;
  /** What differs where models go on from CLIP; the paper does not publish its settings. */
  readonly clip: Pick<Scale, "description" | "models" | "repairs"> &
    Partial<Pick<Scale, "poison">> &
    Pick<ExperimentInput, "training">;
}

interface Amounts {
  readonly badnets: readonly number[];
  readonly "c-badnets": readonly number[];
}

/** A classifier to go on from. */
export interface Pretrained {
  /** Path of its file. */
  readonly from: string;
  /** What it expects of an image in [0,1], by name. */
  readonly preprocessing: Preprocessing;
  readonly sha256: string;
}

type Preprocessing = Extract<ExperimentInput["network"], { from: string }>["preprocessing"];
type Options = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** An attack with its amount and its options, as an experiment's file states it. */
export interface AttackInput {
  readonly poisoned?: number;
  readonly boost?: number;
  readonly [option: string]: unknown;
}

/** Fewer and smaller steps than Table V's, for networks that are small. */
const SHORT = { steps: 60, checkpointEvery: 20, learningRate: 0.01, batchSize: 64 };

/** 3/32 of an image of 16 pixels would be one pixel. */
const TINY_PATCH = { size: 3 };

/** Fine-tuning leaves a transformer its weights; Adam, as they are trained with. */
const GENTLE = { optimiser: "adam", weightDecay: 0, labelSmoothing: 0 } as const;

/** The paper shows every poisoned image 120 times; in six epochs twenty times each does the same. */
const SMALL_BOOST = 20;

/** Statistics of a few hundred images are worse than those that a narrow network has: live ones kept the backdoor (docs/evidence/pivotal-tuning.md). */
const FROZEN = { batchNorm: "frozen", checkpointEvery: 50, steps: 300 } as const;

/** Pivotal Tuning and NAD take twice the steps of the others, as in Table V. */
const LONGER = { ...FROZEN, checkpointEvery: 100, steps: 600 } as const;

/** Moved by augmentation like all images, so that few images shown often are not learned by heart. */
const BEFORE = "before-augmentation";

const SCALES = {
  tiny: {
    name: "tiny",
    description:
      "procedural images and networks of eight channels: shows that everything runs, in minutes",
    base: {
      ...{ data: "procedural", count: 2000, testImages: 200, size: 16 },
      training: { epochs: 10, batch: 32, learningRate: 0.1 },
      surrogate: { width: 8, epochs: 15 },
    },
    width: 8,
    poison: {
      badnets: { poisoned: 100, ...TINY_PATCH },
      "c-badnets": TINY_PATCH,
      "adaptive-blend": { poisoned: 200 },
      "adaptive-patch": { poisoned: 200, ...TINY_PATCH },
      refool: { poisoned: 150 },
      adv: { poisoned: 150 },
      wanet: { poisoned: 150 },
      tsb: { poisoned: 200, ...TINY_PATCH },
      pcb: { iterations: 100, pool: 500 },
    },
    models: { perAmount: 2, perAttack: 2, clean: 2 },
    amounts: { badnets: [20, 100], "c-badnets": [150] },
    shares: [0.2],
    repairs: {
      "pivotal-tuning": SHORT,
      "weight-decay": SHORT,
      "fine-pruning": SHORT,
      nad: { ...SHORT, teacherSteps: 20 },
      "neural-cleanse": { ...SHORT, triggerSteps: 10 },
    },
    detectors: {
      "calibrated-trigger-inversion": { steps: 20, images: 16 },
      "neural-cleanse": { steps: 20, images: 16 },
    },
    clip: {
      description: "procedural images and a CLIP classifier for them: shows that everything runs",
      training: { ...GENTLE, epochs: 6, batch: 32, learningRate: 0.001 },
      models: { perAmount: 1, perAttack: 1, clean: 2 },
      repairs: { "pivotal-tuning": SHORT },
    },
  },
  small: {
    name: "small",
    description:
      "CIFAR-10 and ResNet-18s of eight channels, six epochs: hours on two cores; a model takes minutes",
    base: {
      ...{ data: "cifar10", testImages: 2000 },
      training: { epochs: 6 },
    },
    width: 8,
    // What differs from the paper is what made an attack work in six epochs (docs/attacks.md).
    poison: {
      badnets: { poisoned: 50, boost: SMALL_BOOST },
      "adaptive-blend": { poisoned: 50, boost: 10 * SMALL_BOOST, embed: BEFORE },
      "adaptive-patch": { poisoned: 500, boost: SMALL_BOOST, conservatism: 0.1 },
      refool: { poisoned: 500, boost: SMALL_BOOST },
      adv: {
        ...{ poisoned: 500, boost: 3 * SMALL_BOOST, embed: BEFORE },
        ...{ stepSize: 4 / 255, surrogateClass: 6 },
      },
      wanet: { poisoned: 500, boost: SMALL_BOOST, grid: 8 },
      tsb: { poisoned: 1000 },
    },
    models: { perAmount: 6, perAttack: 3, clean: 10 },
    amounts: { badnets: [5, 10, 20, 50], "c-badnets": [250, 750] },
    shares: [0.01, 0.025, 0.05],
    // Section V-C: what a search of twenty configurations found on a poisoned copy (results/searches/).
    repairs: {
      "pivotal-tuning": { ...LONGER, learningRate: 0.003, lambdaS: 0.01 },
      "weight-decay": { ...FROZEN, learningRate: 0.003, weightDecay: 0.001 },
      "fine-pruning": { ...FROZEN, learningRate: 0.01, pruned: 0.8 },
      nad: { ...LONGER, teacherSteps: 300, attention: 100 },
      "neural-cleanse": { ...FROZEN, learningRate: 0.001, normWeight: 1e-5 },
    },
    detectors: {},
    // Beside a copy that differs from the suspect in more than the backdoor, a trigger is found for every class (docs/evidence/detectors.md):
    // this one goes on answering as the suspect does, and is what the repair ends with, since nobody ships it.
    reference: {
      ...{ ...LONGER, checkpointEvery: LONGER.steps },
      ...{ learningRate: 0.003, lambdaS: 0.02, distillation: 1 },
    },
    clip: {
      description: "CIFAR-10 and two epochs of fine-tuning from a small CLIP classifier: hours",
      training: { ...GENTLE, epochs: 2, learningRate: 0.001 },
      models: { perAmount: 1, perAttack: 1, clean: 4 },
      // Two epochs have to show it as often as six do.
      poison: { badnets: { poisoned: 50, boost: 4 * SMALL_BOOST } },
      // Table V's rate costs fifteen points in fifty steps.
      repairs: { "pivotal-tuning": { steps: 300, optimiser: "adam", learningRate: 0.0003 } },
    },
  },
  paper: {
    name: "paper",
    description:
      "the paper's setting: ResNet-18, 120 epochs, twenty models per point; weeks without a GPU",
    base: {
      ...{ data: "cifar10", testImages: 10_000 },
      training: {
        ...{ epochs: 120, learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4, batch: 128 },
        ...{ schedule: "cosine", labelSmoothing: 0, nesterov: false },
      },
      surrogate: { width: 64, epochs: 30 },
    },
    width: 64,
    poison: {},
    models: { perAmount: 20, perAttack: 20, clean: 20 },
    amounts: { badnets: [5, 10, 20, 50, 100], "c-badnets": [50, 250, 500, 750] },
    curves: { badnets: [10, 100, 2000], "c-badnets": [250, 500, 750] },
    shares: [0.01, 0.025, 0.05],
    repairs: {},
    detectors: {},
    clip: {
      description:
        "CIFAR-10 at the size of CLIP's images and ten epochs of fine-tuning; weeks without a GPU",
      training: { ...GENTLE, epochs: 10, learningRate: 1e-5 },
      models: { perAmount: 3, perAttack: 3, clean: 3 },
      repairs: {},
    },
  },
} as const satisfies Readonly<Record<string, Scale>>;

export const SCALE_NAMES = ["tiny", "small", "paper"] as const;
export type ScaleName = (typeof SCALE_NAMES)[number];

/** A scale without the user's images: enough to read what a store has of it. */
export function scaleNamed(name: ScaleName): Scale {
  return SCALES[name];
}

/**
 * A scale on the user's images.
 * @param data path of the images; the tiny scale draws its own
 * @throws `USAGE` if they are missing
 */
export function scaleOn(name: ScaleName, data: string | undefined): Scale {
  const scale = scaleNamed(name);
  if (scale.base.data === "procedural") return scale;
  if (data === undefined) {
    throw new AntidoteError("USAGE", `The scale "${name}" is about CIFAR-10.`, {
      place: "--data",
      next: "Name the folder with its binary files: --data cifar-10-batches-bin/.",
    });
  }
  return { ...scale, base: { ...scale.base, data } };
}

/** A scale as it is where models go on from a CLIP classifier (Section V-E4), without one: enough to read a store. */
export function ofClip(scale: Scale): Scale {
  const { training, poison, ...differing } = scale.clip;
  return {
    ...{ ...scale, ...differing },
    base: { ...scale.base, training },
    poison: { ...scale.poison, ...poison },
    reference: undefined,
  };
}

/**
 * The same on a classifier.
 * @param size side of its images, to which images in folders and drawn ones are brought
 */
export function onClip(scale: Scale, pretrained: Pretrained, size: number): Scale {
  const { base, ...rest } = ofClip(scale);
  return { ...rest, pretrained, base: { ...base, size } };
}

/** An attack; without an amount it has the scale's. */
interface AttackOnScale {
  readonly name: string;
  readonly poisoned?: readonly number[];
  readonly boost?: number;
}

/** An experiment on a scale: the amounts of poison where none are given, and the scale's options of methods. */
export function onScale(
  scale: Scale,
  artefact: string,
  wanted: {
    readonly attacks?: readonly AttackOnScale[];
    readonly repairs?: readonly string[];
    readonly detectors?: readonly string[];
    readonly trusted?: readonly number[];
  } & Partial<Pick<ExperimentInput, "seeds" | "cleanModels">>,
): ExperimentInput {
  const { name, base, poison, pretrained, width } = scale;
  const { attacks = [], repairs = [], detectors = [], trusted, ...rest } = wanted;
  const repair = (repair: string) => ({ name: repair, ...scale.repairs[repair] });
  const detector = (detector: string) => ({ name: detector, ...scale.detectors[detector] });
  return {
    ...base,
    network: pretrained ?? { width },
    ...rest,
    ...(trusted ? { trusted: [...trusted] } : {}),
    name: `${artefact}-${name}`,
    preset: "cifar10",
    attacks: attacks.map(({ poisoned, ...attack }) => ({
      ...(attack.name === "pcb" ? {} : { embed: "after-augmentation" as const }),
      ...poison[attack.name],
      ...attack,
      ...(poisoned ? { poisoned: [...poisoned] } : {}),
    })),
    repairs: repairs.map(repair),
    detectors: detectors.map(detector),
    reference: { name: "pivotal-tuning", ...(scale.reference ?? scale.repairs["pivotal-tuning"]) },
  };
}
