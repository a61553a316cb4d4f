import type { NumberCell, TableCell } from "../../experiments/reproduce/artefact.ts";
import type { Measured } from "../../experiments/reproduce/measured.ts";
import { percent, score } from "../format.ts";

/** What stands where a number is not there. */
export const NOT_MEASURED = "not measured";

type Quantity = NumberCell["as"];

/** A number of ours: "91.8%", "0.76", "2000". */
export function numberWords(as: Quantity, value: number): string {
  switch (as) {
    case "share":
      return percent(value);
    case "auc":
      return score(value);
    case "option":
      return String(value);
  }
}

/** A number of the paper, with no more digits than it has there: "3%", "95.2%". */
export function paperWords(as: Quantity, value: number): string {
  return as === "share" ? `${Number((100 * value).toFixed(1))}%` : numberWords(as, value);
}

/** "90.1 to 93.3%"; null where there is none. */
export function intervalWords(as: Quantity, { low, high }: Measured): string | null {
  if (low === null || high === null) return null;
  const [from, to] = [numberWords(as, low), numberWords(as, high)];
  return `${as === "share" ? from.slice(0, -1) : from} to ${to}`;
}

/** "n = 3", "n = 6 and 10 clean" */
export function modelsWords({ n, against }: Pick<Measured, "n" | "against">): string {
  return against === undefined ? `n = ${n}` : `n = ${n} and ${against} clean`;
}

/** The parts of a cell: the number itself, what it rests on, and the paper's number. */
export interface CellWords {
  readonly ours: string;
  /** "90.1 to 93.3%, n = 3"; null for what has neither. */
  readonly basis: string | null;
  readonly paper: string | null;
}

export function cellParts({ as, measured, paper }: NumberCell): CellWords {
  const beside = paper === null ? null : `paper ${paperWords(as, paper)}`;
  if (!measured) return { ours: NOT_MEASURED, basis: null, paper: beside };
  const basis = [intervalWords(as, measured), modelsWords(measured)].filter((part) => part);
  return {
    ours: numberWords(as, measured.value),
    // An option is no measurement of models.
    basis: as === "option" ? null : basis.join(", "),
    paper: beside,
  };
}

/** A cell in a line: "91.8% (90.1 to 93.3%, n = 3); paper 95.2%". */
export function cellWords(cell: TableCell): string {
  if (typeof cell === "string") return cell;
  const { ours, basis, paper } = cellParts(cell);
  return `${ours}${basis === null ? "" : ` (${basis})`}${paper === null ? "" : `; ${paper}`}`;
}

/** What tables with such numbers need to be read. */
export function readingNotes(cells: readonly TableCell[]): string[] {
  const numbers = cells.filter((cell) => typeof cell !== "string");
  if (!numbers.some(({ as }) => as !== "option")) return [];
  return [
    "Every number has its 95 % interval over n models (Student's of a mean; of an ROC AUC a bootstrap, no narrower than Newcombe's; one model alone has none), and the paper's beside it.",
  ];
}
