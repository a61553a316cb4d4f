import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeptPlan } from "../../src/experiments/grid/plans.ts";
import { snapshotOf } from "../../src/experiments/grid/snapshot.ts";
import type { ResultStore } from "../../src/experiments/grid/store.ts";
import type { TrialRecord } from "../../src/experiments/grid/trial-record.ts";
import { figure6 } from "../../src/experiments/reproduce/figure-6.ts";
import { readArtefact } from "../../src/experiments/reproduce/reproduce.ts";
import { table2 } from "../../src/experiments/reproduce/table-2.ts";
import { tableMarkdown } from "../../src/report/reproduce/table-markdown.ts";
import { type StoreContents, storeContents } from "../../src/report/store/contents.ts";
import { storePage } from "../../src/report/store/store-page.ts";
import { MADE_SCALE, madeStore } from "../support/made-store.ts";
import { PAYLOAD } from "./fixtures/hostile.ts";

let folder = "";
let store: ResultStore;
let contents: StoreContents;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-store-page-"));
  store = await madeStore(folder, [table2, figure6]);
  contents = await storeContents(store);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bodyOf = (shown: StoreContents) => parseHTML(storePage(shown)).document.body;

describe("a table that is read again", () => {
  /** The line of an attack in Table II, as Markdown. */
  const line = async (attack: string) => {
    const read = readArtefact(table2, MADE_SCALE, await snapshotOf(store));
    if (read.kind !== "table") throw new Error("Table II is a table");
    const lines = tableMarkdown(read).replace(/ +/g, " ").split("\n");
    return lines.find((text) => text.startsWith(`| ${attack} |`))!;
  };
  const keysOf = (attack: string) =>
    [...contents.records.values()].flatMap(({ key, config, outcome }) =>
      outcome.kind === "model" &&
      config.kind === "model" &&
      config.attack?.name === attack &&
      contents.plans[1]!.trials.some((trial) => trial.key === key)
        ? [key]
        : [],
    );

  test("has another cell once a record is changed", async () => {
    const [key] = keysOf("wanet");
    const path = join(folder, "trials", `${key}.json`);
    const before = await readFile(path, "utf8");
    const unchanged = await line("adv");
    const [, , , cda, asr] = (await line("wanet")).split(" | ");
    const record = JSON.parse(before);
    record.outcome.attackSuccess = { value: 0.1, low: 0.08, high: 0.12, count: 900 };
    await writeFile(path, JSON.stringify(record));
    const [, , , sameCda, otherAsr] = (await line("wanet")).split(" | ");
    expect(otherAsr).not.toBe(asr);
    // One of three values fell from more than 90 % to 10 %.
    expect(Number.parseFloat(otherAsr!)).toBeLessThan(Number.parseFloat(asr!) - 25);
    expect(otherAsr).toMatch(/^\d\d\.\d% \([\d.]+ to [\d.]+%, n = 3\); paper 29%$/);
    expect(sameCda).toBe(cda);
    expect(await line("adv")).toBe(unchanged);
    await writeFile(path, before);
    expect((await line("wanet")).split(" | ")[4]).toBe(asr);
  });

  test("says how many models are left, and that there are none", async () => {
    const keys = keysOf("refool");
    expect(keys).toHaveLength(3);
    const kept = await Promise.all(keys.map((key) => store.read(key)));
    await rm(join(folder, "trials", `${keys[0]}.json`));
    expect(await line("refool")).toContain("n = 2)");
    for (const key of keys) await rm(join(folder, "trials", `${key}.json`), { force: true });
    expect(await line("refool")).toContain(
      "| refool | 50 (paper 500) | 1 | not measured; paper 95.4% | not measured; paper 38% | ",
    );
    for (const record of kept) await store.add(record);
    expect(await line("refool")).toContain("n = 3)");
  });
});

describe("the page over a store", () => {
  test("lists every experiment with its trials, and what the paper has of them", () => {
    const body = bodyOf(contents);
    const headings = [...body.querySelectorAll("h2")].map((heading) => heading.textContent);
    expect(headings).toEqual([
      "Tables and figures of the paper",
      "figure-6-tiny",
      "table-2-tiny",
      "Trials one by one",
    ]);
    const titles = [...body.querySelectorAll("h3")].map((heading) => heading.textContent);
    expect(titles[0]).toContain("Table II");
    // What needs no trials goes with the others.
    expect(titles[1]).toContain("Table V");
    expect(titles[2]).toContain("Figure 6");
    const rows = body.querySelectorAll(".trials.sortable tbody tr");
    const planned = contents.plans.reduce((sum, { trials }) => sum + trials.length, 0);
    expect(rows).toHaveLength(planned + contents.plans.length);
    expect(body.querySelectorAll("details[id]")).toHaveLength(contents.records.size);
  });

  test("leads from a row to all that is known of its trial", () => {
    const body = bodyOf(contents);
    const link = [...body.querySelectorAll(".trials a")].find((one) =>
      one.textContent?.includes("pivotal-tuning"),
    )!;
    const detail = body.querySelector(`details[id="${link.getAttribute("href")!.slice(1)}"]`)!;
    for (const words of ["Oracle (step", "ONNX Runtime", "Peak memory", "made up"]) {
      expect(detail.textContent).toContain(words);
    }
    expect(detail.textContent).toContain("repair.options.learningRate");
    expect(detail.querySelector("svg.chart")).not.toBeNull();
    const detection = [...body.querySelectorAll("details[id]")].find((one) =>
      one.textContent?.includes("calibrated-trigger-inversion"),
    )!;
    expect(detection.querySelector("img")?.getAttribute("src")).toMatch(/^data:image\/png;base64,/);
  });

  test("allows its own script alone, by its digest", () => {
    const page = storePage(contents);
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toMatch(/default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'/);
    expect(page).not.toMatch(/\son\w+="|javascript:/);
  });

  test("says which trials are not done, and why", async () => {
    const other = await mkdtemp(join(tmpdir(), "antidote-store-page-"));
    const partly = await madeStore(other, [figure6], ({ config }) => config.kind === "model");
    const [first] = contents.plans[0]!.trials.filter(({ config }) => config.kind === "repair");
    await partly.addFailure({
      ...{ key: first!.key, code: "DIVERGED", message: "The loss is no number.", next: null },
    });
    const body = bodyOf(await storeContents(partly));
    expect(body.textContent).toContain("failed with DIVERGED: The loss is no number.");
    expect(body.textContent).toContain("not run yet");
    expect(body.querySelector("h1")?.textContent).toBe("18 trials of 1 experiment");
    await rm(other, { recursive: true, force: true });
  });

  test("holds texts that cannot end it", () => {
    const spoil = (record: TrialRecord): TrialRecord => ({
      ...record,
      hardware: { ...record.hardware, cpu: PAYLOAD },
      stages: [{ name: PAYLOAD, seconds: 1 }],
      outcome:
        record.outcome.kind === "detection"
          ? { ...record.outcome, statistic: PAYLOAD }
          : record.outcome,
    });
    const plans = contents.plans.map(
      ({ trials }): KeptPlan => ({
        experiment: { name: PAYLOAD },
        trials: trials.map((trial) => ({ ...trial, label: PAYLOAD })),
      }),
    );
    const records = new Map([...contents.records].map(([key, record]) => [key, spoil(record)]));
    const labels = new Map([...contents.labels.keys()].map((key) => [key, PAYLOAD]));
    const page = storePage({ ...contents, folder: PAYLOAD, plans, records, labels });
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain("<img src=x");
  });

  test("stays below 20 MB however many trials and pictures there are", () => {
    const [some] = [...contents.records.values()].filter(({ trigger }) => trigger !== null);
    const trials = Array.from({ length: 120 }, (_, at) => ({ ...some!, key: `trial${at}` }));
    const page = storePage({
      ...contents,
      ...{ plans: [], artefacts: [] },
      records: new Map(trials.map((record) => [record.key, record])),
      pictures: new Map([[some!.trigger!, new Uint8Array(200_000)]]),
    });
    expect(page.length).toBeLessThan(20e6);
    expect(page.length).toBeGreaterThan(10e6);
    expect(page).toContain("trials are left out to keep the page small");
  });
});

describe("pictures of a store", () => {
  test("are those of triggers alone, and nothing outside the store", async () => {
    const [key] = [...contents.records.keys()];
    const record = await store.read(key!);
    const outside = JSON.stringify({ ...record, trigger: "../../../etc/passwd" });
    await writeFile(join(folder, "trials", `${key}.json`), outside);
    expect((await storeContents(store)).damaged).toMatchObject([
      { key, error: { code: "DATA_INVALID" } },
    ]);
    const trigger = `triggers/${key}.png`;
    await store.add({ ...record, trigger });
    await writeFile(join(folder, trigger), "no picture");
    expect((await storeContents(store)).pictures.has(trigger)).toBe(false);
    await store.add(record);
  });
});
