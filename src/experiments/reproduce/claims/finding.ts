import { proportion } from "../../../core/statistics.ts";

/** What the evidence says about a claim. */
export interface Finding {
  readonly verdict: "holds" | "fails" | "undecided";
  readonly evidence: string;
}

export function missing(what: string): Finding {
  return { verdict: "undecided", evidence: `not measured: ${what}` };
}

/**
 * Whether something holds for most of the planned cases: where the 95 % interval of the share lies on one side of a half, however
 * the cases come out that have not been measured.
 * @param said the evidence, to which the interval is added
 */
export function mostly(
  holding: number,
  { measured, planned }: { readonly measured: number; readonly planned: number },
  said: string,
): Finding {
  const { low, high } = proportion(holding, measured);
  const open = planned - measured;
  const evidence = [
    `${said} (95 % interval of the share ${percent(low, 0)} to ${percent(high, 0)})`,
    ...(open > 0 ? [`${open} more are not measured`] : []),
  ].join("; ");
  if (proportion(holding, planned).low > 0.5) return { verdict: "holds", evidence };
  const most = proportion(holding + open, planned).high;
  return { verdict: most < 0.5 ? "fails" : "undecided", evidence };
}

/** A share in [0,1] in words. */
export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** "one model", "3 models" */
export function models(count: number): string {
  return count === 1 ? "one model" : `${count} models`;
}
