import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { searchRecord } from "../../src/experiments/search/search-record.ts";
import { antidote } from "./antidote.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const SUBJECT = [join(EXAMPLES, "suspect.onnx"), "--images", join(EXAMPLES, "trusted")];
/** Steps so few that every rung but the last is left out, and images so few that a step is fast. */
const SHORT = ["--repair.steps", "20", "--configurations", "2", "--held-out", "0.8", "--quiet"];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-search-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const search = (...words: string[]) =>
  antidote(["search", "weight-decay", ...SUBJECT, "--out", folder, ...SHORT, ...words]);

describe("search", () => {
  test("plants a trigger, tries configurations and writes the best one for --config", {
    timeout: 300_000,
  }, async () => {
    const { stdout, code, stderr } = await search("--json");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const record = searchRecord.parse(JSON.parse(stdout));
    expect(record.poisoned.success).toBeGreaterThan(0.9);
    expect(record.rungs).toEqual([{ configurations: 2, steps: 20 }]);
    expect(record.trials).toHaveLength(2);
    expect(record.trials[0]!.options).toEqual(record.config.repair.options);
    expect(record.space).not.toHaveProperty("steps");
    const written = parse(await readFile(record.configFile!, "utf8"));
    const { name, ...options } = written.repair;
    expect(name).toBe("weight-decay");
    expect(options).toEqual(record.trials[record.bestTrial]!.options);
    expect(await readFile(join(folder, "search.html"), "utf8")).toContain("2 for 20 steps");

    // The file is read before the images are looked for.
    const nowhere = ["--images", join(folder, "nowhere"), "--config", record.configFile!];
    for (const command of ["repair", "audit"]) {
      const words = [command, SUBJECT[0]!, ...nowhere, "--out", join(folder, command)];
      expect((await antidote(words)).stderr).toContain("error DATA_NOT_FOUND");
      const unlike = await antidote([...words, "--repair", "nad"]);
      expect(unlike.stderr).toContain("weight-decay");
      expect(unlike.code).toBe(4);
    }
  });

  test("goes on where it was, and ends as if it had not stopped", async () => {
    const before = await readFile(join(folder, "search.json"), "utf8");
    const { trials } = searchRecord.parse(JSON.parse(before));
    const journal = join(folder, "trials.jsonl");
    const lines = (await readFile(journal, "utf8")).split("\n");
    // As if it had been killed while it wrote the second trial down.
    await writeFile(journal, `${lines.slice(0, 2).join("\n")}\n${lines[2]!.slice(0, 9)}`);
    const copy = join(folder, "poisoned.onnx");
    const { mtimeMs } = await stat(copy);
    const { stdout } = await search("--json");
    expect((await stat(copy)).mtimeMs).toBe(mtimeMs);
    const again = searchRecord.parse(JSON.parse(stdout));
    const timeless = (made: typeof trials) => made.map(({ duration, ...rest }) => rest);
    expect(timeless(again.trials)).toEqual(timeless(trials));
    expect(again.trials[0]).toEqual(trials[0]);
  });

  test("keeps its hands off another search's folder", async () => {
    const { stderr, code } = await search("--seed", "1");
    expect(stderr).toContain("error DATA_INVALID: The folder holds another search.");
    expect(code).toBe(3);
  });

  test("needs the name of a repair", async () => {
    const { stderr, code } = await antidote(["search", "pivotal", ...SUBJECT, "--out", folder]);
    expect(stderr).toContain('There is no repair called "pivotal".');
    expect(stderr).toContain("pivotal-tuning");
    expect(code).toBe(4);
    expect(existsSync(join(folder, "pivotal-tuning.yaml"))).toBe(false);
  });
});
