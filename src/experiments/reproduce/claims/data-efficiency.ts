import { TABLED_ATTACKS, TABLED_REPAIRS } from "../paper.ts";
import { REPAIRED } from "../repaired.ts";
import type { Results } from "../results.ts";
import { type Finding, missing, models } from "./finding.ts";

const OURS = "pivotal-tuning";

/** How many trusted images a repair needs for every attack, as far as that is known. */
type Needed =
  | { readonly r: number }
  /** No number that was tried is enough. */
  | "never"
  /** Fewer are not enough, and whether so many are has not been measured for every attack. */
  | { readonly unknownFrom: number };

/** Pivotal Tuning needs no more than half of the trusted images that any other repair needs. */
export function dataEfficiency(results: Results): Finding {
  const attacked = TABLED_ATTACKS.map((attack) => results.modelsOf(attack)).filter((each) =>
    each.some((one) => one.outcome),
  );
  const measured = TABLED_REPAIRS.filter((repair) =>
    attacked.some((each) => results.repairs(each, repair).some(({ outcome }) => outcome)),
  );
  if (!measured.includes(OURS) || measured.length < 2) return missing("repairs of Table III");
  const found = measured.map((repair) => ({ repair, needs: needed(results, repair) }));
  const said = found.map(({ repair, needs }) => `${repair} ${inWords(needs)}`).join(", ");
  const most = Math.max(...attacked.map(({ length }) => length));
  const evidence = `trusted images that repair every attack, of which there ${most === 1 ? "is" : "are up to"} ${models(most)} each: ${said}`;
  const ours = found.find(({ repair }) => repair === OURS)!.needs;
  if (ours === "never") return { verdict: "fails", evidence };
  if ("unknownFrom" in ours) return { verdict: "undecided", evidence };
  const others = found.filter(({ repair }) => repair !== OURS).map(({ needs }) => needs);
  const asGood = (needs: Needed) => needs !== "never" && "r" in needs && needs.r < 2 * ours.r;
  if (others.some(asGood)) return { verdict: "fails", evidence };
  // What is not known from twice as many images on makes no difference.
  const open = (needs: Needed) =>
    needs !== "never" && "unknownFrom" in needs && needs.unknownFrom < 2 * ours.r;
  return { verdict: others.some(open) ? "undecided" : "holds", evidence };
}

function needed(results: Results, repair: string): Needed {
  for (const r of results.trusted) {
    const repaired = TABLED_ATTACKS.flatMap((attack) => {
      const models = results.modelsOf(attack);
      const left = results.repairs(models, repair, r).map(({ outcome }) => outcome?.oracle);
      return models.length === 0 ? [] : [left.length > 0 && left.every((at) => at) ? left : null];
    }).map((left) => left?.every((at) => at!.attackSuccess!.value <= REPAIRED));
    if (repaired.includes(false)) continue;
    if (repaired.includes(undefined)) return { unknownFrom: r };
    return { r };
  }
  return "never";
}

function inWords(needs: Needed): string {
  if (needs === "never") return "never";
  return "r" in needs ? `r = ${needs.r}` : `not measured from r = ${needs.unknownFrom} on`;
}
