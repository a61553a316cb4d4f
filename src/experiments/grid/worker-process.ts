import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AntidoteError } from "../../core/errors.ts";
import type { Message, Order, WorkerOptions } from "./protocol.ts";
import type { Trial } from "./trial.ts";

/** What a worker's owner hears. */
export interface WorkerEvents {
  onMessage(message: Message): void;
  /** The process is gone, for whatever reason. */
  onExit(how: string): void;
}

/** How much of what the process wrote to stderr is quoted, in characters. */
const QUOTED_OUTPUT = 2000;

/** A process that runs trials, seen from the one that schedules them. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  #output = "";

  constructor(options: WorkerOptions, events: WorkerEvents) {
    this.#child = fork(workerProgram(), [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#output = (this.#output + text).slice(-QUOTED_OUTPUT);
    });
    this.#child.on("message", (message: Message) => events.onMessage(message));
    let over = false;
    const gone = (how: string) => {
      if (over) return;
      over = true;
      const said = this.#output.trim();
      events.onExit(`${how}.${said && ` Its last words: ${said}`}`);
    };
    this.#child.on("error", ({ message }) => {
      if (this.#child.pid === undefined) gone(`could not be started: ${message}`);
    });
    this.#child.on("close", (code, signal) => {
      gone(signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
    });
  }

  run(trial: Trial): void {
    this.#send({ kind: "run", trial });
  }

  /** Asks it to save what is under way, and to end. */
  stop(): void {
    this.#send({ kind: "stop" });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(order: Order): void {
    // Failing to send means that the process is ending, which "close" reports.
    this.#child.send(order, () => {});
  }
}

/** The compiled program; tests run the library from its sources, workers never do. */
function workerProgram(): string {
  const path = import.meta.url.endsWith(".ts")
    ? "../../../dist/experiments/grid/worker.js"
    : "./worker.js";
  const program = fileURLToPath(new URL(path, import.meta.url));
  if (existsSync(program)) return program;
  throw new AntidoteError("INTERNAL", "The program of a worker has not been built.", {
    place: program,
    next: "Run `npm run build`.",
  });
}
