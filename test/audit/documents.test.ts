import { describe, expect, test } from "vitest";
import { z } from "zod";
import { detectRecord } from "../../src/audit/detect-record.ts";
import { errorRecord } from "../../src/audit/error-record.ts";
import { evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { galleryRecord } from "../../src/audit/gallery-record.ts";
import { inspectRecord } from "../../src/audit/inspect-record.ts";
import { poisonRecord } from "../../src/audit/poison-record.ts";
import { repairRecord } from "../../src/audit/repair-record.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { zeroShotRecord } from "../../src/audit/zero-shot-record.ts";
import {
  experimentExportRecord,
  experimentMergeRecord,
  experimentRunRecord,
  experimentShowRecord,
  experimentStatusRecord,
  forecastRecord,
  storeReportRecord,
} from "../../src/experiments/grid/documents.ts";
import { trialRecord } from "../../src/experiments/grid/trial-record.ts";
import { reproduceRecord } from "../../src/experiments/reproduce/reproduce-record.ts";
import { searchRecord } from "../../src/experiments/search/search-record.ts";

type Schema = z.core.JSONSchema.BaseSchema;

/** Documents whose schema has changed since it was first published. */
const VERSIONS: Readonly<Record<string, number>> = {
  detectRecord: 4,
  evaluateRecord: 3,
  experimentStatusRecord: 2,
  inspectRecord: 2,
  repairRecord: 4,
  reproduceRecord: 2,
  searchRecord: 3,
  trainRecord: 4,
  trialRecord: 2,
};

describe.each(
  Object.entries({
    detectRecord,
    errorRecord,
    evaluateRecord,
    experimentExportRecord,
    experimentMergeRecord,
    experimentRunRecord,
    experimentShowRecord,
    experimentStatusRecord,
    forecastRecord,
    galleryRecord,
    inspectRecord,
    poisonRecord,
    repairRecord,
    reproduceRecord,
    searchRecord,
    storeReportRecord,
    trainRecord,
    trialRecord,
    zeroShotRecord,
  }),
)("%s", (name, schema) => {
  const described = z.toJSONSchema(schema) as Schema;

  test("says its version and its kind", () => {
    expect(described.properties?.["schemaVersion"]).toMatchObject({ const: VERSIONS[name] ?? 1 });
    expect(described.properties?.["document"]).toHaveProperty("const");
  });

  test("refuses unknown fields everywhere, options aside", () => {
    const open: string[] = [];
    visit(described, "", (object, path) => {
      if (object.properties && object.additionalProperties !== false) open.push(path);
    });
    expect(open).toEqual([]);
  });

  test("describes every number", () => {
    const undescribed: string[] = [];
    visit(described, "", (field, path) => {
      const isNumber = field.type === "number" || field.type === "integer";
      if (isNumber && !field.description && !path.endsWith("[]")) undescribed.push(path);
    });
    expect(undescribed).toEqual([]);
  });
});

/** Calls `look` for a schema and every schema inside it. */
function visit(schema: Schema, path: string, look: (schema: Schema, path: string) => void): void {
  look(schema, path);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    visit(child as Schema, `${path}.${name}`, look);
  }
  for (const child of [schema.items, ...(schema.anyOf ?? schema.oneOf ?? [])]) {
    if (typeof child === "object" && !Array.isArray(child)) visit(child, `${path}[]`, look);
  }
}
