import { stringify } from "csv-stringify/sync";
import { parquetWriteBuffer } from "hyparquet-writer";
import { COLUMNS, type Row } from "./rows.ts";

/** Formats of exports, each with what it is good for. */
export const EXPORT_FORMATS = ["csv", "parquet", "json"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Rows in a format that notebooks read. */
export function exportRows(rows: readonly Row[], format: ExportFormat): Uint8Array {
  switch (format) {
    case "csv":
      return new TextEncoder().encode(asCsv(rows));
    case "json":
      return new TextEncoder().encode(`${JSON.stringify(rows, null, 2)}\n`);
    case "parquet":
      return asParquet(rows);
  }
}

function asCsv(rows: readonly Row[]): string {
  const columns = COLUMNS.map(({ name }) => name);
  const cast = { boolean: (value: boolean) => String(value) };
  return stringify([...rows], { header: true, columns, cast });
}

function asParquet(rows: readonly Row[]): Uint8Array {
  const columnData = COLUMNS.map(({ name, type }) => ({
    name,
    type,
    nullable: true,
    data: rows.map((row) => row[name]),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
