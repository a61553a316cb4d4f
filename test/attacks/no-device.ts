import { invariant } from "../../src/core/errors.ts";
import type { Device } from "../../src/runtime/device.ts";

/** A device for methods that compute nothing on one: using it fails. */
export const noDevice: Device = {
  name: "cpu",
  threads: 1,
  async compile() {
    invariant(false, "this test has no device");
  },
  peakMemory: async () => 0,
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
};
