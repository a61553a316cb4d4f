import { AntidoteError } from "../../core/errors.ts";
import type { RunContext } from "../../runtime/context.ts";
import { openDevice } from "../../runtime/process-device.ts";
import { type Materials, readImages } from "./materials.ts";
import type { Message, Order, WorkerOptions } from "./protocol.ts";
import { runTrial } from "./run-trial.ts";
import { ResultStore } from "./store.ts";
import type { Trial } from "./trial.ts";
import { workOfTrial } from "./work.ts";

/*
 * The program of a worker process: runs the trials that it is sent, one after the other. It ends with the process
 * that started it, at the latest when that is gone.
 */

const controller = new AbortController();
const { signal } = controller;
const say = (message: Message) => process.send?.(message);
const options = JSON.parse(process.argv[2]!) as WorkerOptions;
const emit: RunContext["emit"] = (event) => say({ kind: "progress", event });

// Signals reach the whole group of processes; what they mean is the starting process' decision.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit(1));

const orders: Trial[] = [];
let wake = () => {};
process.on("message", (order: Order) => {
  if (order.kind === "stop") controller.abort();
  else orders.push(order.trial);
  wake();
});

try {
  const images = await readImages(options.source, { emit, signal });
  const materials: Materials = { ...images, store: new ResultStore(options.store) };
  const device = await openDevice({ name: options.device, threads: options.threads });
  say({ kind: "ready" });
  while (!signal.aborted) {
    const trial = orders.shift();
    if (trial) await runOne({ device, emit, signal }, materials, trial);
    else await new Promise<void>((resolve) => (wake = resolve));
  }
  await device.close();
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

function failure(key: string | null, error: unknown): Message {
  if (error instanceof AntidoteError) {
    const { code, message, next = null } = error;
    return { kind: "failed", key, code, message, next };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: "failed", key, code: "INTERNAL", message, next: null };
}
