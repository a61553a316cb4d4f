import { parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { exportRows } from "../../../src/experiments/grid/export.ts";
import { keepPlan } from "../../../src/experiments/grid/plans.ts";
import { COLUMNS, type Row, rowsOf } from "../../../src/experiments/grid/rows.ts";
import { snapshotOf } from "../../../src/experiments/grid/snapshot.ts";
import { keyOf } from "../../../src/experiments/grid/trial.ts";
import { CLEAN, DETECTION, emptyStore, MODEL, REPAIR, recordOf } from "./fixtures.ts";

const NAMES = COLUMNS.map(({ name }) => name);

async function rows(): Promise<Row[]> {
  const store = await emptyStore();
  const configs = [DETECTION, REPAIR, CLEAN, MODEL];
  for (const config of configs) await store.add(recordOf(config));
  const labels = [
    'badnets "m=20", seed 3, nc',
    "badnets m=20 seed 3, weight-decay",
    "clean seed 3",
    "badnets m=20 seed 3",
  ];
  const trials = configs.map((config, at) => ({
    ...{ key: keyOf(config), label: labels[at]!, role: "subject" as const, config },
  }));
  await keepPlan(store, { experiment: { name: "grid" }, trials });
  return rowsOf(await snapshotOf(store));
}

const bytes = (of: readonly Row[], format: "csv" | "parquet" | "json") => exportRows(of, format);
const text = (of: readonly Row[], format: "csv" | "json") =>
  new TextDecoder().decode(bytes(of, format));

describe("trials as rows", () => {
  test("are models first, then what was tried on them, with the columns of all kinds", async () => {
    const [model, clean, repair, detection] = (await rows()) as [Row, Row, Row, Row];
    expect(Object.keys(model).sort()).toEqual([...NAMES].sort());
    expect(model).toMatchObject({
      ...{ kind: "model", label: "badnets m=20 seed 3", key: keyOf(MODEL), model: keyOf(MODEL) },
      ...{ attack: "badnets", poisoned: 20, boost: 2, embed: "after-augmentation", target: 1 },
      ...{ seed: 3, width: 4, epochs: 2, options: '{"size":3}', test_acc: 0.9, test_asr: 0.95 },
      ...{
        trusted: null,
        repair: null,
        score: null,
        claimed: null,
        kept_drop: null,
        seconds: 12.5,
        threads: 1,
      },
    });
    expect(clean).toMatchObject({ kind: "model", attack: null, poisoned: null, options: null });
    // What a defender ships, in service; before it, and what the oracle would have chosen.
    expect(repair).toMatchObject({
      ...{ kind: "repair", model: keyOf(MODEL), attack: "badnets", repair: "weight-decay" },
      ...{ trusted: 40, options: '{"steps":7}', test_acc: 0.86, test_asr: 0.1 },
      ...{
        before_acc: 0.9,
        before_asr: 0.95,
        oracle_acc: 0.88,
        oracle_asr: 0.1,
        claimed: true,
        kept_drop: false,
      },
    });
    expect(detection).toMatchObject({
      ...{ kind: "detection", detector: "neural-cleanse", repair: "weight-decay", score: 1.75 },
      ...{
        attack: "badnets",
        test_acc: null,
        options: '{"steps":5}',
        attack_options: '{"size":3}',
      },
      ...{ leading_class: 2, fidelity_cosine: 0.5, fidelity_iou: 0.25, fidelity_psnr: 20 },
    });
  });
});

describe("a table", () => {
  test("as CSV has a header, a line per trial, and nothing where there is nothing", async () => {
    const [header, , clean, repair, detection, ...rest] = text(await rows(), "csv").split("\n");
    expect(header).toBe(NAMES.join(","));
    expect(rest).toEqual([""]);
    expect(
      clean!.startsWith(`${keyOf(CLEAN)},model,clean seed 3,${keyOf(CLEAN)},,,,,,,3,4,2,,`),
    ).toBe(true);
    expect(repair).toContain(",0.86,0.1,0.76,0.9,0.95,0.88,0.1,true,false,");
    // RFC 4180: quotes are doubled, and what holds a comma is quoted.
    expect(detection).toContain(',"badnets ""m=20"", seed 3, nc",');
    expect(detection).toContain(',"{""steps"":5}",');
  });

  test("as Parquet holds the same, with types and nulls", async () => {
    const table = await rows();
    const { buffer } = bytes(table, "parquet");
    const read = await parquetReadObjects({ file: buffer as ArrayBuffer });
    expect(read).toHaveLength(4);
    expect(read.map((row) => Object.keys(row))).toEqual(table.map(() => NAMES));
    // A missing value may be read back as undefined.
    const plain = read.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null])),
    );
    expect(plain).toEqual(table);
  });

  test("as JSON is the rows", async () => {
    const table = await rows();
    expect(JSON.parse(text(table, "json"))).toEqual(table);
  });

  test("of no trials can be written and read", async () => {
    expect(text([], "csv")).toBe(`${NAMES.join(",")}\n`);
    expect(text([], "json")).toBe("[]\n");
    const { buffer } = bytes([], "parquet");
    expect(await parquetReadObjects({ file: buffer as ArrayBuffer })).toEqual([]);
  });
});

test("every column says what it is", () => {
  expect(new Set(NAMES).size).toBe(NAMES.length);
  for (const { name, description } of COLUMNS) expect(description, name).not.toBe("");
});
