import { parse } from "csv-parse/sync";
import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { readText } from "./files.ts";

/** What a table says about one image. */
export interface LabelledName {
  /** Path of the image as the table has it, with "/" between the parts. */
  readonly file: string;
  /** Class name or index. */
  readonly label: string;
  /** Where in the table it stands, for messages: "line 3". */
  readonly place: string;
}

/** Names of the columns with file names and with labels. */
export interface LabelColumns {
  readonly file: string;
  readonly label: string;
}

/** A row by column names, and where it stands. */
export interface Row {
  readonly cells: Readonly<Record<string, string>>;
  readonly place: string;
}

/** Names of columns with file names and with labels, the plainest first; case and separators do not matter. */
const FILE_COLUMNS = [
  "file_name",
  "filename",
  "file_path",
  "filepath",
  "path",
  "file",
  "image_path",
  "image_name",
  "image_file",
  "image",
  "image_id",
  "id",
];
const LABEL_COLUMNS = ["label", "class", "class_name", "label_name", "category", "target"];

/** Room for a million rows; bounds what a hostile table can ask for. */
const MAX_BYTES = 128 * 2 ** 20;

/** Whether a file name is that of a table as it is read here. */
export function isTable(name: string): boolean {
  return /\.(csv|tsv|jsonl)$/i.test(name);
}

/**
 * Reads a table: CSV with a header (commas, semicolons or tabs, quotes as usual), or JSON Lines.
 * @throws `DATA_NOT_FOUND`; `DATA_INVALID` if it is damaged, too large, or has no rows
 */
export async function readTable(path: string): Promise<Row[]> {
  const text = await readText(path, MAX_BYTES);
  const rows = /\.jsonl$/i.test(path) ? jsonRows(text, path) : csvRows(text, path);
  if (rows.length === 0) throw invalid(path, "has no rows", "Add one for each image.");
  return rows;
}

/**
 * What the rows say, by the columns that `labelColumns` found.
 * @throws `DATA_INVALID` for an empty cell, or a file that is named twice
 */
export function labelledNames(
  rows: readonly Row[],
  columns: LabelColumns,
  path: string,
): LabelledName[] {
  const seen = new Map<string, string>();
  return rows.map(({ cells, place }) => {
    const [file, label] = [columns.file, columns.label].map((name) => cells[name]?.trim() ?? "");
    if (!file || !label) {
      throw invalid(path, `has no ${file ? "label" : "file name"} in ${place}`, "Complete it.");
    }
    const before = seen.get(file);
    if (before !== undefined) {
      const message = `names "${file}" twice, in ${before} and in ${place}`;
      throw invalid(path, message, "Keep one of them.");
    }
    seen.set(file, place);
    return { file: file.replaceAll("\\", "/"), label, place };
  });
}

function csvRows(text: string, path: string): Row[] {
  const [header = ""] = text.split("\n", 1);
  const delimiter = ["\t", ";", ","].find((mark) => header.includes(mark)) ?? ",";
  try {
    const records = parse(text, {
      columns: true,
      trim: true,
      bom: true,
      delimiter,
      skip_empty_lines: true,
      info: true,
    }) as unknown as readonly { record: Record<string, string>; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ cells: record, place: `line ${info.lines}` }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(path, `is no CSV: ${reason}`, "Save it as CSV with a header again.", cause);
  }
}

const JSON_ROW = z.record(z.string(), z.unknown());

function jsonRows(text: string, path: string): Row[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    let content: unknown;
    try {
      content = JSON.parse(line);
    } catch (cause) {
      throw invalid(path, `holds no JSON in ${place}`, "Give one JSON object on each line.", cause);
    }
    const row = JSON_ROW.safeParse(content);
    if (!row.success) {
      throw invalid(path, `holds no object in ${place}`, "Give one JSON object on each line.");
    }
    const cells = Object.entries(row.data).flatMap(([key, value]) =>
      typeof value === "string" || typeof value === "number" ? [[key, String(value)]] : [],
    );
    return [{ cells: Object.fromEntries(cells) as Row["cells"], place }];
  });
}

/**
 * The columns that the header names as file names and labels; undefined if it names none. Where several hold labels,
 * they must say the same.
 * @throws `DATA_INVALID` if they do not
 */
export function labelColumns(rows: readonly Row[], path: string): LabelColumns | undefined {
  const header = headerOf(rows);
  const of = (known: readonly string[]) =>
    known.flatMap((wanted) => header.filter((name) => plainName(name) === wanted));
  const [file] = of(FILE_COLUMNS);
  const labels = of(LABEL_COLUMNS);
  const [label] = labels;
  if (file === undefined || label === undefined) return undefined;
  const other = labels.slice(1).find((name) => !saysTheSame(rows, label, name));
  if (other !== undefined) {
    const message = `holds labels in "${label}" and in "${other}", which differ`;
    throw invalid(path, message, "Remove or rename the column that is not meant.");
  }
  // Of an index and a name for it, the name says more.
  const isIndex = (name: string) => rows.every(({ cells }) => /^\d+$/.test(cells[name] ?? ""));
  return { file, label: labels.find((name) => !isIndex(name)) ?? label };
}

/** The error for a table in which `labelColumns` finds nothing. */
export function noColumns(rows: readonly Row[], path: string): AntidoteError {
  const header = headerOf(rows).slice(0, 12).join(", ");
  return invalid(
    path,
    `needs a column of file names and one of labels, but its header is: ${header}`,
    `Call them file_name and label; known are ${FILE_COLUMNS.join(", ")} and ${LABEL_COLUMNS.join(", ")}.`,
  );
}

function headerOf([first]: readonly Row[]): string[] {
  return Object.keys(first?.cells ?? {});
}

/** Whether two columns part the rows into the same classes. */
function saysTheSame(rows: readonly Row[], one: string, other: string): boolean {
  const matches = (from: string, to: string) => {
    const partner = new Map<string | undefined, string | undefined>();
    return rows.every(({ cells }) => {
      if (!partner.has(cells[from])) partner.set(cells[from], cells[to]);
      return partner.get(cells[from]) === cells[to];
    });
  };
  return matches(one, other) && matches(other, one);
}

function plainName(column: string): string {
  return column
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");
}

function invalid(path: string, what: string, next: string, cause?: unknown): AntidoteError {
  return new AntidoteError("DATA_INVALID", `"${path}" ${what}.`, { place: path, next, cause });
}
