import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorRecord } from "../../src/audit/error-record.ts";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import {
  experimentExportRecord,
  experimentMergeRecord,
  experimentRunRecord,
  experimentShowRecord,
  experimentStatusRecord,
  forecastRecord,
} from "../../src/experiments/grid/documents.ts";
import { expand } from "../../src/experiments/grid/expand.ts";
import {
  experiment,
  readExperiment,
  sourceOf,
} from "../../src/experiments/grid/experiment-file.ts";
import { readImages } from "../../src/experiments/grid/materials.ts";
import { snapshotOf } from "../../src/experiments/grid/snapshot.ts";
import { ResultStore } from "../../src/experiments/grid/store.ts";
import { readCheckpoint } from "../../src/train/checkpoint.ts";
import { antidote, type Ended } from "./antidote.ts";
import { membersOf, until } from "./process-group.ts";

/** How often the whole tree of processes is killed; `npm run test:kills` asks for more. */
const KILLS = Number(process.env.ANTIDOTE_KILLS ?? 3);

/** Many processes on a machine that may be busy: nothing here depends on how long they take. */
const PATIENCE = 600_000 + KILLS * 60_000;

/** A clean and a poisoned model, a repair and a search: as small as they come. */
const GRID = `
data: procedural
size: 8
count: 200
test-images: 30
network: {width: 1}
training: {epochs: 6, batch: 10}
attacks: [{name: badnets, poisoned: 10, size: 2}]
trusted: [50]
repairs: [{name: weight-decay, steps: 2}]
detectors: [{name: smallest-trigger, steps: 2, images: 2, families: [masked]}]
`;

let folder = "";
let file = "";
/** Keys of the trials, by label. */
let keys: ReadonlyMap<string, string> = new Map();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-experiment-test-"));
  file = join(folder, "grid.yaml");
  await writeFile(file, GRID);
  const plan = await readExperiment(file);
  const images = await readImages(sourceOf(plan), { emit: silent });
  keys = new Map(expand(plan, images).map(({ key, label }) => [label, key]));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Begins a run in a group of processes of its own. */
function begin(store: string, ...words: string[]) {
  let child: ChildProcess | undefined;
  const line = ["experiment", "run", file, "--store", join(folder, store), "--json", ...words];
  const ended = antidote(line, (started) => (child = started), true);
  const group = child!.pid!;
  let over = false;
  void ended.then(() => (over = true));
  /** Sends a signal, unless the run has ended by itself and its number may be another's; says whether. */
  const signal = (name: NodeJS.Signals, to: "all" | "first"): boolean =>
    !over && process.kill(to === "all" ? -group : group, name);
  return { ended, group, signal, isOver: () => over };
}

/** Lets a run end by itself; none of its processes may be left. */
async function run(store: string, ...words: string[]): Promise<Ended> {
  const { ended, group } = begin(store, ...words);
  const result = await ended;
  await until(() => membersOf(group).length === 0);
  return result;
}

/** All that a trial comes to: its record without times and machine, and digests of its files. */
async function contents(store: string) {
  const opened = ResultStore.existing(join(folder, store));
  const digest = async (path: string | null) =>
    path &&
    createHash("sha256")
      .update(await readFile(join(opened.folder, path)))
      .digest("hex");
  const { records } = await snapshotOf(opened);
  const trials = [...records.values()].map(async (record) => {
    const { hardware: _, startedAt: __, duration: ___, stages: ____, peakMemory, ...rest } = record;
    expect(peakMemory).toBeGreaterThan(0);
    return { ...rest, files: [await digest(record.model), await digest(record.trigger)] };
  });
  return await Promise.all(trials);
}

const done = async (store: string): Promise<number> => {
  const trials = join(folder, store, "trials");
  if (!existsSync(trials)) return 0;
  return (await readdir(trials)).filter((name) => name.endsWith(".json")).length;
};

/** Checkpoints of trainings under way. */
async function checkpoints(store: string): Promise<string[]> {
  const work = join(folder, store, "work");
  if (!existsSync(work)) return [];
  return (await readdir(work))
    .map((key) => join(work, key, "training.safetensors"))
    .filter((path) => existsSync(path));
}

/** Kills a run at a random moment, before more than about one trial is done. */
async function killAtRandom(store: string, random: Random, to: "all" | "first"): Promise<boolean> {
  const before = await done(store);
  const { ended, group, signal, isOver } = begin(store, "--workers", "2");
  const moment = Date.now() + random.uniform(100, 8000);
  await until(async () => isOver() || Date.now() > moment || (await done(store)) > before);
  await sleep(random.uniform(0, 300));
  const hit = signal("SIGKILL", to);
  await ended;
  // Nothing is left behind, even if the first process alone is gone.
  await until(() => membersOf(group).length === 0);
  return hit;
}

describe.skipIf(process.platform === "win32")("experiment run", { timeout: PATIENCE }, () => {
  test("runs every trial once", async () => {
    const { code, stdout, stderr } = await run("whole", "--workers", "1");
    expect(code, stderr).toBe(0);
    const result = experimentRunRecord.parse(JSON.parse(stdout));
    expect(result).toMatchObject({ known: 0, ran: 5, failed: [], blocked: [] });
    expect((await contents("whole")).map(({ key }) => key)).toEqual([...keys.values()].sort());
    expect(stderr).toContain("5/5 ");
    expect(await readdir(join(folder, "whole", "work"))).toEqual([]);

    const dry = forecastRecord.parse(JSON.parse((await run("whole", "--dry-run")).stdout));
    expect(dry).toMatchObject({ trials: 5, missing: 0, seconds: 0, groups: [{ trials: 5 }] });
    expect(dry.anew).toBeGreaterThan(0);

    const again = await run("whole");
    expect(experimentRunRecord.parse(JSON.parse(again.stdout))).toMatchObject({ known: 5, ran: 0 });
  });

  test("stopped and killed at any moment goes on to the same results, to the last bit", async () => {
    const store = "killed";
    // Stopped while it trains, it says so and keeps what it has.
    const { ended, group, signal } = begin(store, "--workers", "1");
    await until(async () => (await checkpoints(store)).length > 0);
    signal("SIGTERM", "first");
    const { code, stdout, stderr } = await ended;
    await until(() => membersOf(group).length === 0);
    expect(code, stderr).toBe(75);
    expect(stderr).toContain("Stopping; Ctrl-C again to leave at once.");
    expect(errorRecord.parse(JSON.parse(stdout)).error).toMatchObject({
      ...{ code: "PAUSED", next: "Run the same command again: it goes on where it was." },
    });
    const [checkpoint] = await checkpoints(store);
    const { epoch, step } = (await readCheckpoint(checkpoint!))!.progress;
    expect(20 * epoch + step).toBeGreaterThanOrEqual(20);
    expect(await done(store)).toBeLessThan(5);

    const seed = Date.now();
    const random = Random.fromSeed(seed);
    for (let kills = 0; kills < KILLS; ) {
      if (await killAtRandom(store, random, kills % 3 === 1 ? "first" : "all")) kills++;
      // Too fast for so many kills: once more from the start.
      if ((await done(store)) === 5) await rm(join(folder, store), { recursive: true });
    }
    // Two at the same time over one store do not harm each other.
    const left = 5 - (await done(store));
    const both = await Promise.all([run(store, "--workers", "1"), run(store, "--workers", "1")]);
    for (const { code, stderr } of both) expect(code, stderr).toBe(0);
    const ran = both.map(({ stdout }) => experimentRunRecord.parse(JSON.parse(stdout)).ran);
    expect(ran[0]! + ran[1]!).toBeGreaterThanOrEqual(left);
    expect(await contents(store), `kills at ${seed}`).toEqual(await contents("whole"));
    expect(await readdir(join(folder, store, "work"))).toEqual([]);
  });

  test("in parts, one of which fails at first, comes to the same after a merge", async () => {
    const broken = "badnets size=2 m=10 seed 0";
    const key = keys.get(broken)!;
    // A model that cannot be written: something else has its name.
    const obstacle = join(folder, "second", "models", `${key}.onnx`);
    await mkdir(obstacle, { recursive: true });
    const failing = await run("second", "--workers", "1");
    expect(failing.code).toBe(3);
    const result = experimentRunRecord.parse(JSON.parse(failing.stdout));
    expect(result).toMatchObject({ known: 0, ran: 2 });
    expect(result.failed).toMatchObject([{ key, code: "OUTPUT_NOT_WRITABLE" }]);
    const needy = [...keys.keys()].filter((label) => label.startsWith(`${broken}, `));
    expect(needy).toHaveLength(2);
    expect(result.blocked).toEqual(needy);
    expect(failing.stderr).toContain(`warning: ${broken} failed with OUTPUT_NOT_WRITABLE: `);
    expect(failing.stderr).toContain("error OUTPUT_NOT_WRITABLE: 1 trial failed and 2 ");

    const place = ["--store", join(folder, "second"), "--json"];
    const status = async () => {
      const { stdout } = await antidote(["experiment", "status", ...place]);
      return experimentStatusRecord.parse(JSON.parse(stdout)).experiments;
    };
    const grid = { name: "grid", trials: 5 };
    expect(await status()).toMatchObject([{ ...grid, done: 2, failed: [{ key }] }]);

    // Another part of the experiment has nothing to do with it.
    const first = await run("first", "--shard", "1/2", "--workers", "1");
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ known: 0, ran: 2, failed: [] });

    // The same command tries anew.
    await rmdir(obstacle);
    const second = await run("second", "--shard", "2/2", "--workers", "1");
    expect(second.code, second.stderr).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ known: 0, ran: 3, failed: [] });
    expect(await status()).toMatchObject([{ ...grid, done: 5, failed: [] }]);

    const from = ["first", "second"].map((name) => join(folder, name)).join(",");
    const into = ["--store", join(folder, "all"), "--json"];
    const merge = await antidote(["experiment", "merge", "--from", from, ...into]);
    expect(merge.code, merge.stderr).toBe(0);
    expect(experimentMergeRecord.parse(JSON.parse(merge.stdout))).toMatchObject({
      ...{ added: 5, same: 2, different: [] },
    });
    expect(await contents("all")).toEqual(await contents("whole"));
  });

  test("leaves results that can be listed, shown and exported", async () => {
    const store = join(folder, "whole");
    const list = await antidote(["experiment", "show", "--store", store, "--json"]);
    const { trials } = experimentShowRecord.parse(JSON.parse(list.stdout));
    expect(new Map(trials.map(({ label, record }) => [label, record.key]))).toEqual(keys);

    const [label, key] = [...keys].at(-1)!;
    const one = await antidote(["experiment", "show", key.slice(0, 10), "--store", store]);
    expect(one.stdout.startsWith(`${label}\nscore `)).toBe(true);
    expect(one.stdout).toContain(`"key": "${key}"`);

    const out = join(folder, "trials.parquet");
    const words = ["--store", store, "--format", "parquet", "--out", out, "--json"];
    const table = await antidote(["experiment", "export", ...words]);
    expect(experimentExportRecord.parse(JSON.parse(table.stdout))).toMatchObject({ trials: 5 });
    const file = (await readFile(out)).buffer as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    expect(rows.map((row) => row["kind"])).toEqual([
      ...["model", "model", "repair", "detection", "detection"],
    ]);
  });
});

describe("a mistake in an experiment", () => {
  const grid = (text: string) => async () => {
    const path = join(folder, "mistake.yaml");
    await writeFile(path, text);
    return ["run", path];
  };
  test.each([
    [
      "an unknown key",
      grid("data: procedural\natacks: [badnets]"),
      ...[4, 'INVALID_CONFIG: "atacks" is unknown.\n  at: .*mistake.yaml:2'],
      "Did you mean attacks?",
    ],
    [
      // Images that take long to read are not read first.
      "an unknown method",
      grid("data: nowhere\nattacks: [badnet]"),
      ...[4, 'UNKNOWN_METHOD: There is no attack called "badnet".'],
      "Did you mean badnets?",
    ],
    [
      "missing images",
      grid("data: images"),
      ...[3, 'DATA_NOT_FOUND: There is no file or folder ".*images"'],
      "Check the path.",
    ],
    [
      "a wrong part",
      async () => ["run", file, "--shard", "3/2"],
      ...[4, 'USAGE: "3/2" is no part of an experiment.'],
      "Give it as 2/8",
    ],
    [
      "no store",
      async () => ["show", "--store", join(folder, "nowhere")],
      ...[3, "DATA_NOT_FOUND: There is no result store here."],
      "Name the folder",
    ],
  ] as [string, () => Promise<string[]>, number, string, string][])(
    "is named: %s",
    async (_, words, exitCode, message, next) => {
      const store = join(folder, "never");
      const line = ["experiment", ...(await words())];
      const own = line[1] === "run" ? ["--store", store] : [];
      const { code, stdout, stderr } = await antidote([...line, ...own]);
      expect(stderr).toMatch(new RegExp(`^error ${message}`));
      expect(stderr).toContain(`  next: ${next}`);
      expect(stdout).toBe("");
      expect(code).toBe(exitCode);
      expect(existsSync(store)).toBe(false);
    },
  );

  test("can be looked up: the help describes every key of the file", () => {
    const help = parseCommandLine(["experiment", "run", "--help"], COMMANDS, "0");
    for (const key of Object.keys(experiment.shape)) {
      expect(help).toMatchObject({ text: expect.stringMatching(`\n {2}${key} +\\S`) });
    }
  });
});
