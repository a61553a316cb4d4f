import type { Random } from "../core/random.ts";
import { bootstrappedRoc, type Estimate } from "../core/ranking.ts";

/** `Detect` of a game: the score of a model, larger for a suspicious one. It sees trusted images and the model alone. */
export type Detect<Model> = (model: Model) => Promise<number>;

/** One round of the game. */
export interface Round {
  /** The coin, line 6: 0 for the poisoned model, 1 for the clean one. */
  readonly coin: 0 | 1;
  readonly score: number;
  /** What the detector names, line 8. */
  readonly named: 0 | 1;
  /** A_detect, line 9. */
  readonly right: boolean;
}

/**
 * The Data Poisoning Detectability Game (Pick your Poison, Algorithm 2), from the coin on: lines 2 to 5 are
 * `trainSuspect` with and without an attacker, from the same initial weights.
 * @param models θ₀, trained on poisoned data, and θ₁, on clean data of the same size
 * @param threshold score from which a model is named poisoned
 */
export async function detectabilityGame<Model>(
  models: readonly [poisoned: Model, clean: Model],
  detect: Detect<Model>,
  threshold: number,
  random: Random,
): Promise<Round> {
  const coin = random.chance(0.5) ? 0 : 1; // 6
  const score = await detect(models[coin]); // 7, 8
  const named = score >= threshold ? 0 : 1;
  return { coin, score, named, right: named === coin }; // 9
}

/** ρ_m: what a detector is worth over all thresholds and a set of models. */
export interface Detectability extends Estimate {
  /** Number of poisoned and of clean models. */
  readonly models: readonly [poisoned: number, clean: number];
}

/**
 * The detectability ρ_m of an attack, as the ROC AUC of the scores of poisoned against clean models, with the 95 %
 * interval of a bootstrap over models. It is the expected success of the game over pairs of models if the detector
 * sees both and names the one with the higher score.
 */
export function detectability(
  poisoned: readonly number[],
  clean: readonly number[],
  random: Random,
): Detectability {
  return {
    ...bootstrappedRoc(poisoned, clean, random),
    models: [poisoned.length, clean.length],
  };
}
