import { availableParallelism } from "node:os";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { encodeGraph } from "../onnx/encode.ts";
import type { StaticGraph } from "../onnx/graph.ts";
import type { Device, DeviceName, Program, ProgramOptions } from "./device.ts";
import { HostProcess } from "./host-process.ts";
import { HostedProgram } from "./hosted-program.ts";

export interface DeviceOptions {
  readonly name: DeviceName;
  /** Threads that one operation uses; all processors by default. */
  readonly threads?: number | undefined;
  /** Closes the device once aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a process that computes with ONNX Runtime and sees to it that it can. Several may be open at
 * once (independent trials), each with its own threads and memory. After a crash, open another.
 * @throws `DEVICE_UNAVAILABLE`, `CANCELLED`
 */
export async function openDevice(options: DeviceOptions): Promise<ProcessDevice> {
  const device = new ProcessDevice(options);
  try {
    const program = await device.compile(smallestGraph());
    await program.release();
  } catch (error) {
    await device.close();
    if (!(error instanceof AntidoteError) || error.code === "CANCELLED") throw error;
    throw new AntidoteError(
      "DEVICE_UNAVAILABLE",
      `The device "${options.name}" cannot be used here. ${error.message}`,
      {
        place: options.name,
        next:
          options.name === "webgpu"
            ? "Install a driver for Vulkan (Linux), Direct3D 12 (Windows) or Metal (macOS), or use `--device cpu`."
            : "Run `npm ci` again; ONNX Runtime has builds for Linux and Windows (x64, arm64) and macOS (arm64).",
        cause: error,
      },
    );
  }
  return device;
}

/** A device in a process of its own; see `openDevice`. */
export class ProcessDevice implements Device {
  readonly name: DeviceName;
  readonly threads: number;
  readonly #host: HostProcess;
  readonly #stopListening: () => void;
  #programs = 0;

  constructor({ name, threads = availableParallelism(), signal }: DeviceOptions) {
    throwIfCancelled(signal);
    this.name = name;
    this.threads = threads;
    this.#host = new HostProcess({ device: name, threads });
    const close = () => void this.close();
    signal?.addEventListener("abort", close);
    this.#stopListening = () => signal?.removeEventListener("abort", close);
  }

  /** Identifier of the device's process. */
  get pid(): number | undefined {
    return this.#host.pid;
  }

  async compile(graph: StaticGraph, { state = {} }: ProgramOptions = {}): Promise<Program> {
    const program = this.#programs++;
    const model = encodeGraph(graph);
    const outputTypes = await this.#host.call("compile", { program, model, state });
    return new HostedProgram(this.#host, program, graph, state, outputTypes);
  }

  peakMemory(): Promise<number> {
    return this.#host.call("peakMemory", {});
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#host.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** y = x. */
function smallestGraph(): StaticGraph {
  const b = new GraphBuilder();
  b.output("y", b.unary("Identity", b.input("x", "float32", [1])));
  return b.build();
}
