import { z } from "zod";
import type { Deployment } from "../../src/deployments/deployment.ts";
import { REFUSED } from "../../src/deployments/deployment.ts";
import { undefended } from "../../src/deployments/undefended.ts";
import type { Detector } from "../../src/detectors/detector.ts";
import type { Weights } from "../../src/models/classifier.ts";
import type { Repair } from "../../src/repairs/repair.ts";
import type { Sanitized, Sanitizer } from "../../src/sanitizers/sanitizer.ts";

/* Players whose moves are known beforehand. Each notes what it was given. */

const nobody = {
  summary: "for tests",
  source: { paper: "", authors: "", year: 2026, deviations: [] },
  config: z.strictObject({}),
};

/** What a player was given when it was its turn. */
export type Log = { readonly player: string; readonly input: unknown }[];

/** A sanitizer that suspects what it is told to. */
export function suspecting(sanitized: Sanitized, log: Log): Sanitizer {
  return {
    ...nobody,
    name: "suspecting",
    async run(_, input) {
      log.push({ player: "sanitizer", input });
      return sanitized;
    },
  };
}

/** A repair that passes through these weights, ten steps apart. */
export function passingThrough(course: readonly Weights[], log: Log): Repair {
  return {
    ...nobody,
    name: "passing-through",
    space: {},
    async *run(_, input) {
      log.push({ player: "repair", input });
      for (const [at, weights] of course.entries()) {
        yield { step: 10 * (at + 1), loss: 1 / (at + 1), model: input.model.withWeights(weights) };
      }
    },
  };
}

/** A detector that compares a model with its repaired copy, and finds it as suspicious as it is told to. */
export function comparing(score: number, log: Log): Detector {
  return {
    ...nobody,
    name: "comparing",
    needsRepair: true,
    kinds: () => [],
    async run(_, input) {
      log.push({ player: "detector", input });
      return { statistic: "none", classes: [], score, looks: 1 };
    },
  };
}

/** Whether a reserved model refuses an image, by its answer and its place among those that it was asked. */
export const refuses = (answer: number, row: number) => answer % 3 === 2 || row % 5 === 0;

/** A deployment defence that refuses some images. */
export function reserved(log: Log): Deployment {
  return {
    ...nobody,
    name: "reserved",
    async run(context, input) {
      log.push({ player: "deployment", input });
      const inner = await undefended(context, input.model);
      return {
        async predict(images, options) {
          const answers = await inner.predict(images, options);
          return answers.map((answer, row) => (refuses(answer, row) ? REFUSED : answer));
        },
        release: () => inner.release(),
      };
    },
  };
}
