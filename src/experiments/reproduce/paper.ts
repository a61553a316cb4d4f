/*
 * The numbers of "Pick your Poison" (Lukas & Kerschbaum) that ours stand beside, on CIFAR-10 with a ResNet-18.
 */

/** The attacks of Tables II and III, in their order. */
export const TABLED_ATTACKS = [
  "badnets",
  "adaptive-blend",
  "adaptive-patch",
  "refool",
  "adv",
  "wanet",
] as const;

/** The repairs of Table III, in its order. */
export const TABLED_REPAIRS = [
  "pivotal-tuning",
  "weight-decay",
  "fine-pruning",
  "nad",
  "neural-cleanse",
] as const;

/** Table II: CDA, ASR, and ROC AUC of Calibrated Trigger Inversion. */
export const TABLE_2: Readonly<
  Record<string, { readonly cda: number; readonly asr: number; readonly auc: number }>
> = {
  badnets: { cda: 0.952, asr: 1, auc: 0.76 },
  "adaptive-blend": { cda: 0.952, asr: 0.94, auc: 0.65 },
  "adaptive-patch": { cda: 0.951, asr: 1, auc: 0.73 },
  adv: { cda: 0.947, asr: 0.98, auc: 0.68 },
  refool: { cda: 0.954, asr: 0.38, auc: 0.7 },
  wanet: { cda: 0.954, asr: 0.29, auc: 0.65 },
};

/** Table II, first row. */
export const CLEAN_CDA = 0.953;

/** Table III: ASR after a repair at r = 1 %, 2.5 % and 5 %, in the order of `TABLED_REPAIRS`. */
export const TABLE_3: Readonly<Record<string, readonly (readonly [number, number, number])[]>> = {
  badnets: [
    [0.03, 0.02, 0.03],
    [0.13, 0.08, 0.09],
    [0.69, 0.64, 0.6],
    [0.98, 0.95, 0.98],
    [0.13, 0.12, 0.1],
  ],
  "adaptive-blend": [
    [0, 0, 0.01],
    [0.45, 0.13, 0.09],
    [1, 1, 1],
    [1, 0.24, 0.12],
    [0.72, 0.84, 0.79],
  ],
  "adaptive-patch": [
    [0, 0, 0],
    [0.12, 0.04, 0.08],
    [1, 1, 1],
    [0.76, 0.65, 0.54],
    [0.53, 0.21, 0.11],
  ],
  refool: [
    [0.03, 0, 0.02],
    [0.06, 0.04, 0.06],
    [0.29, 0.35, 0.38],
    [0.26, 0.23, 0.18],
    [0.26, 0.34, 0.33],
  ],
  adv: [
    [0.01, 0.03, 0.01],
    [0.64, 0.12, 0.13],
    [0.95, 0.95, 0.95],
    [0.95, 0.95, 0.95],
    [0.95, 0.95, 0.95],
  ],
  wanet: [
    [0.04, 0.02, 0.03],
    [0.14, 0.06, 0.08],
    [0.14, 0.08, 0.16],
    [0.28, 0.26, 0.25],
    [0.28, 0.28, 0.28],
  ],
};

/** The shares r of Table III. */
export const TABLED_SHARES = [0.01, 0.025, 0.05] as const;

/** Options of every repair, under the names that ours have. */
type Options = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What all repairs of Table V have, but for weight decay its own; all are tuned by SGD. */
const TUNED = { weightDecay: 0, batchSize: 128 };

/** Table V, CIFAR-10, r = 1 %. */
export const TABLE_5: Options = {
  "pivotal-tuning": { ...TUNED, steps: 2000, learningRate: 0.01, lambdaS: 0.05, lambdaP: 20_000 },
  nad: { ...TUNED, steps: 2000, learningRate: 0.01, teacherSteps: 1000, power: 2, attention: 1000 },
  "neural-cleanse": {
    ...TUNED,
    steps: 1000,
    learningRate: 1e-3,
    triggerSteps: 100,
    normWeight: 2e-2,
  },
  "fine-pruning": { ...TUNED, steps: 1000, learningRate: 1e-3, pruned: 0.96, batches: 10 },
  "weight-decay": { ...TUNED, steps: 1000, learningRate: 1e-3, weightDecay: 0.01 },
};

/** Table V, ImageNet, r = 1 %. */
export const TABLE_5_IMAGENET: Options = {
  "pivotal-tuning": {
    ...TUNED,
    steps: 10_000,
    learningRate: 5e-4,
    lambdaS: 1e-5,
    lambdaP: 150_000,
  },
  nad: { ...TUNED, steps: 8000, learningRate: 5e-4, teacherSteps: 1000, power: 2, attention: 1000 },
  "neural-cleanse": {
    ...TUNED,
    steps: 3000,
    learningRate: 5e-4,
    triggerSteps: 200,
    normWeight: 1e-5,
  },
  "fine-pruning": { ...TUNED, steps: 5000, learningRate: 5e-4, pruned: 0.73, batches: 10 },
  "weight-decay": { ...TUNED, steps: 5000, learningRate: 5e-4, weightDecay: 0.001 },
};

/** Figure 5, as far as the text states it: η_m and ρ_m by m. */
export const FIGURE_5: Readonly<
  Record<string, readonly { readonly m: number; readonly asr: number; readonly auc: number }[]>
> = {
  badnets: [
    { m: 5, asr: 0.69, auc: 0.56 },
    { m: 20, asr: 0.99, auc: 0.8 },
  ],
  "c-badnets": [{ m: 750, asr: 0.6, auc: 0.81 }],
};

/**
 * Figure 7 as far as tables and text state it: the ASR that Pivotal Tuning leaves at r = 5 % (Table III) and the ROC AUC
 * (Table II); of PCB bounds (Section V-E3). TSB has an ASR of at least 0.35 and no number for its detectability.
 */
export const FIGURE_7: Readonly<
  Record<string, { readonly robustness: number; readonly auc: number }>
> = {
  ...Object.fromEntries(
    TABLED_ATTACKS.map((attack) => [
      attack,
      { robustness: TABLE_3[attack]![0]![2], auc: TABLE_2[attack]!.auc },
    ]),
  ),
  pcb: { robustness: 0.75, auc: 0.66 },
};
