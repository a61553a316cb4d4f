import { type ChildProcess, fork } from "node:child_process";
import { setMaxListeners } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import type { Answer, Call, HostOptions, Operation, Reply, Request } from "./protocol.ts";

/** How much of what the process wrote to stderr an error message quotes, in characters. */
const QUOTED_OUTPUT = 2000;

interface Waiting {
  readonly call: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: AntidoteError) => void;
  cancelled: boolean;
}

/**
 * The process that computes, seen from the main process.
 *
 * A process and not a worker thread: a crash of native code (segmentation fault, abort, out of memory)
 * in a thread ends the whole program, that of a process is an error like others; its peak memory is its
 * own; and a native call, which nothing else can interrupt, ends when the process is killed. The price,
 * measured: 1–2 ms for a call with 1.5 MB of images, about 1 s for a model of 200 MB.
 *
 * One call at a time is under way; others wait here, in order.
 */
export class HostProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting: Waiting[] = [];
  #running: Waiting | undefined;
  #output = "";
  /** Why no more calls are taken. */
  #ended: AntidoteError | undefined;

  constructor({ device, threads }: HostOptions) {
    this.#child = fork(hostProgram(), [device, String(threads)], {
      serialization: "advanced",
      execArgv: [],
      // ONNX Runtime's own output must not reach the user's terminal.
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#output = (this.#output + text).slice(-QUOTED_OUTPUT);
    });
    this.#child.on("message", (reply: Reply) => this.#settle(reply));
    this.#exited = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end(
          new AntidoteError("RUNTIME_CRASHED", `The computing process failed: ${error.message}`),
        );
        if (this.#child.pid === undefined) resolve();
      });
      this.#child.on("close", (code, signal) => {
        this.#end(crash(code, signal, this.#output));
        resolve();
      });
    });
  }

  /** Identifier of the process, for tests and messages. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Performs an operation in the process.
   * @param signal once aborted the call fails at once; an operation under way still runs to its end in
   *   the process, and the next call waits for that
   * @throws `RUNTIME_FAILED`, `RUNTIME_CRASHED`, `CANCELLED`
   */
  async call<K extends Operation>(
    operation: K,
    request: Request<K>,
    signal?: AbortSignal | undefined,
  ): Promise<Answer<K>> {
    throwIfCancelled(signal);
    if (this.#ended) throw this.#ended;
    let cancel = () => {};
    const answered = new Promise<Answer>((resolve, reject) => {
      const waiting: Waiting = { call: { operation, request }, resolve, reject, cancelled: false };
      cancel = () => {
        waiting.cancelled = true;
        reject(new AntidoteError("CANCELLED", "Stopped on request."));
      };
      this.#waiting.push(waiting);
    });
    if (signal) setMaxListeners(0, signal); // Node warns at ten waiting calls.
    signal?.addEventListener("abort", cancel);
    this.#next();
    try {
      return (await answered) as Answer<K>;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Kills the process; calls under way and waiting fail with `CANCELLED`. */
  async close(): Promise<void> {
    this.#end(new AntidoteError("CANCELLED", "The device was closed."));
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #next(): void {
    while (!this.#running) {
      const next = this.#waiting.shift();
      if (!next) return;
      if (next.cancelled) continue;
      this.#running = next;
      // Failing to send means that the process is ending, which "close" reports.
      this.#child.send(next.call, () => {});
    }
  }

  #settle(reply: Reply): void {
    const finished = this.#running;
    this.#running = undefined;
    if (reply.ok) finished?.resolve(reply.answer);
    else finished?.reject(failure(reply.message));
    this.#next();
  }

  #end(reason: AntidoteError): void {
    this.#ended ??= reason;
    for (const { reject } of [this.#running, ...this.#waiting.splice(0)].filter((it) => !!it)) {
      reject(this.#ended);
    }
  }
}

/** The compiled program of the process; tests run the library from its sources, the process never does. */
function hostProgram(): string {
  const path = import.meta.url.endsWith(".ts") ? "../../dist/runtime/host.js" : "./host.js";
  const program = fileURLToPath(new URL(path, import.meta.url));
  if (!existsSync(program)) {
    throw new AntidoteError("INTERNAL", "The program that computes has not been built.", {
      place: program,
      next: "Run `npm run build`.",
    });
  }
  return program;
}

const LESS_MEMORY =
  "Use a smaller batch or fewer threads, close other programs, or take a machine with more memory.";

/** ONNX Runtime refused a model or a run. */
function failure(text: string): AntidoteError {
  const message = onOneLine(text);
  // The ways in which its messages name a node.
  const place = /(?:Name:'|name '|In Node, \("|node ?\()([^'")]+)/i.exec(text)?.[1];
  const bytes = /Failed to allocate memory for requested buffer of size (\d+)/.exec(message)?.[1];
  return new AntidoteError(
    "RUNTIME_FAILED",
    bytes === undefined
      ? `ONNX Runtime refused: ${message}`
      : `A tensor of ${Math.ceil(Number(bytes) / 1e9)} GB does not fit into memory.`,
    {
      ...(place === undefined ? {} : { place }),
      next:
        bytes === undefined
          ? "Check that ONNX Runtime runs the model on its own, or export it again."
          : LESS_MEMORY,
    },
  );
}

/** ONNX Runtime breaks some of its messages into lines. */
function onOneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]\s*/g, " ");
}

/** The process ended though nobody asked it to. */
function crash(code: number | null, signal: NodeJS.Signals | null, output: string): AntidoteError {
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  const said = onOneLine(output);
  return new AntidoteError(
    "RUNTIME_CRASHED",
    `The computing process ${how}.${said && ` Its last words: ${said}`}`,
    {
      // Linux ends the largest process with SIGKILL when memory runs out.
      next:
        signal === "SIGKILL"
          ? `Memory has probably run out. ${LESS_MEMORY}`
          : "Try again with a smaller batch or on another device, and report it if it happens again.",
    },
  );
}
