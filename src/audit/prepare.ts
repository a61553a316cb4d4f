import { checkDifferentiable } from "../autodiff/support.ts";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
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

/** Fewest trusted images of every class. */
const MINIMUM_PER_CLASS = 5;

/**
 * Divides the trusted images, and checks that the model does its job on them.
 * @param heldOutShare share of the images that only judge
 * @throws `MODEL_NOT_DIFFERENTIABLE`; `TOO_FEW_IMAGES`; the errors of `preflight`
 */
export async function prepare(
  context: RunContext,
  { file, model, trusted, preprocessing, stated }: Subject,
  heldOutShare: number,
): Promise<Prepared> {
  const { image, weights, roles, graph } = model;
  checkDifferentiable(graph, [image.name, ...weights.keys()], [roles.logits]);
  assertEnough(trusted);
  const checked = await preflight(context, model, trusted, preprocessing, stated);
  return {
    preflight: checked,
    described: await describeModel(file, model),
    model: checked.classifier,
    ...divideTrusted(trusted, heldOutShare, context.random),
  };
}

/** Divides trusted images into those to search and tune on, and those that only judge. */
export function divideTrusted(
  trusted: ImageSet,
  heldOutShare: number,
  random: Random,
): Pick<Prepared, "tuning" | "heldOut"> {
  const wanted = Math.round(heldOutShare * count(trusted));
  const held = stratified(trusted, wanted, random.fork("held-out"));
  return {
    tuning: subset(trusted, complement(count(trusted), held)),
    heldOut: subset(trusted, held),
  };
}

function assertEnough(trusted: ImageSet): void {
  const few = imagesPerClass(trusted).flatMap((n, label) =>
    n < MINIMUM_PER_CLASS ? [`"${trusted.classNames[label]}" has ${n}`] : [],
  );
  if (few.length === 0) return;
  const named = few.slice(0, 5).join(", ") + (few.length > 5 ? ", …" : "");
  throw new AntidoteError(
    "TOO_FEW_IMAGES",
    `At least ${MINIMUM_PER_CLASS} trusted images of every class are needed; ${named}.`,
    { next: "Add images of these classes: 50 per class are a good number." },
  );
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
