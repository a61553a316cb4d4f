import type { Attack } from "../../attacks/attack.ts";
import type { CodePoisoning } from "../../attacks/code-poisoning.ts";
import { ATTACKS, CODE_POISONINGS } from "../../attacks/index.ts";
import { openModel } from "../../audit/open.ts";
import type { Configured } from "../../audit/options.ts";
import { AntidoteError } from "../../core/errors.ts";
import { Random } from "../../core/random.ts";
import { digestOf } from "../../data/digest.ts";
import { ascending, count, type ImageSet, subset } from "../../data/images.ts";
import { stratified } from "../../data/split.ts";
import { trainingImages } from "../../data/training-images.ts";
import { type Aids, type Attacker, type TestTrigger, triggerOf } from "../../games/collect.ts";
import type { Classifier } from "../../models/classifier.ts";
import type { RunContext } from "../../runtime/context.ts";
import type { ResultStore } from "./store.ts";
import type { ModelTrial } from "./trial.ts";

/** Where the images of an experiment come from. */
export interface ImageSource {
  /** A path, or "procedural". */
  readonly data: string;
  /** Test images that are read from another path. */
  readonly test?: string | undefined;
  /** How many test images judge, the first ones. */
  readonly judgedOn: number;
  /** Side to which images in folders are brought, in pixels. */
  readonly size: number;
  /** How many procedural images to draw for training. */
  readonly count: number;
}

/** The images of an experiment. */
export interface Images {
  readonly train: ImageSet;
  readonly test: ImageSet;
  readonly digests: ModelTrial["data"];
}

/** Reads the images; drawn ones are the same in every experiment. Throws the errors of `trainingImages`. */
export async function readImages(
  { data, test, judgedOn, size, count: drawn }: ImageSource,
  { emit, signal }: Pick<RunContext, "emit" | "signal">,
): Promise<Images> {
  const read = (source: string, split: "train" | "test", count: number) => {
    const random = Random.fromSeed(0).fork(`images/${split}`);
    return trainingImages(source, { split, size, count, random, emit, signal });
  };
  const train = await read(data, "train", drawn);
  const all = await read(test ?? data, "test", judgedOn);
  const kept = subset(all, ascending(Math.min(judgedOn, count(all))));
  if (kept.classNames.length !== train.classNames.length) {
    throw new AntidoteError("CLASSES_MISMATCH", "Training and test images have other classes.", {
      place: test ?? data,
      next: "Give test images of the same classes.",
    });
  }
  const digests = { train: digestOf(train), test: digestOf(kept) };
  return { train, test: kept, digests };
}

/** What the trials of a process share. */
export interface Materials extends Images {
  readonly store: ResultStore;
}

/** r trusted images: drawn from the training set before it was poisoned, classes alike (spec: trusted data). */
export function trustedImages({ train }: Images, r: number, random: Random): ImageSet {
  return subset(train, stratified(train, r, random.fork(`trusted/${r}`)));
}

/** The model that a trial has kept. Throws the errors of `openModel`. */
export async function keptModel(
  context: RunContext,
  { store }: Pick<Materials, "store">,
  key: string,
): Promise<Classifier> {
  return (await openModel(context.device, store.modelPath(key))).classifier;
}

/** The attacker of a model trial, with what the attack needs; undefined for a clean model. */
export async function attackerOf(
  context: RunContext,
  materials: Materials,
  { attack, target, poisoning, surrogate }: ModelTrial,
): Promise<{ readonly attacker: Attacker | undefined; readonly aids: Aids }> {
  const aids =
    surrogate === null ? {} : { surrogate: await keptModel(context, materials, surrogate) };
  if (attack === null || target === null) return { attacker: undefined, aids };
  const { name, options: config } = attack;
  const method: Attack | CodePoisoning | undefined =
    (ATTACKS as Record<string, Attack>)[name] ??
    (CODE_POISONINGS as Record<string, CodePoisoning>)[name];
  if (!method) {
    throw new AntidoteError("UNKNOWN_METHOD", `There is no attack called "${name}".`, {
      next: "Run the experiment with the version that wrote it.",
    });
  }
  const attacker: Attacker =
    "labels" in method
      ? { attack: { method, config } as Configured<Attack>, plan: { ...poisoning!, target } }
      : { attack: { method, config } as Configured<CodePoisoning>, target };
  return { attacker, aids };
}

/** The true trigger of a model trial, for whoever judges; undefined for a clean model. */
export async function trueTrigger(
  context: RunContext,
  materials: Materials,
  config: ModelTrial,
): Promise<TestTrigger | undefined> {
  const { attacker, aids } = await attackerOf(context, materials, config);
  if (!attacker) return undefined;
  const { test } = materials;
  const own = { ...context, random: Random.fromSeed(config.seed).fork("test-trigger") };
  return await triggerOf(own, attacker, test, test.classNames.length, aids);
}
