import { readFileSync } from "node:fs";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { DataType, Tensor, TypedArray } from "../core/tensor.ts";
import { NO_TENSOR, type Tensors } from "./device.ts";
import type { Answer, HostOptions, Operations, Request } from "./protocol.ts";

interface Loaded {
  readonly session: InferenceSession;
  /** State input → the output that replaces it after a run, or null. */
  readonly replacedBy: ReadonlyMap<string, string | null>;
  readonly state: Map<string, OrtTensor>;
}

/**
 * The sessions of one host process, and the tensors that stay in it between runs. Names and shapes were
 * checked by the main process; what ONNX Runtime refuses is thrown in its own words.
 */
export class Sessions implements Operations {
  readonly #options: InferenceSession.SessionOptions;
  readonly #loaded = new Map<number, Loaded>();

  constructor({ device, threads }: HostOptions) {
    this.#options = {
      executionProviders: [device],
      intraOpNumThreads: threads,
      graphOptimizationLevel: "all",
      // Measured on a training step: without patterns the same speed and 28 % less memory; without the
      // arena 15 % slower.
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: {
        session: {
          // Vanishing gradients become zeros: denormal numbers are many times slower to compute with.
          set_denormal_as_zero: "1",
          // Waiting threads sleep. Spinning ones halve the speed as soon as anything else runs.
          intra_op: { allow_spinning: "0" },
        },
      },
    };
  }

  async compile({ program, model, state }: Request<"compile">): Promise<Answer<"compile">> {
    const session = await InferenceSession.create(model, this.#options);
    const replacedBy = new Map(Object.entries(state));
    this.#loaded.set(program, { session, replacedBy, state: new Map() });
    return Object.fromEntries(
      session.outputMetadata.map((output) => [
        output.name,
        output.isTensor ? output.type : NO_TENSOR,
      ]),
    );
  }

  async run({ program, feeds, fetch }: Request<"run">): Promise<Answer<"run">> {
    const { session, replacedBy, state } = this.#get(program);
    const replacing = [...replacedBy.values()].filter((output) => output !== null);
    const results = await session.run({ ...Object.fromEntries(state), ...toOrt(feeds) }, [
      ...new Set([...fetch, ...replacing]),
    ]);
    for (const [input, output] of replacedBy) {
      if (output !== null) state.set(input, results[output]!);
    }
    return fromOrt(fetch, (name) => results[name]);
  }

  async write({ program, state }: Request<"write">): Promise<void> {
    const loaded = this.#get(program);
    for (const [name, tensor] of Object.entries(toOrt(state))) loaded.state.set(name, tensor);
  }

  async read({ program, names }: Request<"read">): Promise<Answer<"read">> {
    const { state } = this.#get(program);
    return fromOrt(names, (name) => state.get(name));
  }

  async release({ program }: Request<"release">): Promise<void> {
    const { session } = this.#get(program);
    this.#loaded.delete(program);
    await session.release();
  }

  async peakMemory(): Promise<number> {
    if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
    // Linux counts what the parent held at the time of the fork into `maxRSS`; VmHWM starts afresh.
    const status = readFileSync("/proc/self/status", "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  #get(program: number): Loaded {
    const loaded = this.#loaded.get(program);
    if (!loaded) throw new Error(`The host has no program ${program}.`);
    return loaded;
  }
}

function toOrt(tensors: Tensors): Record<string, OrtTensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, data, shape }]) => [
      name,
      new OrtTensor(type as OrtTensor.Type, data, shape),
    ]),
  );
}

function fromOrt(
  names: readonly string[],
  find: (name: string) => OrtTensor | undefined,
): Record<string, Tensor> {
  return Object.fromEntries(
    names.map((name) => {
      const { type, dims, data } = find(name)!;
      // Newer Node versions have a Float16Array; tensors keep the raw bits of float16.
      const bits = type === "float16" ? rawBits(data as TypedArray) : (data as TypedArray);
      return [name, { type: type as DataType, shape: [...dims], data: bits }];
    }),
  );
}

function rawBits({ buffer, byteOffset, byteLength }: TypedArray): Uint16Array {
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}
