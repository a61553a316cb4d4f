import { isDeepStrictEqual } from "node:util";
import { AntidoteError } from "../../core/errors.ts";
import type { RunContext } from "../../runtime/context.ts";
import { openDevice } from "../../runtime/process-device.ts";
import { endWithParent } from "../../runtime/watch-parent.ts";
import { type Materials, readImages } from "./materials.ts";
import type { Message, Order, WorkerOptions } from "./protocol.ts";
import { runTrial } from "./run-trial.ts";
import { ResultStore } from "./store.ts";
import type { Trial } from "./trial.ts";
import { workOfTrial } from "./work.ts";

/*
 * The program of a worker process: runs the trials that it is sent, one after the other, each on a device of its
 * own: a crash of native code costs one trial, and memory does not add up. It ends with the process that started it,
 * at the latest when that is gone.
 */

const controller = new AbortController();
const { signal } = controller;
const say = (message: Message) => process.send?.(message);
const options = JSON.parse(process.argv[2]!) as WorkerOptions;
const emit: RunContext["emit"] = (event) => say({ kind: "progress", event });

// Signals reach the whole group of processes; what they mean is the starting process' decision.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
endWithParent();

const orders: Trial[] = [];
let wake = () => {};
process.on("message", (order: Order) => {
  if (order.kind === "stop") controller.abort();
  else orders.push(order.trial);
  wake();
});

try {
  const images = await readImages(options.source, { emit, signal });
  if (!isDeepStrictEqual(images.digests, options.digests)) throw imagesChanged(options);
  const { pretrained } = options.source;
  const materials: Materials = { ...images, pretrained, store: new ResultStore(options.store) };
  say({ kind: "ready" });
  while (!signal.aborted) {
    const trial = orders.shift();
    if (trial) {
      // Not closed on request: what is under way is saved first.
      await using device = await openDevice({ name: options.device, threads: options.threads });
      await runOne({ device, emit, signal }, materials, trial);
    } else await new Promise<void>((resolve) => (wake = resolve));
  }
} catch (error) {
  say(failure(null, error));
}
process.disconnect?.();

async function runOne(
  context: Omit<RunContext, "random">,
  materials: Materials,
  trial: Trial,
): Promise<void> {
  try {
    await runTrial(context, materials, trial, workOfTrial(trial.config, materials));
    say({ kind: "done", key: trial.key });
  } catch (error) {
    say(failure(trial.key, error));
  }
}

function imagesChanged({ source }: WorkerOptions): AntidoteError {
  return new AntidoteError("DATA_INVALID", "The images have changed since the experiment began.", {
    place: source.data,
    next: "Run the same command again.",
  });
}

function failure(key: string | null, error: unknown): Message {
  if (error instanceof AntidoteError) {
    const { code, message, next = null } = error;
    return { kind: "failed", key, code, message, next };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: "failed", key, code: "INTERNAL", message, next: null };
}
