import { AntidoteError } from "../../core/errors.ts";
import type { RunContext } from "../../runtime/context.ts";
import type { Planned } from "./expand.ts";
import type { Images } from "./materials.ts";
import type { Message, WorkerOptions } from "./protocol.ts";
import { TRIAL_STAGE } from "./run-trial.ts";
import type { ResultStore } from "./store.ts";
import { needsOf } from "./trial.ts";
import type { TrialFailure } from "./trial-record.ts";
import { outcomeInWords } from "./words.ts";
import { amountOf, workOfTrial } from "./work.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface GridOptions extends Omit<WorkerOptions, "store" | "digests"> {
  /** Processes that run trials at the same time. */
  readonly workers: number;
}

/** What became of a grid. */
export interface GridResult {
  /** Trials that were done before, or meanwhile by another process over the same store. */
  readonly known: number;
  /** Trials that were run now. */
  readonly ran: number;
  readonly failed: readonly TrialFailure[];
  /** Labels of the trials that could not run because one that they need has failed. */
  readonly blocked: readonly string[];
}

const LESS_MEMORY =
  "Run the same command again; if memory has run out, with fewer --workers or on a larger machine.";

/** How long workers have to save what is under way, in milliseconds. */
const GRACE = 60_000;

/**
 * Runs all trials of a plan that the store does not have yet, each in one of several processes. A trial that fails
 * is noted and stops only those that need it; whatever ends this process, the trials that are done stay done.
 * @throws `PAUSED` once the signal has been aborted and the workers have saved what was under way
 */
export async function runGrid(
  events: Pick<RunContext, "emit" | "signal">,
  store: ResultStore,
  images: Images,
  plan: readonly Planned[],
  options: GridOptions,
): Promise<GridResult> {
  return await new Scheduler(events, store, images, plan, options).run();
}

/**
 * The trials that have to run: those without a record, and those whose model these need but the store has not kept
 * (records are small and may be shared without the models).
 */
export function missingIn(store: ResultStore, plan: readonly Planned[]): Planned[] {
  const byKey = new Map(plan.map((trial) => [trial.key, trial]));
  const missing = new Set<Planned>();
  const want = (trial: Planned) => {
    if (missing.has(trial)) return;
    missing.add(trial);
    for (const key of needsOf(trial.config)) {
      const needed = byKey.get(key);
      if (needed && !store.hasModel(key)) want(needed);
    }
  };
  for (const trial of plan) if (!store.has(trial.key)) want(trial);
  return plan.filter((trial) => missing.has(trial));
}

/** Whether nothing is left to do for a trial that had to run. */
function isDone(store: ResultStore, { key, config }: Planned): boolean {
  return config.kind === "detection" ? store.has(key) : store.hasModel(key);
}

interface Seat {
  readonly worker: WorkerProcess;
  trial: Planned | undefined;
  /** How much of its trial is done, in [0,1]. */
  share: number;
}

class Scheduler {
  readonly #events: Pick<RunContext, "emit" | "signal">;
  readonly #store: ResultStore;
  readonly #options: GridOptions;
  readonly #plan: readonly Planned[];
  readonly #amounts: ReadonlyMap<string, number>;
  readonly #waiting: Set<Planned>;
  readonly #seats = new Set<Seat>();
  readonly #failed: TrialFailure[] = [];
  readonly #digests: Images["digests"];
  #known: number;
  #ran = 0;
  #finished = 0;
  #promille = -1;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    events: Pick<RunContext, "emit" | "signal">,
    store: ResultStore,
    images: Images,
    plan: readonly Planned[],
    options: GridOptions,
  ) {
    this.#events = events;
    this.#store = store;
    this.#plan = plan;
    this.#options = options;
    this.#digests = images.digests;
    this.#waiting = new Set(missingIn(store, plan));
    this.#known = plan.length - this.#waiting.size;
    this.#amounts = new Map(
      [...this.#waiting].map(({ key, config }) => [key, amountOf(workOfTrial(config, images))]),
    );
  }

  async run(): Promise<GridResult> {
    const { signal } = this.#events;
    const stop = () => this.#stop();
    signal?.addEventListener("abort", stop);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        const wanted = Math.min(this.#options.workers, this.#waiting.size);
        for (let n = 0; n < wanted && !signal?.aborted; n++) this.#hire();
        this.#end();
      });
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#dismiss();
    }
    if (signal?.aborted && this.#waiting.size > 0) {
      throw new AntidoteError("PAUSED", `Stopped with ${this.#waiting.size} trials to go.`, {
        next: "Run the same command again: it goes on where it was.",
      });
    }
    const blocked = [...this.#waiting].map(({ label }) => label);
    return { known: this.#known, ran: this.#ran, failed: this.#failed, blocked };
  }

  #hire(): void {
    const { workers: _, ...options } = this.#options;
    const worker = new WorkerProcess(
      { ...options, store: this.#store.folder, digests: this.#digests },
      {
        onMessage: (message) => this.#hear(seat, message),
        onExit: (how) => this.#leave(seat, how),
      },
    );
    const seat: Seat = { worker, trial: undefined, share: 0 };
    this.#seats.add(seat);
  }

  #hear(seat: Seat, message: Message): void {
    switch (message.kind) {
      case "ready":
        this.#assign();
        break;
      case "progress":
        this.#progress(seat, message.event);
        break;
      case "done":
        void this.#done(seat).catch(this.#reject);
        break;
      case "failed":
        void this.#fail(seat, message).catch(this.#reject);
    }
  }

  #progress(seat: Seat, event: Parameters<RunContext["emit"]>[0]): void {
    if (event.kind === "warning") this.#events.emit(event);
    if (event.kind !== "step" || event.stage !== TRIAL_STAGE) return;
    seat.share = event.done / event.total;
    this.#report();
  }

  /** Gives every worker without a trial the first one that can run. */
  #assign(): void {
    if (this.#events.signal?.aborted) return;
    for (const seat of this.#seats) {
      if (seat.trial) continue;
      const next = this.#next();
      if (!next) break;
      this.#waiting.delete(next);
      seat.trial = next;
      seat.worker.run(next);
    }
    this.#report();
    this.#end();
  }

  #next(): Planned | undefined {
    for (const trial of this.#waiting) {
      // Another process over the same store may have run it meanwhile.
      if (isDone(this.#store, trial)) {
        this.#waiting.delete(trial);
        this.#finished += this.#amounts.get(trial.key)!;
        this.#known++;
        continue;
      }
      if (needsOf(trial.config).every((key) => this.#store.hasModel(key))) return trial;
    }
    return undefined;
  }

  async #done(seat: Seat): Promise<void> {
    const trial = seat.trial!;
    this.#release(seat);
    this.#ran++;
    const record = await this.#store.read(trial.key);
    const message = `${this.#plan.indexOf(trial) + 1}/${this.#plan.length} ${trial.label}: ${outcomeInWords(record)}`;
    this.#events.emit({ kind: "note", stage: "experiment", message });
    this.#assign();
  }

  async #fail(seat: Seat, message: Extract<Message, { kind: "failed" }>): Promise<void> {
    const { key, code, message: reason, next } = message;
    const stopped = this.#events.signal?.aborted;
    if (key === null) {
      // Stopped before it could begin.
      if (stopped) return;
      throw new AntidoteError(code, reason, next === null ? {} : { next });
    }
    const trial = seat.trial!;
    this.#release(seat);
    // What was stopped is not done, but has not failed either.
    if (stopped) {
      this.#waiting.add(trial);
      return;
    }
    // Another process over the same store has done it, and cleared away what this one was to continue from.
    if (isDone(this.#store, trial)) {
      this.#known++;
      this.#assign();
      return;
    }
    const failure = { key, code, message: reason, next };
    this.#failed.push(failure);
    await this.#store.addFailure(failure);
    const said = `${trial.label} failed with ${code}: ${reason}`;
    this.#events.emit({ kind: "warning", stage: "experiment", message: said });
    this.#assign();
  }

  #release(seat: Seat): void {
    this.#finished += this.#amounts.get(seat.trial!.key)!;
    seat.trial = undefined;
    seat.share = 0;
  }

  /** A worker is gone. One that dies over a trial costs that trial, and is replaced. */
  #leave(seat: Seat, how: string): void {
    this.#seats.delete(seat);
    const { trial } = seat;
    if (this.#events.signal?.aborted) {
      if (trial) this.#waiting.add(trial);
      this.#end();
    } else if (trial) {
      const message = `The process of the trial ${how}`;
      const lost = { kind: "failed", key: trial.key, code: "RUNTIME_CRASHED", message } as const;
      this.#hire();
      void this.#fail(seat, { ...lost, next: LESS_MEMORY }).catch(this.#reject);
    } else if (this.#seats.size === 0) {
      const message = `A worker cannot begin: it ${how}`;
      this.#reject(new AntidoteError("RUNTIME_CRASHED", message, { next: LESS_MEMORY }));
    }
  }

  /** Ends the run once nothing is under way and nothing can start. */
  #end(): void {
    const busy = [...this.#seats].some(({ trial }) => trial);
    const over = this.#events.signal?.aborted ? this.#seats.size === 0 : !busy && !this.#next();
    if (over) this.#resolve();
  }

  #stop(): void {
    this.#dismiss();
    this.#end();
  }

  /** Asks all workers to end, and ends those that do not in time. */
  #dismiss(): void {
    for (const { worker } of this.#seats) worker.stop();
    setTimeout(() => {
      for (const { worker } of this.#seats) worker.kill();
    }, GRACE).unref();
  }

  #report(): void {
    const total = [...this.#amounts.values()].reduce((sum, amount) => sum + amount, 0);
    let done = this.#finished;
    for (const { trial, share } of this.#seats) {
      if (trial) done += share * this.#amounts.get(trial.key)!;
    }
    const promille = Math.floor((1000 * done) / total);
    if (promille === this.#promille) return;
    this.#promille = promille;
    this.#events.emit({ kind: "step", stage: "experiment", done: promille, total: 1000 });
  }
}
