import type { Configured } from "../audit/options.ts";
import { divideTrusted } from "../audit/prepare.ts";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { rocWithInterval } from "../core/ranking.ts";
import type { Estimate } from "../core/statistics.ts";
import type { ImageSet } from "../data/images.ts";
import type { Detector } from "../detectors/detector.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Attacker } from "./collect.ts";
import {
  type Board,
  type Collectors,
  type Defence,
  repairAndChoose,
  type Suspect,
  trainSuspect,
} from "./robustness.ts";

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
 * Lines 6 to 9 of Algorithm 2, with models that are there.
 * @param models θ₀, trained on poisoned data, and θ₁, on clean data of the same size
 * @param threshold score from which a model is named poisoned
 */
export async function detectabilityRound<Model>(
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

/** How the defender looks at a model that is there. */
export interface Inspection extends Pick<Defence, "allowedDrop" | "heldOut"> {
  readonly detector: Configured<Detector>;
  /** Makes the copy that some detectors compare a model with; these must have it. */
  readonly reference?: Configured<Repair> | undefined;
  /** Score from which a model is named poisoned. */
  readonly threshold: number;
}

/** A game from its beginning. */
export interface PlayedRound extends Round {
  /** θ₀ and θ₁, between which the coin chose. */
  readonly models: readonly [poisoned: Suspect, clean: Suspect];
}

/**
 * The Data Poisoning Detectability Game (Pick your Poison, Algorithm 2) from its beginning. Both models are trained with
 * the same random numbers, so from the same initial weights θ_init. The paper's game has no sanitizer; one that is named
 * filters both training sets, and a slot that is empty is the identity.
 * @param collectors with an attacker: without one, the models would be the same
 * @throws `INVALID_CONFIG` if the detector compares and has no reference; `TOO_FEW_IMAGES`; the errors of the methods that play
 */
export async function detectabilityGame(
  context: RunContext,
  collectors: Collectors & { readonly attacker: Attacker },
  inspection: Inspection,
  { clean, trusted }: Pick<Board, "clean" | "trusted">,
): Promise<PlayedRound> {
  const detect = inspecting(context, inspection, trusted); // 7
  const poisoned = await trainSuspect(context, collectors, clean); // 2, 4
  const honest = await trainSuspect(context, { ...collectors, attacker: undefined }, clean); // 3, 5
  const models = [poisoned.model, honest.model] as const;
  const coins = context.random.fork("coin");
  const round = await detectabilityRound(models, detect, inspection.threshold, coins); // 6, 8, 9
  return { ...round, models: [poisoned, honest] }; // 10
}

/** Lines 7 and 8: `Detect` by a detector with trusted images. What is wrong with either is found before it is asked. */
function inspecting(
  context: RunContext,
  { detector: { method, config }, reference, allowedDrop, heldOut: share }: Inspection,
  trusted: ImageSet,
): Detect<Classifier> {
  const { tuning: search, heldOut } = divideTrusted(trusted, share, context.random);
  const repair = method.needsRepair ? reference : undefined;
  if (method.needsRepair && !repair) {
    const message = `${method.name} compares a model with a repaired copy.`;
    const next = "Name the repair that makes the copy.";
    throw new AntidoteError("INVALID_CONFIG", message, { place: "reference", next });
  }
  return async (model) => {
    const compared = repair
      ? await repairAndChoose(context, { repair, allowedDrop, heldOut: share }, model, trusted)
      : { model };
    const own = { ...context, random: context.random.fork("detector") };
    const input = { model, repaired: compared.model, search, heldOut };
    return (await method.run(own, input, config)).score;
  };
}

/** ρ_m: what a detector is worth over all thresholds and a set of models. */
export interface Detectability extends Estimate {
  /** Number of poisoned and of clean models. */
  readonly models: readonly [poisoned: number, clean: number];
}

/**
 * The detectability ρ_m of an attack, as the ROC AUC of the scores of poisoned against clean models, with the 95 %
 * interval of `rocWithInterval` over models. It is the expected success of the game over pairs of models if the detector
 * sees both and names the one with the higher score.
 */
export function detectability(
  poisoned: readonly number[],
  clean: readonly number[],
  random: Random,
): Detectability {
  return {
    ...rocWithInterval(poisoned, clean, random),
    models: [poisoned.length, clean.length],
  };
}
