import type { Device, Program, Tensors } from "../../src/runtime/device.ts";

/** A device that counts what is compiled and not yet released, and keeps feeds and loss of every step. */
export interface RecordingDevice extends Device {
  readonly losses: readonly number[];
  /** What the steps were fed, in the order of their losses. */
  readonly feeds: readonly Tensors[];
  /** Programs that were compiled. */
  readonly compiled: number;
  /** Programs that were compiled and not released. */
  readonly open: number;
}

/** Puts a record before a device; closing is left to the owner of the device. */
export function recording(device: Device): RecordingDevice {
  const losses: number[] = [];
  const fed: Tensors[] = [];
  let compiled = 0;
  const open = new Set<Program>();
  const watched = (program: Program): Program => {
    const proxy: Program = {
      outputTypes: program.outputTypes,
      async run(feeds, options) {
        const outputs = await program.run(feeds, options);
        const loss = outputs["metric/loss"];
        if (loss) {
          losses.push(Number(loss.data[0]));
          fed.push(feeds);
        }
        return outputs;
      },
      write: (state) => program.write(state),
      read: (names) => program.read(names),
      async release() {
        open.delete(proxy);
        await program.release();
      },
      [Symbol.asyncDispose]: () => proxy.release(),
    };
    open.add(proxy);
    return proxy;
  };
  return {
    name: device.name,
    threads: device.threads,
    async compile(graph, options) {
      compiled++;
      return watched(await device.compile(graph, options));
    },
    peakMemory: () => device.peakMemory(),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
    losses,
    feeds: fed,
    get compiled() {
      return compiled;
    },
    get open() {
      return open.size;
    },
  };
}
