import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Emit, silent } from "../../../src/core/progress.ts";
import { Random } from "../../../src/core/random.ts";
import { ascending, subset } from "../../../src/data/images.ts";
import { proceduralImages } from "../../../src/data/procedural.ts";
import { writeClassFolders } from "../../../src/data/write.ts";
import type { Experiment } from "../../../src/experiments/grid/experiment-file.ts";
import { keptPlan } from "../../../src/experiments/grid/plans.ts";
import { runExperiment } from "../../../src/experiments/grid/run-experiment.ts";
import { ResultStore } from "../../../src/experiments/grid/store.ts";
import { until } from "../../cli/process-group.ts";
import { folderWith } from "../../data/temporary.ts";
import { experimentOf } from "./fixtures.ts";

const PLAN = experimentOf({
  ...{ size: 8, count: 500, testImages: 20, network: { width: 1 }, cleanModels: 3 },
  training: { epochs: 4, batch: 10 },
});

const run = (plan: Experiment, store: string, signal?: AbortSignal, emit: Emit = silent) =>
  runExperiment({ emit, signal }, { plan, store, workers: 1, device: "cpu", threads: 1 });

/** Processes that run a program of ours below another process. */
function childrenOf(parent: number, program: string): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" });
  return table.split("\n").flatMap((line) => {
    const [pid, ppid, ...words] = line.trim().split(/\s+/);
    return Number(ppid) === parent && words.join(" ").includes(program) ? [Number(pid)] : [];
  });
}

const workers = () => childrenOf(process.pid, "grid/worker.js");

describe.skipIf(process.platform === "win32")("a grid", { timeout: 600_000 }, () => {
  test("loses one trial by a process that dies, whichever it is, and tries it anew the next time", async () => {
    const store = await folderWith({});
    const warnings: string[] = [];
    const running = run(PLAN, store, undefined, (event) => {
      if (event.kind === "warning") warnings.push(event.message);
    });
    await until(() => existsSync(join(store, "experiments", "grid.json")));
    const opened = ResultStore.existing(store);
    const { trials } = await keptPlan(opened, "grid");
    const [first, second] = trials.map(({ key }) => join(store, "work", key));
    const trained = (work: string) => existsSync(join(work, "training.safetensors"));

    await until(() => existsSync(first!));
    const [worker] = workers();
    await until(() => trained(first!));
    process.kill(worker!, "SIGKILL");

    // Another worker goes on; this time the process that computes for it dies.
    await until(() => existsSync(second!));
    const [computing] = workers().flatMap((pid) => childrenOf(pid, "runtime/host.js"));
    await until(() => trained(second!));
    process.kill(computing!, "SIGKILL");

    const { known, ran, failed, blocked } = await running;
    expect({ known, ran, blocked }).toEqual({ known: 0, ran: 1, blocked: [] });
    expect(failed).toMatchObject([
      {
        ...{ key: trials[0]!.key, code: "RUNTIME_CRASHED" },
        message: expect.stringContaining("The process of the trial was ended by SIGKILL."),
      },
      {
        ...{ key: trials[1]!.key, code: "RUNTIME_CRASHED" },
        message: expect.stringContaining("The computing process was ended by SIGKILL."),
      },
    ]);
    expect(warnings).toHaveLength(2);
    expect(await opened.failedKeys()).toEqual(failed.map(({ key }) => key).sort());
    await until(() => workers().length === 0);

    expect(await run(PLAN, store)).toMatchObject({ known: 1, ran: 2, failed: [], blocked: [] });
    expect(await opened.failedKeys()).toEqual([]);
  });

  test("is paused, not cancelled, whenever it is stopped: before it reads images, and before workers begin", async () => {
    const folder = await folderWith({});
    const drawn = proceduralImages({ count: 60, size: 8, random: Random.fromSeed(1) });
    const [data, other] = [join(folder, "train"), join(folder, "test")];
    await writeClassFolders(subset(drawn, ascending(40)), data);
    await writeClassFolders(subset(drawn, ascending(60).slice(40)), other);
    const plan = { ...PLAN, data, test: other, testImages: 20 };
    const store = join(folder, "store");
    await expect(run(plan, store, AbortSignal.abort())).rejects.toMatchObject({
      ...{ code: "PAUSED", message: "Stopped before the first trial." },
    });
    expect(existsSync(store)).toBe(false);

    const controller = new AbortController();
    const running = run(plan, store, controller.signal);
    void running.catch(() => {});
    await until(() => workers().length > 0);
    controller.abort();
    await expect(running).rejects.toMatchObject({
      ...{ code: "PAUSED", message: "Stopped with 3 trials to go." },
    });
    await until(() => workers().length === 0);
  });

  test("finds mistakes before it makes a store", async () => {
    const store = join(await folderWith({}), "store");
    for (const wrong of [
      { repairs: [{ name: "nothing" }] },
      { target: 10, attacks: [{ name: "pcb" }] },
    ]) {
      await expect(run({ ...PLAN, ...wrong }, store)).rejects.toMatchObject({
        code: expect.stringMatching(/UNKNOWN_METHOD|INVALID_CONFIG/),
      });
    }
    expect(existsSync(store)).toBe(false);
  });
});
