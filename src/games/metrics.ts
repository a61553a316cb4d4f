import { type Estimate, meanWithInterval } from "../core/statistics.ts";
import type { Judgement } from "./judge.ts";

/*
 * The quantities of Pick your Poison, Section III, over the games that were played, with Student's 95 % intervals over models.
 * Detectability ρ_m is in `detectability.ts`.
 */

/** A_CDA − A_ASR of one game, in [−1,1]; null without an attack. */
export function gameValue({ accuracy, attackSuccess }: Judgement): number | null {
  return attackSuccess && accuracy.value - attackSuccess.value;
}

/** Succ = E[A_CDA − A_ASR], what a defence is worth. Throws `INTERNAL` without games. */
export function defenceEffectiveness(games: readonly Judgement[]): Estimate {
  return meanWithInterval(
    games.flatMap((game) => gameValue(game) ?? []),
    [-1, 1],
  );
}

/**
 * E[A_ASR]: the effectiveness η_m of an attack with at most m poisoned samples on undefended models, its robustness
 * η on models after a defence, and the data efficiency υ_r of a defence that had r trusted pairs, by which games
 * these are. Throws `INTERNAL` without games.
 */
export function expectedSuccess(games: readonly Judgement[]): Estimate {
  return meanWithInterval(
    games.flatMap(({ attackSuccess }) => attackSuccess?.value ?? []),
    [0, 1],
  );
}
