import { AntidoteError } from "../core/errors.ts";
import { type Proportion, proportion } from "../core/statistics.ts";
import { float32 } from "../core/tensor.ts";
import { batches, count, type ImageSet, imageLength } from "../data/images.ts";
import type { Deployed } from "../deployments/deployment.ts";
import { imagesOfOthers } from "../detectors/measure.ts";
import type { Stamp } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { TestTrigger } from "./collect.ts";

/** What a game returns for one model. */
export interface Judgement {
  /** Accuracy on clean test images (CDA). An image that is refused is not answered rightly. */
  readonly accuracy: Proportion;
  /** Share of the test images of other classes that the trigger leads to the target (ASR); null without an attack. */
  readonly attackSuccess: Proportion | null;
}

/** Test images of other classes than the target, and their marks. */
interface MarkedTest {
  readonly target: number;
  readonly others: ImageSet;
  readonly stamp: Stamp;
}

/**
 * Knows what no defender knows: test images, and the trigger. Images of the target class are left out of the
 * attack's success, which makes the subtracted term of Algorithm 1, line 16, zero.
 */
export class Judge {
  readonly #test: ImageSet;
  readonly #attack: MarkedTest | undefined;

  private constructor(test: ImageSet, attack: MarkedTest | undefined) {
    this.#test = test;
    this.#attack = attack;
  }

  /**
   * Marks the test images (line 14), once for all models that are judged.
   * @throws `TOO_FEW_IMAGES` if all of them are of the target class
   */
  static async open(
    context: Pick<RunContext, "signal">,
    test: ImageSet,
    trigger: TestTrigger | undefined,
  ): Promise<Judge> {
    if (!trigger) return new Judge(test, undefined);
    const { target, stamp } = trigger;
    const others = imagesOfOthers(test, target);
    if (count(others) === 0) {
      throw new AntidoteError("TOO_FEW_IMAGES", "Every test image is of the target class.", {
        next: "Give test images of other classes, or choose another target.",
      });
    }
    return new Judge(test, { target, others, stamp: await markedOnce(others, stamp, context) });
  }

  /** Lines 15 and 16 for one model in service. */
  async judge(deployed: Deployed, { signal }: Pick<RunContext, "signal">): Promise<Judgement> {
    const { labels } = this.#test;
    const answers = await deployed.predict(this.#test, { signal });
    const accuracy = shareOf(answers, (answer, row) => answer === labels[row]);
    if (!this.#attack) return { accuracy, attackSuccess: null };
    const { target, others, stamp } = this.#attack;
    const moved = await deployed.predict(others, { stamp, signal });
    return { accuracy, attackSuccess: shareOf(moved, (answer) => answer === target) };
  }
}

function shareOf(
  answers: Int32Array,
  counts: (answer: number, row: number) => boolean,
): Proportion {
  return proportion(
    answers.reduce((n, answer, row) => n + (counts(answer, row) ? 1 : 0), 0),
    answers.length,
  );
}

/** Images that are marked at a time. */
const BATCH = 100;

/** A stamp that has marked every image of a set before, and looks the result up. */
async function markedOnce(
  set: ImageSet,
  stamp: Stamp,
  { signal }: Pick<RunContext, "signal">,
): Promise<Stamp> {
  const length = imageLength(set);
  const marked = new Float32Array(count(set) * length); // [N,C,H,W]
  for (const batch of batches(set, Math.min(BATCH, count(set)), signal)) {
    const { data } = await stamp(batch.images, batch.indices);
    marked.set(data.subarray(0, batch.valid * length), batch.indices[0]! * length);
  }
  return ({ shape, data }, positions) => {
    const rows = new Float32Array(data.length);
    for (let row = 0; row < positions.length; row++) {
      const from = positions[row]! * length;
      rows.set(marked.subarray(from, from + length), row * length);
    }
    return float32(shape, rows);
  };
}
