import { AntidoteError } from "../core/errors.ts";
import { type Proportion, proportion } from "../core/statistics.ts";
import { count, type ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { predict, type Stamp } from "../models/predict.ts";
import type { Preprocessing } from "../models/preprocessing.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Preflight, preflight } from "./preflight.ts";
import type { Stated } from "./stated.ts";

/** A known trigger and the class that it shall lead to. */
export interface KnownTrigger {
  readonly stamp: Stamp;
  /** Without one, the class that most images get with the trigger on. */
  readonly target?: number | undefined;
}

export interface EvaluateInput {
  readonly model: Classifier;
  readonly images: ImageSet;
  /** Without one, it is chosen by accuracy. */
  readonly preprocessing?: Preprocessing | undefined;
  /** What the model's maker says about it. */
  readonly stated?: Stated | undefined;
  readonly trigger?: KnownTrigger | undefined;
}

export interface Evaluation {
  /** Has the accuracy on the images. */
  readonly preflight: Preflight;
  readonly attack?: {
    readonly target: number;
    /** Share of the images of other classes that are taken for the target with the trigger on. */
    readonly success: Proportion;
  };
}

/**
 * Measures a classifier on labelled images, and how well a known trigger works on it.
 * @throws the errors of `preflight`; `INVALID_CONFIG` for a target that the model does not have;
 *   `TOO_FEW_IMAGES` if every image is of the target class
 */
export async function evaluate(
  context: RunContext,
  { model, images, preprocessing, stated, trigger }: EvaluateInput,
): Promise<Evaluation> {
  const { target } = trigger ?? {};
  if (target !== undefined && target >= model.classes) {
    throw new AntidoteError("INVALID_CONFIG", `The model has no class ${target}.`, {
      place: "target",
      next: `Choose a class from 0 to ${model.classes - 1}.`,
    });
  }
  const checked = await preflight(context, model, images, preprocessing, stated);
  if (!trigger) return { preflight: checked };
  const { device, signal, emit } = context;
  const { classes } = await predict(device, checked.classifier, images, {
    stamp: trigger.stamp,
    signal,
    progress: (done) => emit({ kind: "step", stage: "trigger", done, total: count(images) }),
  });
  return { preflight: checked, attack: success(classes, images, target) };
}

function success(
  predicted: Int32Array,
  images: ImageSet,
  given: number | undefined,
): NonNullable<Evaluation["attack"]> {
  const target = given ?? mostFrequent(predicted, images.classNames.length);
  const others = predicted.filter((_, row) => images.labels[row] !== target);
  if (others.length === 0) {
    throw new AntidoteError("TOO_FEW_IMAGES", "Every image is of the target class.", {
      next: "Add images of other classes: success is measured on those alone.",
    });
  }
  const hits = others.filter((label) => label === target).length;
  return { target, success: proportion(hits, others.length) };
}

function mostFrequent(labels: Int32Array, classes: number): number {
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  return counts.indexOf(Math.max(...counts));
}
