import { z } from "zod";
import type { Detector } from "../detectors/detector.ts";
import { type Screening, type ScreeningPlan, TOURNAMENT } from "../inversion/screen-classes.ts";
import { FAMILY_NAMES } from "../inversion/trigger-family.ts";
import type { Classifier } from "../models/classifier.ts";
import { imagesFitting } from "../models/memory.ts";
import { inBytes } from "./memory.ts";
import type { AuditOptions, Configured } from "./options.ts";
import type { AuditRecord } from "./record.ts";

/** Classes from which on a cheap search of all of them comes before the full one. */
export const SCREENED_FROM = 64;

/** Classes that screening picks for the full search, if nobody says how many. */
const SURVIVORS = 16;

/**
 * Classes drawn at random beside them: the null distribution, so fewer would leave its spread unknown. With eight,
 * seven degrees of freedom are left where one of them leads.
 */
export const CONTROLS = 8;

/** The kinds of trigger that a detector searches; detectors without any are screened for by patches and smooth patterns. */
const FAMILIES = z.object({
  families: z.array(z.enum(FAMILY_NAMES)).default(["masked", "smooth"]),
});

/** How the classes of a model are screened; undefined where all of them are searched. */
export async function screeningFor(
  { screen, memory }: Pick<AuditOptions, "screen" | "memory">,
  { config }: Configured<Detector>,
  model: Classifier,
): Promise<ScreeningPlan | undefined> {
  const { classes } = model;
  const survivors = screen ?? (classes >= SCREENED_FROM ? SURVIVORS : 0);
  // There is nothing to save where nearly all classes would be searched after all.
  if (survivors === 0 || survivors + CONTROLS >= classes) return undefined;
  const { families } = FAMILIES.parse(config);
  const fitting = await imagesFitting([model], inBytes(memory));
  const groupsPerStep = Math.max(1, Math.floor(fitting / TOURNAMENT.images));
  return { survivors, controls: CONTROLS, families, groupsPerStep };
}

/** Screening as records state it. */
export function describeScreening(
  screening: Screening | undefined,
  names: readonly string[],
): AuditRecord["screening"] {
  if (!screening) return null;
  const { survivors, controls, ranking, targets } = screening;
  const examined = new Set(targets);
  const named = (indices: readonly number[]) =>
    indices.map((index) => ({ index, name: names[index]! }));
  return {
    survivors: named(survivors),
    controls: named(controls),
    screenedOut: ranking.filter((index) => !examined.has(index)),
  };
}
