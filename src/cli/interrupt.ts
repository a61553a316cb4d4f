/** What Ctrl-C means while a command runs. */
export interface Interrupt extends Disposable {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A launcher may hand on the Ctrl-C that the terminal sent to everybody: within this time, in ms, two of them are one. */
const SAME = 1000;

/**
 * The first Ctrl-C (or SIGTERM) asks the work to stop and keep what it has; a second Ctrl-C, by somebody who is
 * impatient, ends the program.
 */
export function interruptible(): Interrupt {
  const controller = new AbortController();
  let first = 0;
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (name === "SIGINT" && performance.now() - first > SAME) process.exit(130);
      return;
    }
    first = performance.now();
    process.stderr.write("\nStopping; Ctrl-C again to leave at once.\n");
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
