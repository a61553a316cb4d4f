import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type AuditRecord, auditRecord, leadingClass } from "../../src/audit/record.ts";
import * as fixtures from "../report/fixtures/records.ts";

const { backdoored, noEvidence, thousand } = fixtures;

/** Paths of all objects in a document whose fields the schema fixes. */
function objectPaths(
  value: unknown,
  path: readonly (string | number)[] = [],
): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  // Options of methods are free, and one element stands for a whole list.
  if (path.at(-1) === "options" || path.join(".") === "config.audit") return [];
  const entries = Array.isArray(value) ? [...value.entries()].slice(0, 1) : Object.entries(value);
  const below = entries.flatMap(([key, child]) => objectPaths(child, [...path, key]));
  return Array.isArray(value) ? below : [[...path], ...below];
}

function changed(record: AuditRecord, change: (copy: Record<string, unknown>) => void): unknown {
  const copy = structuredClone(record) as unknown as Record<string, unknown>;
  change(copy);
  return copy;
}

describe("the audit's document", () => {
  test.each(Object.entries(fixtures))("%s survives JSON unchanged", (_, record) => {
    expect(auditRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
  });

  test("refuses an unknown field in every object", () => {
    const paths = objectPaths(backdoored);
    expect(paths.length).toBeGreaterThan(30);
    for (const path of paths) {
      const document = changed(backdoored, (copy) => {
        let at: unknown = copy;
        for (const key of path) at = (at as Record<string | number, unknown>)[key];
        (at as Record<string, unknown>)["surprise"] = 1;
      });
      expect(auditRecord.safeParse(document).success, path.join(".")).toBe(false);
    }
  });

  test("refuses a document that lacks a field", () => {
    for (const field of Object.keys(backdoored)) {
      const document = changed(backdoored, (copy) => delete copy[field]);
      expect(auditRecord.safeParse(document).success, field).toBe(false);
    }
  });

  test("describes every field", () => {
    const undescribed: string[] = [];
    const visit = (schema: z.core.JSONSchema.BaseSchema, path: string): void => {
      for (const [name, child] of Object.entries(schema.properties ?? {})) {
        const field = child as z.core.JSONSchema.BaseSchema;
        if (!field.description) undescribed.push(`${path}.${name}`);
        visit(field, `${path}.${name}`);
      }
      for (const child of [schema.items, ...(schema.anyOf ?? [])]) {
        if (typeof child === "object" && !Array.isArray(child)) visit(child, `${path}[]`);
      }
    };
    visit(z.toJSONSchema(auditRecord), "");
    expect(undescribed).toEqual([]);
  });

  test.each([
    ["a target without the verdict", { targetClass: { index: 3, name: "cat" } }, noEvidence],
    ["a verdict without a target", { targetClass: null }, backdoored],
    ["a target that was not examined", { targetClass: { index: 10, name: "yacht" } }, backdoored],
    ["a score that no class has", { score: 0.5 }, backdoored],
    ["another schema version", { schemaVersion: 1 }, backdoored],
    ["a score that is not finite", { score: Number.NaN }, backdoored],
    ["nothing untested", { notTested: [] }, backdoored],
    [
      "an interval without its value",
      {
        accuracy: { ...backdoored.accuracy, after: { value: 0.5, low: 0.6, high: 0.7, count: 9 } },
      },
      backdoored,
    ],
    [
      "no chosen checkpoint",
      { repair: { ...backdoored.repair, curve: backdoored.repair.curve.slice(0, 2) } },
      backdoored,
    ],
    ["thresholds out of order", { rule: { ...backdoored.rule, noEvidenceBelow: 0.9 } }, backdoored],
  ])("refuses %s", (_, change, record) => {
    expect(auditRecord.safeParse({ ...record, ...change }).success).toBe(false);
  });
});

describe("leadingClass", () => {
  test("is the target class, else the highest score", () => {
    expect(leadingClass(thousand).index).toBe(417);
    expect(leadingClass(noEvidence).name).toBe("truck");
    const target = { index: 0, name: "airplane" };
    expect(leadingClass({ ...backdoored, targetClass: target }).index).toBe(0);
  });
});
