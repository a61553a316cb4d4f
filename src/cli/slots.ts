import type { Attack } from "../attacks/attack.ts";
import type { CodePoisoning } from "../attacks/code-poisoning.ts";
import { ATTACKS, TRAINING_ATTACKS } from "../attacks/index.ts";
import type { Deployment } from "../deployments/deployment.ts";
import { DEPLOYMENTS } from "../deployments/index.ts";
import type { Detector } from "../detectors/detector.ts";
import { DEFAULT_DETECTOR, DETECTORS } from "../detectors/index.ts";
import { COMPARED_REPAIR, DEFAULT_REPAIR, REPAIRS } from "../repairs/index.ts";
import type { Repair } from "../repairs/repair.ts";
import { SANITIZERS } from "../sanitizers/index.ts";
import type { Sanitizer } from "../sanitizers/sanitizer.ts";
import { type Choice, defaultChoice, type Slot } from "./command.ts";

/** The attack whose trigger a command uses; none unless one is named. */
export const ATTACK = {
  description: "attack that makes the trigger",
  group: "Trigger:",
  methods: ATTACKS as Readonly<Record<string, Attack>>,
} satisfies Slot;

/** The attack that a training run carries out: on its images, or on its steps. */
export const TRAINING_ATTACK = {
  description: "attack to carry out",
  group: "Poison:",
  methods: TRAINING_ATTACKS,
} satisfies Slot;

export type TrainingAttack = Choice<Attack | CodePoisoning>;

/** The attack if it marks images, and if it owns the training. */
export function byKind(attack: TrainingAttack | undefined): {
  readonly onImages?: Choice<Attack>;
  readonly onTraining?: Choice<CodePoisoning>;
} {
  if (!attack) return {};
  return "labels" in attack.method
    ? { onImages: attack as Choice<Attack> }
    : { onTraining: attack as Choice<CodePoisoning> };
}

/** The repair that a command applies. */
export const REPAIR = {
  description: "repair to apply",
  group: "Methods:",
  default: DEFAULT_REPAIR,
  methods: REPAIRS as Readonly<Record<string, Repair>>,
} satisfies Slot;

/** The detector that a command applies. */
export const DETECTOR = {
  description: "detector to apply",
  group: "Methods:",
  default: DEFAULT_DETECTOR,
  methods: DETECTORS as Readonly<Record<string, Detector>>,
} satisfies Slot;

/** The repair that makes the copy which some detectors compare a model with, unless another one is named. */
export function comparedRepair(): Choice<Repair> {
  return defaultChoice({ ...REPAIR, default: COMPARED_REPAIR });
}

/** The defence before training; none unless one is named. */
export const SANITIZER = {
  description: "defence that chooses what is trained on",
  group: "Methods:",
  methods: SANITIZERS as Readonly<Record<string, Sanitizer>>,
} satisfies Slot;

/** The defence at inference time; none unless one is named. */
export const DEPLOYMENT = {
  description: "defence that the model is deployed behind",
  group: "Methods:",
  methods: DEPLOYMENTS as Readonly<Record<string, Deployment>>,
} satisfies Slot;

/** Every kind of method, by the name of its slot. */
export const SLOTS = {
  attack: TRAINING_ATTACK,
  repair: REPAIR,
  detector: DETECTOR,
  sanitizer: SANITIZER,
  deployment: DEPLOYMENT,
} as const;
