import { afterAll } from "vitest";
import { openDevice, type ProcessDevice } from "../../src/runtime/process-device.ts";

/** A CPU device with one thread for the tests of a file, closed after the last of them. */
export async function testDevice(): Promise<ProcessDevice> {
  const device = await openDevice({ name: "cpu", threads: 1 });
  afterAll(() => device.close());
  return device;
}
