import type { TrialRecord } from "./trial-record.ts";

/** What came out of a trial, in a line. */
export function outcomeInWords({ outcome, duration }: TrialRecord): string {
  const percent = (share: { readonly value: number } | null) =>
    share === null ? "-" : `${(100 * share.value).toFixed(1)} %`;
  const pair = ({
    accuracy,
    attackSuccess,
  }: {
    readonly accuracy: { readonly value: number };
    readonly attackSuccess: { readonly value: number } | null;
  }) => `CDA ${percent(accuracy)}, ASR ${percent(attackSuccess)}`;
  const seconds = `${Math.round(duration)} s`;
  switch (outcome.kind) {
    case "model":
      return `${pair(outcome)} (${seconds})`;
    case "repair":
      return `${pair(outcome.before)} → oracle ${pair(outcome.oracle)}; shipped ${pair(outcome.deployed)} (${seconds})`;
    case "detection":
      return `score ${outcome.score.toFixed(3)} (${seconds})`;
  }
}
