import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Progress } from "../../../src/core/progress.ts";
import { silent } from "../../../src/core/progress.ts";
import { expand } from "../../../src/experiments/grid/expand.ts";
import { sourceOf } from "../../../src/experiments/grid/experiment-file.ts";
import { readImages } from "../../../src/experiments/grid/materials.ts";
import type { Message, WorkerOptions } from "../../../src/experiments/grid/protocol.ts";
import type { Trial } from "../../../src/experiments/grid/trial.ts";
import { readCheckpoint } from "../../../src/train/checkpoint.ts";
import { emptyStore, experimentOf } from "./fixtures.ts";

const PROGRAM = fileURLToPath(new URL("../../../dist/experiments/grid/worker.js", import.meta.url));

const PLAN = experimentOf({
  ...{ size: 8, count: 500, testImages: 20, network: { width: 1 } },
  training: { epochs: 4, batch: 10 },
});
const [PER_EPOCH, STEPS] = [50, 200];
/** In the second epoch, and so early that the stop arrives long before the last step. */
const STOP_AFTER = 60;

const images = await readImages(sourceOf(PLAN), { emit: silent });
const [trial] = expand(PLAN, images);

/** Runs trials in a worker as its owner would, and stops it once `enough` says so, or all are through. */
function work(
  options: Partial<WorkerOptions> & Pick<WorkerOptions, "store">,
  trials: readonly Trial[],
  enough: (event: Progress) => boolean = () => false,
): Promise<{ messages: Message[]; events: Progress[]; code: number | null }> {
  const all: WorkerOptions = {
    ...{ source: sourceOf(PLAN), digests: images.digests, device: "cpu", threads: 1 },
    ...options,
  };
  const child = fork(PROGRAM, [JSON.stringify(all)], { execArgv: [] });
  const messages: Message[] = [];
  const events: Progress[] = [];
  let open = trials.length;
  child.on("message", (message: Message) => {
    if (message.kind !== "progress") messages.push(message);
    if (message.kind === "ready") for (const trial of trials) child.send({ kind: "run", trial });
    if (message.kind === "progress") events.push(message.event);
    const stop = message.kind === "progress" && enough(message.event);
    if (message.kind === "done" || message.kind === "failed") open--;
    if ((stop || open === 0) && child.connected) child.send({ kind: "stop" });
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ messages, events, code })));
}

const trainingSteps = (events: readonly Progress[]) =>
  events.flatMap((event) =>
    event.kind === "step" && event.stage === "training" ? [event.done] : [],
  );

describe("a worker", () => {
  test("that is stopped saves the training under way, and another one goes on from there", async () => {
    const store = await emptyStore();
    const first = await work({ store: store.folder }, [trial!], (event) =>
      trainingSteps([event]).includes(STOP_AFTER),
    );
    expect(first.messages).toMatchObject([
      { kind: "ready" },
      { kind: "failed", key: trial!.key, code: "CANCELLED" },
    ]);
    const checkpoint = join(store.folder, "work", trial!.key, "training.safetensors");
    const { epoch, step } = (await readCheckpoint(checkpoint))!.progress;
    const done = PER_EPOCH * epoch + step;
    expect(done).toBeGreaterThanOrEqual(STOP_AFTER);
    expect(done).toBeLessThan(STEPS);
    expect(store.has(trial!.key)).toBe(false);

    const second = await work({ store: store.folder }, [trial!]);
    expect(second.messages).toEqual([{ kind: "ready" }, { kind: "done", key: trial!.key }]);
    expect(second.events).toContainEqual({
      kind: "note",
      stage: "training",
      message: `continued after ${epoch} epochs and ${step} steps`,
    });
    expect(trainingSteps(second.events)[0]).toBe(done + 1);
    expect(trainingSteps(second.events).at(-1)).toBe(STEPS);
    expect((await store.read(trial!.key)).outcome).toMatchObject({ kind: "model", marked: 0 });
    expect(existsSync(checkpoint)).toBe(false);
  });

  test("makes a model again that was not kept, and leaves its record as it is", async () => {
    const store = await emptyStore();
    await work({ store: store.folder }, [trial!]);
    const record = await store.read(trial!.key);
    const outcome = { ...record.outcome, marked: 19 } as typeof record.outcome;
    const other = { ...record, outcome, duration: 99 };
    await store.add(other);
    await rm(store.modelPath(trial!.key));
    const again = await work({ store: store.folder }, [trial!]);
    expect(again.messages).toEqual([{ kind: "ready" }, { kind: "done", key: trial!.key }]);
    expect(await store.read(trial!.key)).toEqual(other);
    expect(store.hasModel(trial!.key)).toBe(true);
    const said = again.events.flatMap((event) => (event.kind === "note" ? [event.message] : []));
    expect(said.join()).toContain("not quite the one that its record measured");
  });

  test("begins with nothing if the images have changed", async () => {
    const store = await emptyStore();
    const digests = { ...images.digests, test: "0" };
    const { messages } = await work({ store: store.folder, digests }, []);
    expect(messages).toMatchObject([
      {
        kind: "failed",
        key: null,
        code: "DATA_INVALID",
        message: expect.stringContaining("changed"),
      },
    ]);
  });

  test("goes on with the next trial after one that failed", async () => {
    const store = await emptyStore();
    const lost = { ...trial!, key: "0".repeat(20) };
    const config = {
      ...{ kind: "repair" as const, model: "1".repeat(20), trusted: 10, pool: "1", seed: 0 },
      ...{ repair: null, deployment: null, allowedDrop: 0.02, heldOut: 0.2 },
    };
    const { messages } = await work({ store: store.folder }, [{ ...lost, config }, trial!]);
    expect(messages).toMatchObject([
      { kind: "ready" },
      { kind: "failed", key: lost.key, code: "DATA_NOT_FOUND" },
      { kind: "done", key: trial!.key },
    ]);
  });
});
