import type { Tensor } from "../core/tensor.ts";
import type { DeviceName, Tensors } from "./device.ts";

/**
 * What the main process asks of the process that computes. Every operation is one message there and one
 * message back, and the next is sent only after the answer to the last.
 */
export interface Operations {
  /** Makes a session of a serialised ModelProto; answers with the element type of every output, in
   * ONNX Runtime's words. */
  compile(request: {
    readonly program: number;
    readonly model: Uint8Array;
    readonly state: Readonly<Record<string, string | null>>;
  }): Promise<Readonly<Record<string, string>>>;
  /** Runs it on the feeds and its state; answers with the fetched outputs. */
  run(request: {
    readonly program: number;
    readonly feeds: Tensors;
    readonly fetch: readonly string[];
  }): Promise<Record<string, Tensor>>;
  write(request: { readonly program: number; readonly state: Tensors }): Promise<void>;
  read(request: {
    readonly program: number;
    readonly names: readonly string[];
  }): Promise<Record<string, Tensor>>;
  release(request: { readonly program: number }): Promise<void>;
  /** Largest resident memory of the process so far, in bytes. */
  peakMemory(request: Record<string, never>): Promise<number>;
}

export type Operation = keyof Operations;
export type Request<K extends Operation = Operation> = Parameters<Operations[K]>[0];
export type Answer<K extends Operation = Operation> = Awaited<ReturnType<Operations[K]>>;

/** Main process → host. */
export interface Call {
  readonly operation: Operation;
  readonly request: Request;
}

/** Host → main process. */
export type Reply =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly message: string };

/** What the host is started with. */
export interface HostOptions {
  readonly device: DeviceName;
  readonly threads: number;
}
