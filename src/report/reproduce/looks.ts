import type { Chart, Series } from "../../experiments/reproduce/artefact.ts";
import { MUTED } from "../charts/plot.ts";
import { modelsWords, NOT_MEASURED } from "./words.ts";

/** How a series is drawn, so that it can be told from the others without its colour, too. */
export interface Look {
  readonly series: Series;
  readonly colour: string;
  /** Position among the series of its kind. */
  readonly at: number;
  readonly symbol: "circle" | "square" | "triangle" | "diamond";
}

const COLOURS = 6;
const SYMBOLS = ["circle", "square", "triangle"] as const;

/** The looks of all series: what belongs to another series has its colour, the paper's numbers are diamonds. */
export function looksOf({ series }: Chart): Look[] {
  const own = series.filter(({ beside, paper }) => beside === undefined && !paper);
  const colourOf = (name: string | undefined) => {
    const at = own.findIndex((other) => other.name === name);
    return at < 0 ? MUTED : `var(--series-${(at % COLOURS) + 1})`;
  };
  return series.map((one) => ({
    series: one,
    at: series.filter(({ mark }) => mark === one.mark).indexOf(one),
    colour: colourOf(one.beside ?? one.name),
    symbol: one.paper ? "diamond" : (SYMBOLS[own.indexOf(one) % SYMBOLS.length] ?? "circle"),
  }));
}

/** "ASR, n = 3", "AUC neural-cleanse, n = 3 to 6 and 10 clean" */
export function seriesWords({ name, mark, points }: Series): string {
  if (points.length === 0) return `${name}: ${NOT_MEASURED}`;
  // A front is made of points that are there already.
  if (mark === "front") return name;
  const counts = points.flatMap(({ n }) => n ?? []);
  if (counts.length === 0) return name;
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const against = points.flatMap((point) => point.against ?? []);
  const words = modelsWords({
    n: fewest,
    ...(against.length > 0 ? { against: Math.max(...against) } : {}),
  });
  return `${name}, ${most > fewest ? words.replace(String(fewest), `${fewest} to ${most}`) : words}`;
}
