import type { Progress } from "../core/progress.ts";
import type { RunContext } from "../runtime/context.ts";

/** How much work a stage is: in any unit common to all stages, and in the steps that it announces. */
export interface Work {
  readonly amount: number;
  /** Number of step events that the stage emits, about. */
  readonly steps: number;
}

/** A run in stages: takes their times, and tells how far all of them together have come. */
export class Stages {
  /** When the run began, UTC, in ISO 8601. */
  readonly startedAt = new Date().toISOString();
  readonly #name: string;
  readonly #context: RunContext;
  readonly #start = performance.now();
  readonly #times: { name: string; seconds: number }[] = [];
  #expected: ReadonlyMap<string, Work> = new Map();
  #percent = 0;

  /** @param name what the whole run is called in progress events */
  constructor(name: string, context: RunContext) {
    this.#name = name;
    this.#context = context;
  }

  /** Says how much work the stages to come are; from then on their progress counts for the whole. */
  expect(expected: ReadonlyMap<string, Work>): void {
    this.#expected = expected;
    this.#emitPercent();
  }

  /** Does the work of a stage and notes its time. */
  async run<Result>(name: string, work: (context: RunContext) => Promise<Result>): Promise<Result> {
    const start = performance.now();
    try {
      const result = await work(this.#counting(name));
      this.#advance(name, 1);
      return result;
    } finally {
      this.#times.push({ name, seconds: (performance.now() - start) / 1000 });
    }
  }

  /** The stages so far, in order. */
  get times(): readonly { readonly name: string; readonly seconds: number }[] {
    return this.#times;
  }

  /** Seconds since the run began. */
  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  #counting(name: string): RunContext {
    let steps = 0;
    const emit = (event: Progress) => {
      this.#context.emit(event);
      if (event.kind !== "step") return;
      steps++;
      // A stage that announces more steps than expected waits for its own end.
      this.#advance(name, Math.min(1, steps / (this.#expected.get(name)?.steps ?? 1)));
    };
    return { ...this.#context, emit };
  }

  /** @param share how much of the stage is done, in [0,1] */
  #advance(name: string, share: number): void {
    if (!this.#expected.has(name)) return;
    let [total, done, before] = [0, 0, true];
    for (const [stage, { amount }] of this.#expected) {
      total += amount;
      if (stage === name) before = false;
      done += before ? amount : stage === name ? share * amount : 0;
    }
    const percent = Math.floor((100 * done) / total);
    if (percent === this.#percent) return;
    this.#percent = percent;
    this.#emitPercent();
  }

  #emitPercent(): void {
    this.#context.emit({ kind: "step", stage: this.#name, done: this.#percent, total: 100 });
  }
}
