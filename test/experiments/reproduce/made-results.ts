import { proportion } from "../../../src/core/statistics.ts";
import type { ModelTrial } from "../../../src/experiments/grid/trial.ts";
import type { DetectionOutcome } from "../../../src/experiments/grid/trial-record.ts";
import { type ModelResult, Results } from "../../../src/experiments/reproduce/results.ts";
import { ARCHITECTURE } from "../../../src/models/fresh.ts";
import { TRAINING } from "../../../src/train/config.ts";

type Trial = ConstructorParameters<typeof Results>[0][number];

const share = (value: number) => proportion(Math.round(1000 * value), 1000);
const judged = (accuracy: number, success: number | null) => ({
  accuracy: share(accuracy),
  attackSuccess: success === null ? null : share(success),
});

const POOL = "1".repeat(64);

/** Results of an experiment that was never run, trial by trial. */
export class MadeResults {
  readonly #trials: Trial[] = [];

  get results(): Results {
    return new Results(this.#trials);
  }

  /** @param attack null for a clean model */
  model(
    attack: string | null,
    { m = 50, boost = 1, seed = 0, cda = 0.95, asr = 1 } = {},
  ): ModelResult {
    const config: ModelTrial = {
      ...{ kind: "model", data: { train: "a", test: "b" } },
      ...{ network: ARCHITECTURE.parse({}), training: TRAINING.parse({}) },
      attack: attack === null ? null : { name: attack, options: {} },
      target: attack === null ? null : 0,
      poisoning:
        attack === null || attack === "pcb"
          ? null
          : { samples: m, boost, embed: "after-augmentation" },
      ...{ surrogate: null, sanitizer: null, unsanitized: null, seed },
    };
    const outcome = {
      ...{ kind: "model" as const, marked: m, filtered: null },
      ...judged(cda, attack === null ? null : asr),
    };
    return this.#add(config, outcome) as ModelResult;
  }

  /** A repair that ends where it says, from an accuracy of 95 % and an attack success of 100 %. */
  repair(model: ModelResult, repair: string, { r = 100, cda = 0.94, asr = 0 } = {}): this {
    const before = judged(0.95, 1);
    const estimatedDrop = { value: 0.01, low: 0, high: 0.02 };
    const after = { step: 50, loss: 1, estimatedDrop, ...judged(cda, asr) };
    this.#add(
      {
        ...{ kind: "repair", model: model.key, trusted: r, pool: POOL, deployment: null, seed: 0 },
        ...{ repair: { name: repair, options: {} }, allowedDrop: 0.02, heldOut: 0.2 },
      },
      {
        ...{ kind: "repair", before, oracle: after, deployable: after, deployed: before },
        curve: [{ step: 0, loss: null, estimatedDrop: null, ...before }, after],
        ...{ claimed: true, keptDrop: cda >= 0.93, stopped: null },
      },
    );
    return this;
  }

  /**
   * @param size of the smallest trigger, which Neural Cleanse ranks models by
   * @param target of the class that leads; models are poisoned for class 0
   */
  detection(
    model: ModelResult,
    detector: string,
    { score = 0, size = 1, cosine = 0.1, target = 0 } = {},
  ): this {
    const found: DetectionOutcome["classes"][number] = {
      ...{ target, score, size, found: true, kept: share(0.8) },
      success: { suspect: share(0.9), repaired: share(0.1) },
    };
    this.#add(
      {
        ...{
          kind: "detection",
          model: model.key,
          trusted: 100,
          pool: POOL,
          repair: null,
          heldOut: 0.2,
          seed: 0,
        },
        detector: { name: detector, options: {} },
      },
      {
        ...{ kind: "detection", statistic: "score", score, classes: [found] },
        fidelity: model.config.attack === null ? null : { cosine, iou: 0, psnr: 20 },
      },
    );
    return this;
  }

  #add(config: Trial["config"], outcome: Trial["outcome"]): Trial {
    const key = `trial ${this.#trials.length}`;
    const trial = { key, label: key, config, outcome, trigger: null };
    this.#trials.push(trial);
    return trial;
  }
}
