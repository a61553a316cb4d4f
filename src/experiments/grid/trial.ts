import { createHash } from "node:crypto";
import { z } from "zod";
import { TRAINING_ATTACKS } from "../../attacks/index.ts";
import { POISONING } from "../../attacks/poison.ts";
import { JURY_REVISION } from "../../audit/jury.ts";
import { method, natural, share, text } from "../../audit/record-parts.ts";
import type { Method } from "../../core/method.ts";
import { VERSION } from "../../core/version.ts";
import { DEPLOYMENTS } from "../../deployments/index.ts";
import { DETECTORS } from "../../detectors/index.ts";
import { ARCHITECTURE } from "../../models/fresh.ts";
import { PRETRAINED } from "../../models/pretrained.ts";
import { REPAIRS } from "../../repairs/index.ts";
import { SANITIZERS } from "../../sanitizers/index.ts";
import { TRAINING } from "../../train/config.ts";

/*
 * A trial is a pure function of what stands here: nothing else has a say in its outcome, and its key is made of
 * all of it. So a trial that another experiment has run already is found by its key.
 */

/**
 * Raised whenever trials of the kind would have another outcome with the same config, or another record. Where only those of
 * one method would, its `revision` is raised instead, and where checkpoints are judged otherwise, `JURY_REVISION`.
 */
const TRIAL_VERSIONS = { model: 1, repair: 2, detection: 1 } as const;

/** What identifies a trial; names of files are made of it. */
export const trialKey = text.regex(/^[0-9a-f]{20}$/);

/** Lines 7 to 9 of Algorithm 1: a network, from images that are poisoned or not. */
export const modelTrial = z.strictObject({
  kind: z.literal("model").describe("A model is trained."),
  data: z
    .strictObject({
      train: text.describe("SHA-256 of the training images, before any is poisoned."),
      test: text.describe("SHA-256 of the test images that judge."),
    })
    .describe("The images."),
  network: z
    .union([
      ARCHITECTURE.describe("A new network."),
      PRETRAINED.describe("A trained one that training goes on from."),
    ])
    .describe("What training begins with."),
  training: TRAINING.describe("How it is trained."),
  attack: method.nullable().describe("The attack; null for a clean model."),
  target: natural
    .nullable()
    .describe("Class that the trigger shall lead to; null without an attack."),
  poisoning: POISONING.omit({ target: true })
    .nullable()
    .describe("How much poison; null without one, and where the attack owns the training."),
  surrogate: trialKey.nullable().describe("Model trial whose model is the attacker's surrogate."),
  sanitizer: method.nullable().describe("The defence before training; null for none."),
  unsanitized: trialKey.nullable().describe("Model trial whose model the sanitizer looks through."),
  seed: z.int().min(0).describe("Seed of the trial."),
});

const TRUSTED = {
  trusted: z.int().min(1).describe("Number r of trusted images."),
  pool: text.describe("SHA-256 of the images that they are drawn from, none of them poisoned."),
};

/** Lines 10 to 16: a model is repaired, deployed and judged. */
export const repairTrial = z.strictObject({
  kind: z.literal("repair").describe("A model is repaired."),
  model: trialKey.describe("Model trial whose model is repaired."),
  ...TRUSTED,
  repair: method.nullable().describe("The repair; null for none."),
  deployment: method.nullable().describe("The defence at inference time; null for none."),
  allowedDrop: share.describe("Δ, largest allowed drop of accuracy."),
  heldOut: share.describe("Share of the trusted images that only choose among checkpoints."),
  seed: z.int().min(0).describe("Seed of the trial."),
});

/** Line 8 of Algorithm 2: a model is scored. */
export const detectionTrial = z.strictObject({
  kind: z.literal("detection").describe("A model is searched for a backdoor."),
  model: trialKey.describe("Model trial whose model is searched."),
  ...TRUSTED,
  detector: method.describe("The detector."),
  repair: trialKey
    .nullable()
    .describe(
      "Repair trial whose model the suspect is compared with; null if the detector needs none.",
    ),
  heldOut: share.describe("Share of the trusted images that only measure the triggers found."),
  seed: z.int().min(0).describe("Seed of the trial."),
});

export const trialConfig = z.discriminatedUnion("kind", [modelTrial, repairTrial, detectionTrial]);

export type ModelTrial = z.infer<typeof modelTrial>;
export type RepairTrial = z.infer<typeof repairTrial>;
export type DetectionTrial = z.infer<typeof detectionTrial>;
export type TrialConfig = z.infer<typeof trialConfig>;

/** Identifies a trial by its config, the version of Antidote, that of trials of its kind, how repairs are judged, and the revisions of its methods. */
export function keyOf(config: TrialConfig): string {
  const judged = config.kind === "repair" && config.repair !== null;
  const versions = [
    ...[VERSION, TRIAL_VERSIONS[config.kind]],
    ...(judged ? [{ jury: JURY_REVISION }] : []),
    ...revisionsIn(config),
  ];
  // The schema puts the fields in its own order.
  const text = JSON.stringify([...versions, trialConfig.parse(config)]);
  return createHash("sha256").update(text).digest("hex").slice(0, 20);
}

/** Those of the methods that a trial runs, where they are not the first. */
function revisionsIn(config: TrialConfig): unknown[] {
  switch (config.kind) {
    case "model":
      return [
        ...revisionOf(TRAINING_ATTACKS, config.attack).map((attack) => ({ attack })),
        ...revisionOf(SANITIZERS, config.sanitizer).map((sanitizer) => ({ sanitizer })),
      ];
    case "repair":
      return [
        ...revisionOf(REPAIRS, config.repair),
        ...revisionOf(DEPLOYMENTS, config.deployment).map((deployment) => ({ deployment })),
      ];
    case "detection":
      return revisionOf(DETECTORS, config.detector);
  }
}

/** That of a method, where it is not the first. */
function revisionOf(
  known: Readonly<Record<string, Revised>>,
  method: { readonly name: string } | null,
): number[] {
  const { revision = 1 } = (method && known[method.name]) || {};
  return revision === 1 ? [] : [revision];
}

type Revised = Pick<Method<never, never, unknown, z.ZodType>, "revision">;

/** The method that a trial is about: of a sanitized model the sanitizer, of a model that is only deployed the deployment; null for none. */
export function methodOf(config: TrialConfig) {
  switch (config.kind) {
    case "model":
      return config.sanitizer ?? config.attack;
    case "repair":
      return config.repair ?? config.deployment;
    case "detection":
      return config.detector;
  }
}

/** Keys of the trials whose models a trial takes. */
export function needsOf(config: TrialConfig): string[] {
  const needed =
    config.kind === "model"
      ? [config.surrogate, config.unsanitized]
      : config.kind === "repair"
        ? [config.model]
        : [config.model, config.repair];
  return needed.filter((key) => key !== null);
}

/** A trial with its key. */
export interface Trial<Config extends TrialConfig = TrialConfig> {
  readonly key: string;
  readonly config: Config;
}

export function trialOf<Config extends TrialConfig>(config: Config): Trial<Config> {
  return { key: keyOf(config), config };
}
