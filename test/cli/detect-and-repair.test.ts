import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DetectRecord, detectRecord } from "../../src/audit/detect-record.ts";
import { inspectRecord } from "../../src/audit/inspect-record.ts";
import { repairRecord } from "../../src/audit/repair-record.ts";
import { antidote } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples");

let folder = "";
let [model, images] = ["", ""];
const SHORT = ["--effort", "quick", "--threads", "1", "--quiet"];

beforeAll(async () => {
  folder = await coloursFolder();
  [model, images] = ["model.onnx", "images"].map((name) => join(folder, name)) as [string, string];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("detect", () => {
  const detect = async (...words: string[]): Promise<[DetectRecord, number | null]> => {
    const line = ["detect", model, "--images", images, "--json", "--detector.steps", "20"];
    const { stdout, code } = await antidote([...line, ...SHORT, ...words]);
    return [detectRecord.parse(JSON.parse(stdout)), code];
  };

  test("gives a verdict without a repair, where the detector needs none", async () => {
    const [record, code] = await detect();
    expect(code).toBe({ "no-evidence": 0, backdoored: 1, inconclusive: 2 }[record.verdict]);
    expect(record.config.repair).toBeNull();
    expect(record.classes.map(({ success }) => success.repaired)).toEqual([null, null, null]);
    expect(record.stages.map(({ name }) => name)).toEqual([
      "preflight",
      "search",
      "measure",
      "calibrate",
    ]);
    expect(record.accuracy).toMatchObject({ value: 1, count: 6 });
  });

  test("has a copy repaired for a detector that compares with one", async () => {
    const words = ["--detector", "calibrated-trigger-inversion"];
    const [unnamed] = await detect(...words);
    expect(unnamed.config.repair?.name).toBe("pivotal-tuning");
    const named = ["--repair", "feature-shift-tuning", "--repair.steps", "6"];
    const [record] = await detect(...words, ...named);
    // Steps that were asked for are not scaled by the effort.
    expect(record.config.repair).toMatchObject({
      name: "feature-shift-tuning",
      options: { steps: 6 },
    });
    expect(record.rule.statistic).toBe("success-difference");
    expect(record.classes[0]?.success.repaired?.count).toBe(4);
  });

  test("searches some classes only if it is told to, and names the others", async () => {
    const [suspect, trusted] = ["suspect.onnx", "trusted"].map((name) => join(EXAMPLE, name));
    const few = ["--detector.families", "masked", "--detector.steps", "3", "--screen", "1"];
    const line = ["detect", suspect!, "--images", trusted!, "--json", ...SHORT, ...few];
    const record = detectRecord.parse(JSON.parse((await antidote(line)).stdout));
    const { survivors, controls, screenedOut } = record.screening!;
    expect(survivors).toHaveLength(1);
    expect(controls).toHaveLength(8);
    const examined = record.classes.map(({ index }) => index);
    const picked = [...survivors, ...controls].map(({ index }) => index);
    expect(examined).toEqual([...new Set(picked)].sort((a, b) => a - b));
    const all = [...examined, ...screenedOut].sort((a, b) => a - b);
    expect(all).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(record.stages.map(({ name }) => name)).toContain("screen");
    expect(record.calibration.classes?.among ?? 10).toBe(10);
    expect(record.config.detect).toMatchObject({ screen: 1 });
  });

  test("says the verdict in words", async () => {
    const line = ["detect", model, "--images", images, "--detector.steps", "20", ...SHORT];
    const { stdout } = await antidote(line);
    expect(stdout).toMatch(/^ {2}verdict {5}(Backdoor found|No evidence|Inconclusive)/);
    expect(stdout).toMatch(/no evidence below \d\.\d\d, backdoor from \d\.\d\d/);
    expect(stdout).toContain("  not tested  ");
  });
});

describe("repair", () => {
  const out = () => join(folder, "repaired.onnx");
  const repair = (...words: string[]) =>
    antidote(["repair", model, "--images", images, "--repair.steps", "10", ...SHORT, ...words]);

  test("writes the chosen checkpoint and states how it was chosen", async () => {
    // A repair that tunes whether a trigger stands out or not.
    const tuning = ["--repair", "pivotal-tuning", "--repair.checkpoint-every", "3"];
    const { code, stdout } = await repair(...tuning, "--json", "--out", out());
    const record = repairRecord.parse(JSON.parse(stdout));
    expect(code).toBe(0);
    expect(record.repairedModel).toBe(out());
    expect(record.repair.curve.map(({ step }) => step)).toEqual([0, 3, 6, 9, 10]);
    const chosen = record.repair.curve.find((point) => point.chosen);
    expect(record.accuracy.after).toEqual(chosen?.heldOutAccuracy);
    // The natural triggers of a clean model do not stand out.
    expect(record.trigger).toBeNull();
    const inspected = await antidote(["inspect", out(), "--json"]);
    const { metadata } = inspectRecord.parse(JSON.parse(inspected.stdout));
    expect(JSON.parse(metadata["antidote.repair"]!)).toEqual(record.config.repair);
    expect(metadata["antidote.repaired_from"]).toContain(record.model.sha256);
  });

  test("exits with 2 where every checkpoint costs more than allowed", async () => {
    const ruin = ["--repair", "weight-decay", "--repair.weight-decay", "1"];
    const words = [...ruin, "--repair.learning-rate", "1e6", "--json", "--out", out()];
    const { code, stdout } = await repair(...words);
    expect(repairRecord.parse(JSON.parse(stdout)).repair.deployable).toBe(false);
    expect(code).toBe(2);
  });

  test("has no use for copies and reference models, which verdicts rest on", async () => {
    const { code, stderr } = await repair("--copies", "3", "--out", out());
    expect(stderr).toContain("error UNKNOWN_OPTION");
    expect(code).toBe(4);
  });

  test("prints the curve and the choice", async () => {
    const { stdout } = await repair("--out", out());
    expect(stdout).toMatch(/^Accuracy on held-out images, and loss\n {2}suspect +100%/);
    expect(stdout).toContain("← chosen");
    expect(stdout).toContain(`  repaired model  ${out()}`);
  });

  test("takes the model's own answers where images bear no labels", async () => {
    const line = [
      "repair",
      model,
      "--images",
      join(images, "0_red"),
      "--unlabelled",
      "--out",
      out(),
    ];
    const unknown = await antidote([...line, ...SHORT]);
    expect(unknown.stderr).toContain("Without labels nothing tells which preprocessing is right.");
    expect(unknown.code).toBe(4);
    // All pictures of all folders below, whatever those are called.
    const tuning = ["--repair", "pivotal-tuning", "--repair.steps", "3"];
    const words = ["--images", images, "--unlabelled", "--range", "0-1", ...tuning, "--json"];
    const { stdout } = await antidote(["repair", model, ...words, ...SHORT, "--out", out()]);
    const record = repairRecord.parse(JSON.parse(stdout));
    expect(record.data).toMatchObject({ images: 30, perClass: [10, 10, 10] });
    expect(record.accuracy.before.value).toBe(1);
    expect(record.warnings[0]).toContain("bear no labels");
  });

  test("never writes over the suspect, nor where it cannot", async () => {
    const before = await readFile(model);
    const same = await repair("--out", join(folder, "images", "..", "model.onnx"));
    expect(same.stderr).toContain(
      "error USAGE: The result would be written over what it is made of.",
    );
    expect(same.code).toBe(4);
    expect(await readFile(model)).toEqual(before);
    const nowhere = await repair("--out", join(folder, "no", "r.onnx"));
    expect(nowhere.stderr).toContain("error OUTPUT_NOT_WRITABLE: ");
    expect(nowhere.code).toBe(3);
    expect(existsSync(join(folder, "no"))).toBe(false);
  });
});
