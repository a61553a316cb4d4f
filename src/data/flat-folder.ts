import { basename, join } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import { type Emit, silent } from "../core/progress.ts";
import { abridged, assignClasses, type ClassRules, LABELS } from "./classes.ts";
import {
  isTable,
  type LabelledName,
  labelColumns,
  labelledNames,
  noColumns,
  readTable,
} from "./label-table.ts";

/** An image file and its class. */
export interface LabelledFile {
  /** Path inside the folder that was named. */
  readonly name: string;
  readonly label: number;
}

/** The images of a folder with their classes. */
export interface LabelledFiles {
  readonly files: readonly LabelledFile[];
  readonly classNames: readonly string[];
  /** The rule that decided, in words for the user. */
  readonly rule: string;
}

/** Tables that count wherever they lie in a folder of images; others only where nothing else says classes. */
const USUAL = /^(labels|metadata)\.(csv|tsv|jsonl)$/i;

/**
 * The table of labels in a folder: `labels.csv` or `metadata.csv` (`.tsv`, `.jsonl`); in a folder without folders, also
 * the only table of another name.
 * @throws `DATA_INVALID` if there are several
 */
export function tableAmong(
  names: readonly string[],
  hasFolders: boolean,
  place: string,
): string | undefined {
  const usual = names.filter((name) => USUAL.test(name));
  const found = usual.length > 0 || hasFolders ? usual : names.filter(isTable);
  if (found.length <= 1) return found[0];
  throw new AntidoteError("DATA_INVALID", `"${place}" holds several tables: ${abridged(found)}.`, {
    place,
    next: `Say which one has the labels, e.g. --labels "${join(place, found[0]!)}".`,
  });
}

/**
 * The images that a table labels.
 * @param folder in which its file names count
 * @param present paths of all images in the folder
 * @param otherwise what to do with a table of other things; by default it is an error
 * @throws the errors of `readTable`, `labelColumns`, `labelledNames` and `assignClasses`; `DATA_INVALID` for a path
 *   that leaves the folder, or if the table names none of the images
 */
export async function labelledByTable(
  table: string,
  folder: string,
  present: readonly string[],
  rules: ClassRules & { readonly emit?: Emit | undefined },
  otherwise?: () => Promise<LabelledFiles>,
): Promise<LabelledFiles> {
  const cells = await readTable(table);
  const columns = labelColumns(cells, table);
  if (!columns) {
    if (otherwise) return otherwise();
    throw noColumns(cells, table);
  }
  const rows = labelledNames(cells, columns, table);
  const distinct = [...new Set(rows.map(({ label }) => label))];
  const { labels, classNames, rule } = await assignClasses(distinct, rules, table, LABELS);
  const labelOf = new Map(distinct.map((label, i) => [label, labels[i]!]));
  const find = fileFinder(present, folder);
  const files: LabelledFile[] = [];
  const taken = new Map<string, string>();
  for (const row of rows) {
    const name = find(inside(row, table));
    if (name === undefined) continue;
    const before = taken.get(name);
    if (before !== undefined) {
      throw new AntidoteError(
        "DATA_INVALID",
        `"${table}" names the image "${name}" twice, in ${before} and in ${row.place}.`,
        { place: table, next: "Keep one of them." },
      );
    }
    taken.set(name, row.place);
    files.push({ name, label: labelOf.get(row.label)! });
  }
  if (files.length === 0) {
    throw new AntidoteError("DATA_INVALID", `"${table}" names none of the images in "${folder}".`, {
      place: table,
      next: `Give file names as they are in the folder, e.g. "${present[0] ?? "0001.png"}", in the column "${columns.file}".`,
    });
  }
  tellTheRest(rows.length - files.length, present.length - files.length, table, rules.emit);
  return { files, classNames, rule: `${basename(table)} (${columns.label}), ${rule}` };
}

/** The path in a row, relative and without dots. Throws `DATA_INVALID` if it leaves the folder. */
function inside({ file, place }: LabelledName, table: string): string {
  const parts = file.split("/").filter((part) => part !== "." && part !== "");
  const isAbsolute = file.startsWith("/") || /^[a-z]:/i.test(file);
  if (!isAbsolute && !parts.includes("..")) return parts.join("/");
  throw new AntidoteError(
    "DATA_INVALID",
    `"${table}" names "${file}" in ${place}, which is not a path inside the folder of the images.`,
    { place: table, next: "Give file names relative to the folder of the images." },
  );
}

/** Finds images by their path, by that with the folder's own name in front, or without its ending if that is clear. */
function fileFinder(
  present: readonly string[],
  folder: string,
): (file: string) => string | undefined {
  // macOS writes accents as characters of their own.
  const plain = (name: string) => name.normalize("NFC");
  const all = new Map(present.map((name) => [plain(name), name]));
  const byStem = new Map<string, string | undefined>();
  for (const [written, name] of all) {
    const stem = written.replace(/\.[^./]+$/, "");
    byStem.set(stem, byStem.has(stem) ? undefined : name);
  }
  const own = `${plain(basename(folder))}/`;
  return (file) => {
    const whole = plain(file);
    const short = whole.startsWith(own) ? whole.slice(own.length) : whole;
    return all.get(whole) ?? all.get(short) ?? byStem.get(whole) ?? byStem.get(short);
  };
}

function tellTheRest(rows: number, images: number, table: string, emit: Emit = silent): void {
  const parts = [
    ...(rows > 0 ? [`${rows} of its rows name no image in the folder`] : []),
    ...(images > 0 ? [`${images} images in the folder have no row`] : []),
  ];
  if (parts.length === 0) return;
  const message = `${basename(table)}: ${parts.join(", ")}; they are left out.`;
  emit({ kind: "warning", stage: "images", message });
}
