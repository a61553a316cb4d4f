import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snapshotOf } from "../../../src/experiments/grid/snapshot.ts";
import { ResultStore } from "../../../src/experiments/grid/store.ts";
import type { Artefact, TableCell } from "../../../src/experiments/reproduce/artefact.ts";
import { paretoFront } from "../../../src/experiments/reproduce/figure-7.ts";
import { ARTEFACTS } from "../../../src/experiments/reproduce/index.ts";
import { TABLED_ATTACKS } from "../../../src/experiments/reproduce/paper.ts";
import { readArtefact } from "../../../src/experiments/reproduce/reproduce.ts";
import { Results } from "../../../src/experiments/reproduce/results.ts";
import {
  onClip,
  SCALE_NAMES,
  scaleNamed,
  scaleOn,
} from "../../../src/experiments/reproduce/scales.ts";
import { plannedFor } from "../../support/made-store.ts";
import { MadeResults } from "./made-results.ts";

const artefacts = Object.values(ARTEFACTS) as readonly Artefact[];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-reading-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const numbers = (rows: readonly (readonly TableCell[])[]) =>
  rows.flat().filter((cell) => typeof cell !== "string");

describe("every table and figure", () => {
  test.each(artefacts)("$name is read from an empty store at every scale", async (artefact) => {
    const store = await snapshotOf(await ResultStore.open(folder));
    for (const scale of SCALE_NAMES.map(scaleNamed)) {
      const read = readArtefact(artefact, scale, store);
      expect(read.name).toBe(artefact.name);
      if (artefact.name === "table-5") continue;
      if (read.kind === "table") {
        for (const cell of numbers(read.rows)) expect(cell.measured).toBeNull();
        continue;
      }
      for (const panel of read.panels) {
        if (panel.kind === "pictures") expect(panel.pictures).toEqual([]);
        else for (const { paper, points } of panel.series) if (!paper) expect(points).toEqual([]);
      }
    }
  });

  test.each(artefacts)("$name can be planned at every scale", (artefact) => {
    // An option that a method does not have, or poison that the images do not allow, would be refused here.
    for (const scale of SCALE_NAMES.map(scaleNamed)) {
      const planned = plannedFor(artefact, scale);
      expect(planned).toHaveLength(artefact.experiments(scale).length);
      for (const trials of planned) expect(trials.length).toBeGreaterThan(0);
    }
  });
});

test("a scale about CIFAR-10 asks for it", () => {
  expect(() => scaleOn("small", undefined)).toThrow('The scale "small" is about CIFAR-10.');
  expect(scaleOn("small", "cifar/").base.data).toBe("cifar/");
  expect(scaleOn("tiny", undefined).base.data).toBe("procedural");
});

describe("the Pareto front", () => {
  const front = (...points: [x: number, y: number][]) =>
    paretoFront(points.map(([x, y]) => ({ x, y }))).map(({ x, y }) => [x, y]);

  test("keeps what no other point beats in both", () => {
    expect(front([0.5, 0.9], [0.4, 0.6], [0.3, 0.7], [0.1, 0.5])).toEqual([
      [0.1, 0.5],
      [0.4, 0.6],
      [0.5, 0.9],
    ]);
  });
  test("keeps of equal detectability the most robust, and of equal robustness the least detectable", () => {
    expect(front([0.2, 0.6], [0.4, 0.6], [0.4, 0.8])).toEqual([[0.4, 0.6]]);
  });
  test("of nothing is nothing", () => {
    expect(front()).toEqual([]);
  });
});

describe("figure 7", () => {
  test("counts attacks on data among those that whoever owns the code has", () => {
    const made = new MadeResults();
    made.detection(made.model(null), "calibrated-trigger-inversion", { score: 0.5 });
    const add = (attack: string, score: number, asr: number) => {
      const model = made.model(attack);
      made.detection(model, "calibrated-trigger-inversion", { score });
      made.repair(model, "pivotal-tuning", { asr });
    };
    add("badnets", 0, 0.1);
    add("wanet", 1, 0.05);
    add("pcb", 1, 0.7);
    const read = ARTEFACTS["figure-7"].read([made.results]);
    const [panel] = read.kind === "figure" ? read.panels : [];
    const series = panel?.kind === "chart" ? panel.series : [];
    const labels = (name: string) =>
      series.find((one) => one.name === name)?.points.map(({ label }) => label);
    expect(labels("data poisoning")).toEqual(["badnets", "wanet"]);
    expect(labels("Pareto front, data")).toEqual(["badnets"]);
    expect(labels("Pareto front, code")).toEqual(["badnets", "pcb"]);
    expect(labels("paper")).toEqual([...TABLED_ATTACKS, "pcb"]);
    const adv = series.find(({ paper }) => paper)?.points.find(({ label }) => label === "adv");
    expect(adv).toMatchObject({ x: 0.01, y: 0.68 }); // Tables II and III
    expect(read.notes.join(" ")).toContain(
      "on no front: adaptive-blend, adaptive-patch, refool, adv, tsb.",
    );
  });
});

describe("figure 5", () => {
  test("names the points that are missing, and how attacks differ from the paper's", () => {
    const made = new MadeResults();
    made.detection(made.model(null), "neural-cleanse");
    made.detection(made.model("badnets", { m: 5, boost: 20 }), "neural-cleanse");
    const { notes } = ARTEFACTS["figure-5"].read([made.results]);
    expect(notes).toContain("Not measured: badnets m = 5 (AUC calibrated-trigger-inversion).");
    expect(notes).toContain(
      "Attacks are not set as in the paper: badnets (poisoned images shown b = 20 times).",
    );
  });
});

describe("figure 6", () => {
  test("has one curve for several models, their mean", () => {
    const made = new MadeResults();
    for (const [seed, asr] of [0.2, 0.4].entries()) {
      made.repair(made.model("badnets", { seed }), "pivotal-tuning", { asr });
    }
    const read = ARTEFACTS["figure-6"].read([made.results]);
    const [panel] = read.kind === "figure" ? read.panels : [];
    const [curve, ...others] = panel?.kind === "chart" ? panel.series : [];
    expect(others).toEqual([]);
    expect(curve!.points.map(({ x, n }) => [x.toFixed(2), n])).toEqual([
      ["1.00", 2],
      ["0.30", 2],
    ]);
  });
});

describe("figure 7 of CLIP", () => {
  test("shows what full repairs cost, of attacks that are repaired at all", () => {
    const made = new MadeResults();
    const repaired = (attack: string, seed: number, cda: number, asr: number) =>
      made.repair(made.model(attack, { seed }), "pivotal-tuning", { cda, asr });
    repaired("badnets", 0, 0.9, 0.3);
    repaired("adv", 0, 0.92, 0.01);
    repaired("adv", 1, 0.88, 0.05);
    repaired("adv", 2, 0.94, 0.6);
    const read = ARTEFACTS["figure-7-clip"].read([made.results]);
    const panel = read.kind === "figure" ? read.panels[1] : undefined;
    if (panel?.kind !== "chart") throw new Error("the second panel is a chart");
    expect(panel.x.names).toEqual(["adv (2 of 3)"]);
    const [point] = panel.series[0]!.points;
    expect(point).toMatchObject({ x: 0, n: 2 });
    expect(point!.y).toBeCloseTo(0.05, 10); // of 95 %: 3 and 7 points
  });

  test("goes on from the classifier that is given, at its size", () => {
    const pretrained = {
      from: "clip.onnx",
      preprocessing: "none",
      sha256: "0".repeat(64),
    } as const;
    const scale = onClip(scaleNamed("tiny"), pretrained, 224);
    expect(scale.description).toContain("CLIP");
    const [surveyed, ...others] = ARTEFACTS["figure-7-clip"].experiments(scale);
    expect(surveyed).toMatchObject({ name: "figure-7-clip-tiny", network: pretrained, size: 224 });
    expect(surveyed!.training).toMatchObject({ optimiser: "adam" });
    expect(others).toEqual([]);
  });
});

describe("table 3", () => {
  test("shows what success a shipped model has, and at what accuracy", () => {
    const made = new MadeResults();
    made.repair(made.model("badnets"), "weight-decay", { cda: 0.7, asr: 0.03 });
    const read = ARTEFACTS["table-3"].read([made.results]);
    if (read.kind !== "table") throw new Error("Table III is a table");
    const cell = (column: string) => {
      const found = read.rows[0]![read.head.indexOf(column)]!;
      return typeof found === "string" ? found : found.measured?.value;
    };
    expect(cell("CDA before")).toBe(0.95);
    expect(cell("weight-decay, deployable")).toBe(0.03);
    expect(cell("weight-decay, CDA of deployable")).toBe(0.7);
  });

  test("says how often what is shipped kept the allowed drop", () => {
    const made = new MadeResults();
    made.repair(made.model("badnets"), "weight-decay", { cda: 0.94 });
    made.repair(made.model("wanet"), "weight-decay", { cda: 0.9 });
    const { notes } = ARTEFACTS["table-3"].read([made.results]);
    expect(notes.filter((note) => note.includes("kept Δ"))).toEqual([
      "weight-decay: what a defender ships kept Δ on test data in 1 of 2 repairs (95 % interval 9 to 91 %); the defender took it to in 2, of which 1 did.",
    ]);
  });
});

describe("table 2", () => {
  test("has an interval for several models, and none for one", () => {
    const made = new MadeResults();
    for (const [seed, asr] of [0.8, 0.9, 1].entries()) made.model("badnets", { seed, asr });
    made.model("wanet", { asr: 0.3 });
    const read = ARTEFACTS["table-2"].read([made.results]);
    const row = (attack: string) =>
      read.kind === "table" ? read.rows.find(([name]) => name === attack)! : [];
    expect(row("badnets")[4]).toMatchObject({ measured: { n: 3 }, paper: 1 });
    const { measured } = row("badnets")[4] as Exclude<TableCell, string>;
    expect(measured!.value).toBeCloseTo(0.9, 10);
    expect(measured!.low).toBeLessThan(0.9);
    expect(measured!.high).toBeGreaterThan(0.9);
    expect(row("wanet")[4]).toMatchObject({ measured: { value: 0.3, low: null, n: 1 } });
    expect(row("adv")[4]).toEqual({ as: "share", measured: null, paper: 0.98 });
    // Without clean models there is nothing to detect against.
    expect(row("badnets")[5]).toMatchObject({ measured: null });
  });

  test("of nothing has the paper's numbers alone", () => {
    const read = ARTEFACTS["table-2"].read([new Results([])]);
    expect(read.kind === "table" && read.rows[1]![3]).toEqual({
      ...{ as: "share", measured: null, paper: 0.952 },
    });
  });
});
