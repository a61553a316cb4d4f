import type { Tensor } from "../core/tensor.ts";
import type { StaticGraph } from "../onnx/graph.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

export type DeviceName = "cpu" | "webgpu";

/** In place of an element type: a list of tensors, a map. */
export const NO_TENSOR = "no tensor";

/** How a graph is to be executed. */
export interface ProgramOptions {
  /**
   * Tensors that live with the program between runs: input name → name of the output that replaces it
   * after every run (weights, momenta), or null where runs only read it (weights under evaluation).
   * They never cross to the main process unless read.
   */
  readonly state?: Readonly<Record<string, string | null>>;
}

/** A compiled graph. One run at a time; calls made meanwhile wait. */
export interface Program extends AsyncDisposable {
  /** Element type of every output, as ONNX Runtime infers and names it, or `NO_TENSOR`. */
  readonly outputTypes: Readonly<Record<string, string>>;
  /**
   * Executes the graph.
   * @param feeds one tensor for every input that is not state
   * @param options `signal` stops the wait at once (the state is then that before or after this run);
   *   `fetch` names the outputs wanted (default: every output that does not replace state)
   * @throws `CANCELLED`, `RUNTIME_FAILED` (ONNX Runtime refused), `RUNTIME_CRASHED` (the process died)
   */
  run(
    feeds: Tensors,
    options?: { readonly signal?: AbortSignal | undefined; readonly fetch?: readonly string[] },
  ): Promise<Record<string, Tensor>>;
  /** Sets state tensors by input name; all must be set before the first run. */
  write(state: Tensors): Promise<void>;
  /** Reads state tensors by input name (default: all). */
  read(names?: readonly string[]): Promise<Record<string, Tensor>>;
  /** Frees the session and its state, at the latest before the device takes its next call. */
  release(): Promise<void>;
}

/** A place where graphs run. Sessions live in a process of their own, so the caller stays responsive. */
export interface Device extends AsyncDisposable {
  readonly name: DeviceName;
  readonly threads: number;
  /** @throws `RUNTIME_FAILED` (ONNX Runtime refused the graph), `RUNTIME_CRASHED`, `CANCELLED` (closed) */
  compile(graph: StaticGraph, options?: ProgramOptions): Promise<Program>;
  /** Largest resident memory of the device's process so far, in bytes. */
  peakMemory(): Promise<number>;
  /** Ends the process; running and later calls fail with `CANCELLED`. */
  close(): Promise<void>;
}
