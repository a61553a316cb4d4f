import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forecastRecord, storeReportRecord } from "../../src/experiments/grid/documents.ts";
import { figure6 } from "../../src/experiments/reproduce/figure-6.ts";
import { reproduceRecord } from "../../src/experiments/reproduce/reproduce-record.ts";
import { table2 } from "../../src/experiments/reproduce/table-2.ts";
import { madeStore } from "../support/made-store.ts";
import { antidote } from "./antidote.ts";

const CTI = "calibrated-trigger-inversion";

let folder = "";
let [store, out] = ["", ""];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-reproduce-"));
  [store, out] = [join(folder, "store"), join(folder, "out")];
  await madeStore(store, [table2, figure6]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const render = (name: string, ...words: string[]) =>
  antidote(["reproduce", name, "--store", store, "--out", out, "--render-only", ...words]);
const read = (name: string) => readFile(join(out, name), "utf8");

describe("reproduce", () => {
  test("writes a table and prints it, with the paper's numbers beside", async () => {
    const { code, stdout, stderr } = await render("table-2");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/badnets, m = 50, b = 1\n {4}CDA +\d\d\.\d% \(.* n = 3\); paper 95\.2%/);
    expect(stdout).toContain(`written  ${join(out, "table-2.md")}, `);
    expect(await read("table-2.md")).toContain("# Table II: undetectability");
    expect(await read("table-2.csv")).toMatch(
      /^attack,m,b,column,value,low,high,n,against,paper\n/,
    );
    expect(await read("table-2.html")).toContain("default-src 'none'");
  });

  test("writes a figure, and one document", async () => {
    const { stdout, code } = await render("figure-6", "--json");
    expect(code).toBe(0);
    const record = reproduceRecord.parse(JSON.parse(stdout));
    const [figure] = record.reproduced;
    expect(record).toMatchObject({ scale: "tiny", store, runs: [] });
    expect(figure).toMatchObject({ kind: "figure", name: "figure-6" });
    expect(figure!.files.map((path) => path.split(".").at(-1))).toEqual([
      ...["svg", "png", "csv", "html"],
    ]);
    for (const path of figure!.files) expect(existsSync(path)).toBe(true);
    const svg = await read("figure-6.svg");
    expect(svg).toContain("m = 50");
    expect(svg).not.toContain("var(");
  });

  test("renders everything that a store has, and says what is not measured", async () => {
    const { stdout, code } = await render("all");
    expect(code).toBe(0);
    for (const title of ["Table II:", "Table III:", "Table V:", "Figure 5:", "Section V-F:"]) {
      expect(stdout).toContain(title);
    }
    expect(stdout).toContain("AUC neural-cleanse: not measured");
    expect(stdout).toContain("not measured: repairs of Table III");
    expect(existsSync(join(out, "claims.md"))).toBe(true);
  });

  test("runs what is missing, once: Figure 9 at the tiny scale", { timeout: 300_000 }, async () => {
    const words = ["--store", join(folder, "real"), "--out", out, "--workers", "1", "--json"];
    const made = async () => {
      const { stdout, stderr, code } = await antidote(["reproduce", "figure-9", ...words]);
      expect(code).toBe(0);
      return { stderr, ...reproduceRecord.parse(JSON.parse(stdout)) };
    };
    const first = await made();
    expect(first.stderr).toContain("4 trials, 0 of them in the store");
    expect(first.runs).toMatchObject([{ ran: 4, known: 0 }]);
    const [figure] = first.reproduced;
    const panels = figure?.kind === "figure" ? figure.panels : [];
    expect(panels.map(({ title }) => title)).toEqual(["neural-cleanse", CTI]);
    const scores = panels.map((panel) => (panel.kind === "chart" ? panel.series[0]!.points : []));
    expect(scores.map((points) => points.length)).toEqual([10, 10]);
    const again = await made();
    expect(again.stderr).toContain("4 trials, 4 of them in the store: nothing to run.");
    expect(again.reproduced).toEqual(first.reproduced);
  });

  test("counts what is missing and runs nothing in a dry run", { timeout: 60_000 }, async () => {
    const empty = join(folder, "dry");
    const words = ["--store", empty, "--dry-run", "--workers", "2"];
    const { stdout, code } = await antidote(["reproduce", "all", ...words, "--json"]);
    expect(code).toBe(0);
    const ahead = forecastRecord.parse(JSON.parse(stdout));
    expect(ahead).toMatchObject({ store: empty, workers: 2, part: null, trials: ahead.missing });
    const names = ahead.groups.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["table-2", "figure-9", "claims"]));
    expect(ahead.trials).toBeLessThan(ahead.groups.reduce((sum, { trials }) => sum + trials, 0));
    expect(existsSync(empty)).toBe(false);

    const known = await antidote(["reproduce", "table-2", ...words, "--store", store]);
    expect(known.stdout).toMatch(/table-2 +43 +43 +.+ (seconds|minutes|hours)/);
    expect(known.stdout).toContain("Nothing was run.");
    const none = await antidote(["reproduce", "table-5", ...words]);
    expect(none.stdout).toBe("No trials are needed. Nothing was run.\n");
  });

  test("says at which scale a store has what is asked for", async () => {
    const { stderr, code } = await render("table-2", "--scale", "small");
    expect(code).toBe(0);
    expect(stderr).toContain('none of this at the scale "small"; it has some at --scale tiny.');
    expect((await render("all")).stderr).toContain("`antidote reproduce figure-8`");
  });

  test.skipIf(process.platform === "win32")(
    "stopped while it looks ahead says that the same command goes on",
    { timeout: 60_000 },
    async () => {
      const words = ["reproduce", "all", "--store", join(folder, "stopped"), "--out", out];
      // What it says first comes before it reads images and times the network.
      const { code, stderr } = await antidote(words, (child) =>
        child.stderr!.once("data", () => child.kill("SIGTERM")),
      );
      expect(stderr).toContain("PAUSED");
      expect(code).toBe(75);
    },
  );

  test("runs nothing for Table V", async () => {
    const words = ["--store", join(folder, "other"), "--out", out, "--json"];
    const { stdout, stderr, code } = await antidote(["reproduce", "table-5", ...words]);
    expect(stderr).toContain("Scale tiny: procedural images");
    expect(code).toBe(0);
    expect(reproduceRecord.parse(JSON.parse(stdout)).runs).toEqual([]);
    expect(await read("table-5.md")).toContain("20000; paper 20000");
  });

  test.each([
    [["tabel-2"], 4, "Did you mean table-2?"],
    [["picture"], 4, "Choose one of table-2, table-3, table-5, "],
    [["table-2", "--scale", "paper"], 4, "Name the folder with its binary files: --data"],
    [["table-2", "--scale", "small", "--data", "test"], 3, "Name the folder with data_batch_1.bin"],
    [["table-2", "--shard", "3/2"], 4, "Give it as 2/8: the second of eight parts."],
    [["table-2", "--shard", "1/2", "--render-only"], 4, "Leave out --shard, or --render-only."],
    [["figure-8", "--render-only"], 4, "Leave out --render-only."],
    [["table-2", "--dry-run", "--render-only"], 4, "Leave out --dry-run, or --render-only."],
    [["table-2", "--render-only", "--store", "nowhere"], 3, "Name the folder that"],
    [["figure-7", "--model", "clip"], 4, "Make one, `antidote zero-shot FOLDER"],
    [["figure-7", "--from", "clip.onnx"], 4, "Leave it out, or say --model clip."],
    [["table-2", "--model", "clip", "--from", "clip.onnx"], 4, "Choose figure-7, or leave out"],
    [["figure-7", "--model", "clip", "--from", "nowhere.onnx"], 3, "Check the path of the model."],
  ])("refuses %j", async (words, exitCode, next) => {
    const { code, stderr, stdout } = await antidote(["reproduce", ...words]);
    expect(stdout).toBe("");
    expect(stderr).toContain(`  next: ${next}`);
    expect(code).toBe(exitCode);
  });
});

describe("report", () => {
  test("writes a page over a store", async () => {
    const page = join(folder, "store.html");
    const { stdout, code } = await antidote(["report", store, "--out", page, "--json"]);
    expect(code).toBe(0);
    const record = storeReportRecord.parse(JSON.parse(stdout));
    expect(record.experiments).toEqual(["figure-6-tiny", "table-2-tiny"]);
    expect(record.reproduced).toEqual([
      { name: "table-2", scale: "tiny" },
      { name: "table-5", scale: "tiny" },
      { name: "figure-6", scale: "tiny" },
    ]);
    const html = await readFile(page, "utf8");
    expect(Buffer.byteLength(html)).toBe(record.bytes);
    expect(html).toContain('id="experiment-table-2-tiny"');
  });

  test("needs a store", async () => {
    const { stderr, code } = await antidote(["report", folder]);
    expect(stderr).toContain("error DATA_NOT_FOUND: There is no result store here.");
    expect(code).toBe(3);
  });
});
