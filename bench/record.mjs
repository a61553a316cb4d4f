import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The runs that a record holds already: none where there is no such file yet. */
export function runsIn(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).runs : [];
}

/** Whether one of the runs has exactly these fields. */
export function holds(runs, about) {
  return runs.some((run) =>
    Object.entries(about).every(
      ([key, value]) => JSON.stringify(run[key]) === JSON.stringify(value),
    ),
  );
}

/** Writes a record, and the folder it goes into. */
export function writeRecord(file, document) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(document, null, 1)}\n`);
}

/** A value as a table or a file's name says it: a number to three digits, anything else as it is. */
export function short(value) {
  return typeof value === "number" ? Number(value.toPrecision(3)) : value;
}
