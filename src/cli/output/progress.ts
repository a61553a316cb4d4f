import { styleText } from "node:util";
import { MultiBar, type SingleBar } from "cli-progress";
import type { Progress } from "../../core/progress.ts";
import { visible } from "../../report/visible.ts";

/** Draws progress events on stderr until it is closed. */
export interface ProgressDisplay {
  show(event: Progress): void;
  close(): void;
}

/** Bars on a terminal, a line now and then elsewhere, warnings alone with `quiet`. */
export function progressDisplay(quiet: boolean): ProgressDisplay {
  if (quiet) return new Lines(false);
  return process.stderr.isTTY ? new Bars() : new Lines(true);
}

/** One bar for every stage at work, notes and warnings above them. */
class Bars implements ProgressDisplay {
  readonly #bars = new MultiBar({
    stream: process.stderr,
    format: "{stage} {bar} {value}/{total} {left}",
    barCompleteChar: "━",
    barIncompleteChar: " ",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
    // Ctrl-C has one meaning, decided elsewhere.
    gracefulExit: false,
  });
  readonly #running = new Map<string, { readonly bar: SingleBar; readonly clock: Clock }>();

  show(event: Progress): void {
    if (event.kind !== "step") {
      // The bars print what they are given whenever they are drawn next.
      if (this.#running.size > 0) this.#bars.log(line(event));
      else process.stderr.write(line(event));
      return;
    }
    const { stage, done, total } = event;
    let running = this.#running.get(stage);
    if (running === undefined) {
      const bar = this.#bars.create(total, 0, { stage: visible(stage).padEnd(12), left: "" });
      running = { bar, clock: new Clock() };
      this.#running.set(stage, running);
    }
    running.bar.setTotal(total);
    running.bar.update(done, { left: running.clock.left(done, total) });
    if (done >= total) {
      this.#bars.remove(running.bar);
      this.#running.delete(stage);
    }
  }

  close(): void {
    this.#bars.stop();
  }
}

/** How long a log without a terminal stays silent between two lines of one stage, in seconds. */
const SILENCE = 10;

/** Plain lines. */
class Lines implements ProgressDisplay {
  readonly #all: boolean;
  readonly #clocks = new Map<string, Clock>();

  /** @param all whether to show progress and notes as well, not warnings alone */
  constructor(all: boolean) {
    this.#all = all;
  }

  show(event: Progress): void {
    if (event.kind === "warning" || (event.kind === "note" && this.#all)) {
      process.stderr.write(line(event));
    }
    if (event.kind !== "step" || !this.#all) return;
    const { stage, done, total } = event;
    const clock = this.#clocks.get(stage) ?? new Clock();
    this.#clocks.set(stage, clock);
    if (done >= total) this.#clocks.delete(stage);
    else if (clock.due(SILENCE)) {
      const left = clock.left(done, total);
      process.stderr.write(`${visible(stage)}: ${done}/${total}${left && `, ${left}`}\n`);
    }
  }

  close(): void {}
}

/** Measures a stage from its first event on. */
class Clock {
  readonly #start = performance.now();
  #last = this.#start;

  /** Whether `seconds` have passed since this last answered yes. */
  due(seconds: number): boolean {
    const now = performance.now();
    if (now - this.#last < 1000 * seconds) return false;
    this.#last = now;
    return true;
  }

  /** The time left at the speed so far, "3 min 20 s left"; empty while that is anyone's guess. */
  left(done: number, total: number): string {
    const elapsed = (performance.now() - this.#start) / 1000;
    if (done === 0 || elapsed < 1) return "";
    const left = Math.round((elapsed / done) * (total - done));
    const minutes = Math.floor(left / 60);
    return `${minutes > 0 ? `${minutes} min ` : ""}${left % 60} s left`;
  }
}

function line({ kind, message }: Exclude<Progress, { kind: "step" }>): string {
  const text = visible(message);
  if (kind === "note") return `${text}\n`;
  return `${styleText("yellow", "warning", { stream: process.stderr })}: ${text}\n`;
}
