import { existsSync } from "node:fs";
import { TRAINING_ATTACKS } from "../../attacks/index.ts";
import { openModel, openPreprocessed } from "../../audit/open.ts";
import { readManifest } from "../../audit/poisoned-folder.ts";
import { AntidoteError, invariant } from "../../core/errors.ts";
import { Random } from "../../core/random.ts";
import { assertAlike } from "../../data/alike.ts";
import { digestOf } from "../../data/digest.ts";
import { ascending, count, type ImageSet, subset } from "../../data/images.ts";
import { stratified } from "../../data/split.ts";
import { PROCEDURAL, trainingImages } from "../../data/training-images.ts";
import { type Aids, type Attacker, type TestTrigger, triggerOf } from "../../games/collect.ts";
import type { Classifier } from "../../models/classifier.ts";
import { freshClassifier } from "../../models/fresh.ts";
import { pretrainedClassifier } from "../../models/pretrained.ts";
import type { RunContext } from "../../runtime/context.ts";
import { configuredIn } from "./methods.ts";
import type { ResultStore } from "./store.ts";
import type { ModelTrial } from "./trial.ts";

/** Where everything lies that an experiment takes. */
export interface Source {
  /** A path, or "procedural". */
  readonly data: string;
  /** Test images that are read from another path. */
  readonly test?: string | undefined;
  /** How many test images judge. */
  readonly judgedOn: number;
  /** Side to which images in folders are brought, in pixels. */
  readonly size: number;
  /** How many procedural images to draw for training. */
  readonly count: number;
  /** Where trusted images are drawn: among the training images, or among test images that do not judge. */
  readonly trustedFrom: "training" | "test";
  /** File of the classifier that training goes on from, if models do not start anew. */
  readonly pretrained?: string | undefined;
}

/** The images of an experiment. */
export interface Images {
  readonly train: ImageSet;
  /** Those that judge. */
  readonly test: ImageSet;
  /** Those that trusted ones are drawn from. */
  readonly pool: ImageSet;
  readonly digests: ModelTrial["data"] & { readonly pool: string };
}

/**
 * Reads the images; drawn ones are the same in every experiment.
 * @throws `INVALID_CONFIG` if there are no clean training images, or no test images beside them; `CLASSES_MISMATCH`;
 *   the errors of `trainingImages`
 */
export async function readImages(
  { data, test, judgedOn, size, count: drawn, trustedFrom }: Source,
  { emit, signal }: Pick<RunContext, "emit" | "signal">,
): Promise<Images> {
  const read = (source: string, split: "train" | "test", count: number) => {
    const random = Random.fromSeed(0).fork(`images/${split}`);
    return trainingImages(source, { split, size, count, random, emit, signal });
  };
  if (data !== PROCEDURAL && (await readManifest(data))) {
    throw new AntidoteError("INVALID_CONFIG", "The training images are poisoned already.", {
      place: data,
      next: "Name clean images: the experiment poisons them itself.",
    });
  }
  const train = await read(data, "train", drawn);
  // Where they are drawn, there are as many to trust as to train on.
  const all = await read(
    test ?? data,
    "test",
    trustedFrom === "test" ? judgedOn + drawn : judgedOn,
  );
  assertAlike(train, all, test ?? data);
  const digest = digestOf(train);
  if (digestOf(all) === digest) {
    throw new AntidoteError("INVALID_CONFIG", "The test images are the training images.", {
      place: test ?? data,
      next: "Name other images as `test`.",
    });
  }
  const judging = judges(all, judgedOn);
  const kept = subset(all, judging);
  const own = { train: digest, test: digestOf(kept) };
  if (trustedFrom === "training") {
    return { train, test: kept, pool: train, digests: { ...own, pool: digest } };
  }
  const taken = new Set(judging);
  const pool = subset(
    all,
    ascending(count(all)).filter((position) => !taken.has(position)),
  );
  return { train, test: kept, pool, digests: { ...own, pool: digestOf(pool) } };
}

/** Positions of so many test images; a folder lists its images by class, so the first ones would not do. */
function judges(all: ImageSet, wanted: number): number[] {
  if (wanted >= count(all)) return ascending(count(all));
  const random = Random.fromSeed(0).fork("images/judges");
  return stratified(all, wanted, random, { balance: "proportional", minimumPerClass: 0 });
}

/** What the trials of a process share. */
export interface Materials extends Images, Pick<Source, "pretrained"> {
  readonly store: ResultStore;
}

/** r trusted images, never poisoned, classes alike. Throws `TOO_FEW_IMAGES`. */
export function trustedImages({ pool }: Pick<Images, "pool">, r: number, random: Random): ImageSet {
  return subset(pool, stratified(pool, r, random.fork(`trusted/${r}`)));
}

/**
 * What a model's training begins with: a new network, or a classifier that is there.
 * @throws `DATA_INVALID` if its file is not the one that the trial was made for; the errors of `openModel` and
 *   `pretrainedClassifier`
 */
export async function startOf(
  context: RunContext,
  { train, pretrained }: Pick<Materials, "train" | "pretrained">,
  network: ModelTrial["network"],
): Promise<Classifier> {
  if (!("sha256" in network)) return await freshClassifier(context, train, network);
  invariant(pretrained, "a pretrained network was announced without its file");
  const { classifier, sha256 } = await openPreprocessed(context, pretrained, {
    ...{ size: train, preprocessing: network.preprocessing, place: "network.preprocessing" },
  });
  if (sha256 !== network.sha256) {
    throw new AntidoteError("DATA_INVALID", "The model to start from has changed meanwhile.", {
      place: pretrained,
      next: "Put the former file back, or run the experiment again with the new one.",
    });
  }
  return await pretrainedClassifier(context, classifier, train);
}

/** The model that a trial has kept. Throws `DATA_INVALID` if it is gone, and the errors of `openModel`. */
export async function keptModel(
  context: RunContext,
  { store }: Pick<Materials, "store">,
  key: string,
): Promise<Classifier> {
  const path = store.modelPath(key);
  if (existsSync(path)) return (await openModel(context.device, path)).classifier;
  throw new AntidoteError("DATA_INVALID", `The model of trial ${key} is gone.`, {
    place: path,
    next: `Delete trials/${key}.json and run the experiment again: the model is made anew.`,
  });
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
  const { method, config } = configuredIn("attack", TRAINING_ATTACKS, attack)!;
  const attacker: Attacker =
    "labels" in method
      ? { attack: { method, config }, plan: { ...poisoning!, target } }
      : { attack: { method, config }, target };
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
