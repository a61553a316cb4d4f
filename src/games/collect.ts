import type { Attack, AttackInput, Trigger } from "../attacks/attack.ts";
import type { CodePoisoning } from "../attacks/code-poisoning.ts";
import { type PoisonedSet, type Poisoning, poison } from "../attacks/poison.ts";
import type { Configured } from "../audit/options.ts";
import type { AugmentOptions } from "../data/augment.ts";
import type { Geometry, ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";

/** The attacker of a game: one who poisons what is collected, or one who owns the training. */
export type Attacker = DataPoisoner | CodePoisoner;

export interface DataPoisoner {
  readonly attack: Configured<Attack>;
  readonly plan: Poisoning;
}

export interface CodePoisoner {
  readonly attack: Configured<CodePoisoning>;
  readonly target: number;
}

/** What some attacks need beside the images. */
export type Aids = Pick<AttackInput, "surrogate" | "photographs">;

/** What training gets, and what becomes of the trained network. */
export interface Collected extends PoisonedSet {
  /** Another network if the attacker owns the training, else the same. */
  finish(trained: Classifier): Promise<Classifier>;
  /** Frees what the attacker holds on the device until training is over. */
  release(): Promise<void>;
}

/** `Train` of a game: a network from what was collected; the same images and random stream give the same one. */
export type Train = (context: RunContext, collected: Collected) => Promise<Classifier>;

/** Images as they are. */
export function untouched(images: ImageSet): Collected {
  return {
    ...{ images, indices: [], covers: [], repeats: [], unaugmented: new Set<number>() },
    finish: async (trained) => trained,
    release: async () => {},
  };
}

/**
 * `Collect` of Algorithm 1 (lines 1 to 5): n clean images and m poisoned ones, with the labels that they come with.
 * @param clean n + m images with their true labels
 * @param attacker none for m = 0
 * @param augmentation how training will move images
 * @throws the errors of the attack and of `poison`
 */
export async function collect(
  context: RunContext,
  clean: ImageSet,
  attacker: Attacker | undefined,
  aids: Aids = {},
  augmentation: AugmentOptions = {},
): Promise<Collected> {
  if (!attacker) return untouched(clean);
  if (isDataPoisoner(attacker)) {
    const poisoned = await poisonImages(context, clean, attacker, aids, augmentation);
    return { ...untouched(clean), ...poisoned };
  }
  const { attack, target } = attacker;
  const about = { images: clean, classes: clean.classNames.length, target, augmentation };
  const poisoning = await attack.method.run(context, { ...about, ...aids }, attack.config);
  return {
    ...untouched(clean),
    finish: (trained) => poisoning.train(trained),
    release: async () => poisoning.trigger.release?.(),
  };
}

export function isDataPoisoner(attacker: Attacker): attacker is DataPoisoner {
  return "plan" in attacker;
}

/** Makes the attack's trigger and poisons the images with it. */
export async function poisonImages(
  context: RunContext,
  clean: ImageSet,
  { attack: { method, config }, plan }: DataPoisoner,
  aids: Aids = {},
  augmentation: AugmentOptions = {},
): Promise<PoisonedSet> {
  const about = { geometry: clean, classes: clean.classNames.length, target: plan.target };
  const trigger = await method.run(context, { ...about, ...aids }, config);
  try {
    const random = context.random.fork(method.name);
    return await poison(clean, method.labels, trigger, plan, { ...context, random, augmentation });
  } finally {
    await trigger.release?.();
  }
}

/** The trigger that an attacker uses on test images, and the class that it leads to. */
export interface TestTrigger extends Pick<Trigger, "release"> {
  readonly stamp: Trigger["stampTest"];
  readonly target: number;
}

/** Makes the trigger of an attacker for images like these. */
export async function triggerOf(
  context: RunContext,
  attacker: Attacker,
  geometry: Geometry,
  classes: number,
  aids: Aids = {},
): Promise<TestTrigger> {
  const { method, config } = attacker.attack;
  const target = isDataPoisoner(attacker) ? attacker.plan.target : attacker.target;
  const input = { geometry, classes, target, ...aids };
  const trigger =
    "trigger" in method
      ? await method.trigger(context, input, config)
      : await method.run(context, input, config);
  return { target, stamp: trigger.stampTest, release: async () => trigger.release?.() };
}
