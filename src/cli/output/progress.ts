import { styleText } from "node:util";
import { MultiBar, type SingleBar } from "cli-progress";
import type { Progress } from "../../core/progress.ts";
import { visible } from "../../report/visible.ts";

/** Draws progress events on stderr, and leaves no bar behind. */
export interface ProgressDisplay extends Disposable {
  show(event: Progress): void;
}

/** Bars on a terminal, a line now and then elsewhere, warnings alone with `quiet`. */
export function progressDisplay(quiet: boolean): ProgressDisplay {
  if (quiet) return new Lines(false);
  return process.stderr.isTTY ? new Bars() : new Lines(true);
}

/** One bar for every stage at work. Notes and warnings stay on the terminal, bars do not. */
class Bars implements ProgressDisplay {
  readonly #running = new Map<string, Stage>();
  #drawn: { readonly all: MultiBar; readonly byStage: Map<string, SingleBar> } | undefined;

  show(event: Progress): void {
    if (event.kind !== "step") {
      this.#clear();
      process.stderr.write(line(event));
      return;
    }
    const { stage, done, total } = event;
    const { clock } = this.#running.get(stage) ?? { clock: new Clock() };
    if (done < total) {
      this.#running.set(stage, { done, total, clock });
      this.#draw(stage);
    } else {
      this.#running.delete(stage);
      this.#clear();
    }
  }

  [Symbol.dispose](): void {
    this.#clear();
  }

  /** Removes all bars; the next step brings back those of stages at work. */
  #clear(): void {
    this.#drawn?.all.stop();
    this.#drawn = undefined;
  }

  #draw(changed: string): void {
    if (!this.#drawn?.byStage.has(changed)) {
      this.#clear();
      const all = new MultiBar(BAR_OPTIONS);
      const byStage = new Map<string, SingleBar>();
      for (const [stage, { total }] of this.#running) {
        byStage.set(stage, all.create(total, 0, { stage: visible(stage).padEnd(12), left: "" }));
      }
      this.#drawn = { all, byStage };
    }
    for (const [stage, bar] of this.#drawn.byStage) {
      const { done, total, clock } = this.#running.get(stage)!;
      bar.setTotal(total);
      bar.update(done, { left: clock.left(done, total) });
    }
  }
}

interface Stage {
  readonly done: number;
  readonly total: number;
  readonly clock: Clock;
}

const BAR_OPTIONS = {
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
};

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

  [Symbol.dispose](): void {}
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
