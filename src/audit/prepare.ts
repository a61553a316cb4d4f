import { checkGradients } from "../autodiff/gradients.ts";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { UNLABELLED } from "../data/folder.ts";
import { count, type ImageSet, subset } from "../data/images.ts";
import { complement, stratified } from "../data/split.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Preprocessing } from "../models/preprocessing.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { RunContext } from "../runtime/context.ts";
import { describeModel, imagesPerClass } from "./describe.ts";
import { type Preflight, preflight } from "./preflight.ts";
import type { AuditRecord } from "./record.ts";
import type { Stated } from "./stated.ts";

/** A model and the trusted images that it is judged by. */
export interface Subject {
  readonly file: OnnxFile;
  readonly model: Classifier;
  readonly trusted: ImageSet;
  /** Without one, it is chosen by accuracy. */
  readonly preprocessing?: Preprocessing | undefined;
  /** What the model's maker says about it. */
  readonly stated?: Stated | undefined;
}

/** What searches, repairs and audits begin with. */
export interface Prepared {
  readonly preflight: Preflight;
  /** What is in the model's file, as it was before the work. */
  readonly described: AuditRecord["model"];
  /** With its preprocessing settled. */
  readonly model: Classifier;
  /** Images to search and tune on. */
  readonly tuning: ImageSet;
  /** Images that only judge. */
  readonly heldOut: ImageSet;
}

/** What the images are for. */
export type Purpose = "search" | "repair";

/** Fewest trusted images of every class: a search moves images of all other classes into one, a repair tunes on all. */
const MINIMUM_PER_CLASS: Readonly<Record<Purpose, number>> = { search: 1, repair: 5 };

/** Fewest trusted images in all, so that images of two classes are held out. */
const MINIMUM = 10;

/**
 * Divides the trusted images, and checks that the model does its job on them.
 * @param heldOutShare share of the images that only judge
 * @throws `MODEL_NOT_DIFFERENTIABLE`; `TOO_FEW_IMAGES`; the errors of `preflight`
 */
export async function prepare(
  context: RunContext,
  { file, model, trusted, preprocessing, stated }: Subject,
  heldOutShare: number,
  purpose: Purpose = "repair",
): Promise<Prepared> {
  const { image, weights, roles } = model;
  checkGradients(await model.at(2), [image.name, ...weights.keys()], [roles.logits]);
  assertEnough(trusted, purpose);
  const checked = await preflight(context, model, trusted, preprocessing, {
    preprocessings: stated?.preprocessings ?? [],
    warnings: [...(stated?.warnings ?? []), ...lackingForRepair(trusted)],
  });
  return {
    preflight: checked,
    described: await describeModel(file, model),
    model: checked.classifier,
    ...divideTrusted(trusted, heldOutShare, context.random, purpose),
  };
}

/**
 * Divides trusted images into those to search and tune on, and those that only judge.
 * @throws `TOO_FEW_IMAGES` if a part has no images of two classes: those of a target's own show no trigger
 */
export function divideTrusted(
  trusted: ImageSet,
  heldOutShare: number,
  random: Random,
  purpose: Purpose = "repair",
): Pick<Prepared, "tuning" | "heldOut"> {
  const wanted = Math.min(count(trusted), Math.max(2, Math.round(heldOutShare * count(trusted))));
  // Of one image for each class, most classes keep theirs for the search.
  const minimumPerClass = Math.min(1, MINIMUM_PER_CLASS[purpose] - 1);
  const held = stratified(trusted, wanted, random.fork("held-out"), { minimumPerClass });
  const divided = {
    tuning: subset(trusted, complement(count(trusted), held)),
    heldOut: subset(trusted, held),
  };
  for (const [use, { labels }] of Object.entries({
    [TO_TUNE]: divided.tuning,
    "to judge by": divided.heldOut,
  })) {
    if (new Set(labels).size >= 2) continue;
    throw new AntidoteError(
      "TOO_FEW_IMAGES",
      `With ${wanted} of ${count(trusted)} trusted images held out, those ${use} are of fewer than two classes.`,
      { next: `${use === TO_TUNE ? "Lower" : "Raise"} the share that is held out, or add images.` },
    );
  }
  return divided;
}

const TO_TUNE = "to search and tune on";

function assertEnough(trusted: ImageSet, purpose: Purpose): void {
  const minimum = MINIMUM_PER_CLASS[purpose];
  const few = classesBelow(trusted, minimum);
  if (few.length === 0 && count(trusted) >= MINIMUM) return;
  const message =
    few.length > 0
      ? `At least ${minimum === 1 ? "one trusted image" : `${minimum} trusted images`} of every class ${minimum === 1 ? "is" : "are"} needed; ${shortList(few)}.`
      : `At least ${MINIMUM} trusted images are needed; there are ${count(trusted)}.`;
  throw new AntidoteError("TOO_FEW_IMAGES", message, { next: remedy(trusted, few, purpose) });
}

/** @param few the classes with too few images */
function remedy(trusted: ImageSet, few: readonly string[], purpose: Purpose): string {
  const byModel = few.length > 0 && trusted.origin?.classOrder === UNLABELLED;
  const add = byModel
    ? "The images bear no labels, and the model's own answers name these classes too seldom or never: add images that show them, or sort the images by class and leave out --unlabelled."
    : "Add images of these classes: 50 per class are a good number.";
  const searchable = purpose === "repair" && classesBelow(trusted, 1).length === 0;
  return searchable
    ? `${add} \`antidote detect\` gets by with one of each: it repairs nothing.`
    : add;
}

/** What a repair would lack, as a warning; none where it lacks nothing. */
function lackingForRepair(trusted: ImageSet): string[] {
  const few = classesBelow(trusted, MINIMUM_PER_CLASS.repair);
  if (few.length === 0) return [];
  return [
    `Too few images for a repair: that needs ${MINIMUM_PER_CLASS.repair} of every class, and ${few.length} of ${trusted.classNames.length} have fewer (${shortList(few)}).`,
  ];
}

/** The classes with fewer images, each with their number. */
function classesBelow(trusted: ImageSet, minimum: number): string[] {
  return imagesPerClass(trusted).flatMap((n, label) =>
    n < minimum ? [`"${trusted.classNames[label]}" has ${n}`] : [],
  );
}

function shortList(items: readonly string[]): string {
  return items.slice(0, 5).join(", ") + (items.length > 5 ? ", …" : "");
}

/** The trusted images as records state them. */
export function describeData(
  { trusted }: Subject,
  { tuning, heldOut }: Prepared,
  purpose: string,
): AuditRecord["data"] {
  const memory = { kind: "memory", path: null, classOrder: "as given by the program" } as const;
  return {
    ...(trusted.origin ?? memory),
    sizing: trusted.origin?.sizing ?? null,
    images: count(trusted),
    perClass: imagesPerClass(trusted),
    uses: [
      { purpose, images: count(tuning) },
      { purpose: "judge triggers and checkpoints", images: count(heldOut) },
    ],
  };
}
