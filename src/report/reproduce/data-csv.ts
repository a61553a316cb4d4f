import { stringify } from "csv-stringify/sync";
import type { Figure, Panel, Table } from "../../experiments/reproduce/artefact.ts";

/**
 * The numbers of a table, a line each: the words of its row, the column it stands in, ours with its interval and
 * numbers of models, and the paper's. Shares and areas are in [0,1]; what is not measured is empty. A table without
 * numbers is written as it is.
 */
export function tableCsv({ head, rows }: Table): string {
  const isWords = head.map((_, at) => rows.every((row) => typeof row[at] === "string"));
  if (isWords.every((words) => words))
    return stringify([[...head], ...rows.map((row) => [...row])]);
  const about = <T>(row: readonly T[]) => row.filter((_, at) => isWords[at]);
  const lines = rows.flatMap((row) =>
    row.flatMap((cell, at) => {
      if (typeof cell === "string") return [];
      const { value, low, high, n, against } = cell.measured ?? {};
      return [[...about(row), head[at], value, low, high, n, against, cell.paper]];
    }),
  );
  const columns = ["column", "value", "low", "high", "n", "against", "paper"];
  return stringify([[...about(head), ...columns], ...lines]);
}

const COLUMNS = [
  ...["panel", "series", "paper", "x", "xLow", "xHigh", "y", "low", "high", "n", "against"],
  ...["label", "marked", "picture"],
];

/** The points of a figure, a line each; of panels with pictures, their paths within the store. */
export function figureCsv({ panels }: Figure): string {
  const cast = { boolean: (value: boolean) => String(value) };
  return stringify(panels.flatMap(linesOf), { header: true, columns: COLUMNS, cast });
}

function linesOf(panel: Panel): Readonly<Record<string, unknown>>[] {
  if (panel.kind === "pictures") {
    return panel.pictures.map(({ path, caption }) => ({
      ...{ panel: panel.title, picture: path, label: caption },
    }));
  }
  return panel.series.flatMap(({ name, paper = false, points }) =>
    points.map((point) => ({ panel: panel.title, series: name, paper, ...point })),
  );
}
