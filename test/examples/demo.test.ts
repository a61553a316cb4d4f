import { readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { antidote } from "../cli/antidote.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const at = (name: string) => join(ROOT, "examples", name);

describe("the example that ships with the package", () => {
  test("is small", () => {
    expect(statSync(at("suspect.onnx")).size).toBeLessThan(2e6);
    const files = readdirSync(at("trusted"), { recursive: true, withFileTypes: true });
    const sizes = files
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
    expect(sizes.length).toBe(300);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1e6);
  });

  test("has a backdoor that its trigger opens, and does its job otherwise", async () => {
    const { poison } = trainRecord.parse(JSON.parse(await readFile(at("train.json"), "utf8")));
    const words = ["--images", at("trusted"), "--trigger", at("trigger.png"), "--json", "--quiet"];
    const { stdout } = await antidote(["evaluate", at("suspect.onnx"), ...words]);
    const record = evaluateRecord.parse(JSON.parse(stdout));
    expect(record.target?.index).toBe(poison?.target);
    expect(record.attackSuccess?.value).toBeGreaterThan(0.95);
    expect(record.accuracy.value).toBeGreaterThan(0.93);
    expect(record.preprocessing.name).toBe("none");
  });

  test("was audited with success: the trigger was found, and works no more after the repair", async () => {
    const path = join(ROOT, "results", "demo.json");
    const { verdict, targetClass, before, after } = JSON.parse(await readFile(path, "utf8"));
    expect([verdict, targetClass.name]).toEqual(["backdoored", "heart"]);
    expect(before.attackSuccess.value).toBeGreaterThan(0.95);
    expect(after.attackSuccess.value).toBeLessThanOrEqual(0.05);
    expect(before.accuracy.value - after.accuracy.value).toBeLessThanOrEqual(0.02);
  });
});
