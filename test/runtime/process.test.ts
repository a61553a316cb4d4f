import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import { openDevice } from "../../src/runtime/process-device.ts";
import { descent, SLOW_FEEDS, slow } from "./graphs.ts";

const CPU = { name: "cpu", threads: 1 } as const;
/** Runs for half a minute or more. */
const LONG = 2000;

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number, seconds: number): Promise<boolean> {
  for (let i = 0; i < seconds * 20 && exists(pid); i++) await sleep(50);
  return !exists(pid);
}

describe("a crash of the computing process", () => {
  test.each(["SIGSEGV", "SIGKILL", "SIGABRT"] as const)(
    "by %s is an error of every call; the program goes on",
    async (signal) => {
      const device = await openDevice(CPU);
      const program = await device.compile(slow(LONG));
      const running = program.run(SLOW_FEEDS);
      const waiting = device.peakMemory();
      setTimeout(() => process.kill(device.pid!, signal), 100);
      const crashed = { code: "RUNTIME_CRASHED", message: expect.stringContaining(signal) };
      await expect(running).rejects.toMatchObject(crashed);
      await expect(waiting).rejects.toMatchObject(crashed);
      await expect(program.run(SLOW_FEEDS)).rejects.toMatchObject(crashed);
      await expect(device.compile(descent())).rejects.toMatchObject(crashed);
      await program.release();
      await device.close();

      await using another = await openDevice(CPU);
      expect(await another.peakMemory()).toBeGreaterThan(0);
    },
  );

  test("by lack of memory comes with advice", async () => {
    await using device = await openDevice(CPU);
    const program = await device.compile(slow(LONG));
    const running = program.run(SLOW_FEEDS);
    setTimeout(() => process.kill(device.pid!, "SIGKILL"), 50);
    await expect(running).rejects.toMatchObject({ next: expect.stringContaining("smaller batch") });
  });
});

test("a device that cannot start says what its process wrote last", async () => {
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = "--no-such-option";
  try {
    await expect(openDevice(CPU)).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      message: expect.stringContaining("--no-such-option"),
    });
  } finally {
    if (before === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = before;
  }
});

describe("stopping", () => {
  test("an aborted run fails at once, long before its end", async () => {
    await using device = await openDevice(CPU);
    const program = await device.compile(slow(LONG));
    const stop = new AbortController();
    const running = program.run(SLOW_FEEDS, { signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    const start = performance.now();
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(performance.now() - start).toBeLessThan(2000);
    await program.release();
  });

  test("the device goes on after an aborted run", async () => {
    await using device = await openDevice(CPU);
    await using program = await device.compile(slow(5));
    const stop = new AbortController();
    const running = program.run(SLOW_FEEDS, { signal: stop.signal });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(program.run(SLOW_FEEDS, { signal: stop.signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(Object.keys(await program.run(SLOW_FEEDS))).toEqual(["sum"]);
  });

  test("an aborted call that still waits is never made", async () => {
    await using device = await openDevice(CPU);
    await using program = await device.compile(descent(), { state: { w: "next", target: null } });
    await program.write({ w: float32([2], [1, 1]), target: float32([2], [0, 0]) });
    const stop = new AbortController();
    const rate = float32([], [0.5]);
    const first = program.run({ rate });
    const second = program.run({ rate }, { signal: stop.signal });
    stop.abort();
    await expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    await first;
    expect((await program.read(["w"]))["w"]).toEqual(float32([2], [0.5, 0.5]));
  });

  test("many calls may wait on one signal without a warning from Node", async () => {
    await using device = await openDevice(CPU);
    await using program = await device.compile(descent(), { state: { w: "next", target: null } });
    await program.write({ w: float32([2], [1, 1]), target: float32([2], [0, 0]) });
    const feeds = { rate: float32([], [0.5]) };
    const warned: Error[] = [];
    const listen = (warning: Error) => warned.push(warning);
    process.on("warning", listen);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 15 }, () => program.run(feeds, { signal })));
    process.off("warning", listen);
    expect(warned).toEqual([]);
  });

  test("closing ends the process in the middle of a run", async () => {
    const device = await openDevice(CPU);
    const program = await device.compile(slow(LONG));
    const running = program.run(SLOW_FEEDS);
    const failed = expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    await sleep(50);
    await device.close();
    await failed;
    expect(exists(device.pid!)).toBe(false);
    await expect(device.compile(descent())).rejects.toMatchObject({ code: "CANCELLED" });
    await device.close();
  });

  test("the device's own signal closes it", async () => {
    const stop = new AbortController();
    const device = await openDevice({ ...CPU, signal: stop.signal });
    const program = await device.compile(slow(LONG));
    const running = program.run(SLOW_FEEDS);
    setTimeout(() => stop.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await gone(device.pid!, 5)).toBe(true);
    await expect(openDevice({ ...CPU, signal: stop.signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  test("Ctrl-C, which reaches every process of the terminal, leaves the process to its parent", async () => {
    await using device = await openDevice(CPU);
    process.kill(device.pid!, "SIGINT");
    await sleep(50);
    expect(await device.peakMemory()).toBeGreaterThan(0);
  });
});

test("several devices compute at the same time", async () => {
  await using one = await openDevice(CPU);
  await using other = await openDevice(CPU);
  const programs = await Promise.all([one, other].map((device) => device.compile(slow(2))));
  const results = await Promise.all(programs.map((program) => program.run(SLOW_FEEDS)));
  expect(results[0]).toEqual(results[1]);
  expect(one.pid).not.toBe(other.pid);
});

describe("no process outlives the program", () => {
  const dist = (path: string) => pathToFileURL(join(process.cwd(), "dist", path)).href;
  const start = (ending: string) => `
    import { openDevice } from "${dist("runtime/process-device.js")}";
    import { GraphBuilder } from "${dist("onnx/builder.js")}";
    import { zeros } from "${dist("core/tensor.js")}";
    const device = await openDevice({ name: "cpu", threads: 1 });
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1024, 1024]);
    let y = x;
    for (let i = 0; i < ${LONG}; i++) y = b.matmul(y, x);
    b.output("sum", b.sum(y));
    const program = await device.compile(b.build());
    void program.run({ x: zeros([1024, 1024]) });
    setTimeout(() => { console.log(device.pid); ${ending} }, 500);`;

  test.each([
    ["that exits without closing the device", "process.exit(0);", undefined],
    ["that is killed", "", "SIGKILL"],
  ] as const)("%s, not even in the middle of a run", async (_, ending, signal) => {
    const folder = mkdtempSync(join(tmpdir(), "antidote-runtime-"));
    try {
      const script = join(folder, "program.mjs");
      writeFileSync(script, start(ending));
      const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(line.toString());
      expect(exists(pid)).toBe(true);
      if (signal) parent.kill(signal);
      await once(parent, "exit");
      expect(await gone(pid, 5)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
