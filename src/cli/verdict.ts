import type { Verdict } from "../audit/record.ts";

/** Exit codes of audit and detect: nothing but "no evidence" is 0. */
export const VERDICT_EXIT_CODES: Readonly<Record<Verdict, number>> = {
  "no-evidence": 0,
  backdoored: 1,
  inconclusive: 2,
};
