import { describe, expect, test } from "vitest";
import { float32, int64, toNumbers } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { StaticGraph } from "../../src/onnx/graph.ts";
import { openDevice } from "../../src/runtime/process-device.ts";
import { testDevice } from "../support/device.ts";
import { descent, SLOW_FEEDS, slow } from "./graphs.ts";

const device = await testDevice();

/** y = 2·x, sum = Σy. */
function doubling(): StaticGraph {
  const b = new GraphBuilder();
  const y = b.mul(b.input("x", "float32", [2, 3]), b.scalar(2));
  b.output("y", y);
  b.output("sum", b.sum(y));
  return b.build();
}

const SIX = float32([2, 3], [1, 2, 3, 4, 5, 6]);

describe("a program", () => {
  test("computes every output, or those asked for", async () => {
    await using program = await device.compile(doubling());
    expect(program.outputTypes).toEqual({ y: "float32", sum: "float32" });
    const all = await program.run({ x: SIX });
    expect(all["y"]).toEqual(float32([2, 3], [2, 4, 6, 8, 10, 12]));
    expect(all["sum"]).toEqual(float32([], [42]));
    expect(Object.keys(await program.run({ x: SIX }, { fetch: ["sum"] }))).toEqual(["sum"]);
  });

  test("takes and gives every element type it may meet", async () => {
    const b = new GraphBuilder();
    const labels = b.input("labels", "int64", [3]);
    b.output("same", b.unary("Identity", labels));
    b.output("isOne", b.equal(labels, b.ints([1])));
    b.output("half", b.op("Cast", [labels], { to: 10 }, { type: "float16", shape: [3] }));
    await using program = await device.compile(b.build());
    const results = await program.run({ labels: int64([0, 1, 2]) });
    expect(results["same"]).toEqual(int64([0, 1, 2]));
    expect(results["isOne"]).toEqual({ type: "bool", shape: [3], data: Uint8Array.of(0, 1, 0) });
    expect(results["half"]).toEqual({
      type: "float16",
      shape: [3],
      data: Uint16Array.of(0, 0x3c00, 0x4000),
    });
  });

  test("feeds a part of a larger buffer", async () => {
    await using program = await device.compile(doubling());
    const data = Float32Array.of(0, 1, 2, 3, 4, 5, 6).subarray(1);
    const { sum } = await program.run({ x: { type: "float32", shape: [2, 3], data } });
    expect(toNumbers(sum!)).toEqual([42]);
  });

  test("carries state from run to run", async () => {
    await using program = await device.compile(descent(), { state: { w: "next", target: null } });
    await program.write({ w: float32([2], [1, 0]), target: float32([2], [0, 0]) });
    for (let i = 0; i < 3; i++) {
      expect(Object.keys(await program.run({ rate: float32([], [0.5]) }))).toEqual(["loss"]);
    }
    expect(await program.read(["w"])).toEqual({ w: float32([2], [0.125, 0]) });
    expect(Object.keys(await program.read())).toEqual(["w", "target"]);
    await program.write({ w: float32([2], [8, 8]) });
    const { next } = await program.run({ rate: float32([], [0.5]) }, { fetch: ["next"] });
    expect(toNumbers(next!)).toEqual([4, 4]);
    expect(toNumbers((await program.read(["w"]))["w"]!)).toEqual([4, 4]);
  });

  test("keeps state apart from that of other programs", async () => {
    const options = { state: { w: "next", target: null } };
    await using one = await device.compile(descent(), options);
    await using other = await device.compile(descent(), options);
    const target = float32([2], [0, 0]);
    await one.write({ w: float32([2], [1, 1]), target });
    await other.write({ w: float32([2], [2, 2]), target });
    await one.run({ rate: float32([], [1]) });
    expect(toNumbers((await one.read(["w"]))["w"]!)).toEqual([0, 0]);
    expect(toNumbers((await other.read(["w"]))["w"]!)).toEqual([2, 2]);
  });

  test("answers calls made at once in their order", async () => {
    await using program = await device.compile(descent(), { state: { w: "next", target: null } });
    await program.write({ w: float32([2], [1, 1]), target: float32([2], [0, 0]) });
    const runs = [1, 2, 3].map(() =>
      program.run({ rate: float32([], [0.5]) }, { fetch: ["next"] }),
    );
    const values = (await Promise.all(runs)).map(({ next }) => toNumbers(next!)[0]);
    expect(values).toEqual([0.5, 0.25, 0.125]);
  });
});

describe("a mistake in a call is refused before it is sent", () => {
  test.each([
    ["a missing input", {}, undefined, /input "x" is not fed/],
    ["an unknown input", { x: SIX, z: SIX }, undefined, /no input "z"/],
    [
      "a wrong shape",
      { x: float32([6], SIX.data) },
      undefined,
      /"x" expects float32 \[2, 3\] .* \[6\]/,
    ],
    ["a wrong type", { x: int64([1], [1, 1]) }, undefined, /"x" expects float32/],
    ["an unknown output", { x: SIX }, ["z"], /no output "z"/],
  ])("%s", async (_, feeds, fetch, message) => {
    await using program = await device.compile(doubling());
    const call = program.run(feeds, fetch ? { fetch } : {});
    await expect(call).rejects.toThrow(message);
  });

  test("state that was never written, is unknown, or is fed", async () => {
    await using program = await device.compile(descent(), { state: { w: "next", target: null } });
    const rate = float32([], [1]);
    await expect(program.run({ rate })).rejects.toThrow(/state "w" has never been written/);
    await expect(program.read()).rejects.toThrow(/state "w" has never been written/);
    await expect(program.write({ rate })).rejects.toThrow(/no state "rate"/);
    const w = float32([2], [0, 0]);
    await expect(program.run({ rate, w })).rejects.toThrow(/"w" is state/);
    await expect(device.compile(descent(), { state: { w: "after" } })).rejects.toThrow(/"after"/);
  });

  test("a released program", async () => {
    const program = await device.compile(doubling());
    await program.release();
    await program.release();
    await expect(program.run({ x: SIX })).rejects.toThrow(/released/);
  });
});

describe("what ONNX Runtime refuses", () => {
  test.each([
    ["NoSuchOperator", {}, "No Op registered"],
    ["Relu", { slope: 1 }, "Unrecognized attribute"],
    ["Not", {}, "Type Error"],
  ])("is an error that names the node, when compiling: %s", async (op, attributes, message) => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2]);
    b.emit(op, [x], attributes, [x], ["layer/odd"]);
    b.output("layer/odd", b.value("layer/odd"));
    await expect(device.compile(b.build())).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
      place: "layer/odd",
      message: expect.stringContaining(message),
    });
  });

  test("is an error whose message is one line", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2]);
    b.output("y", b.emit("NoSuchOperator", [x], {}, [x], ["odd\nname"])[0]!);
    await expect(device.compile(b.build())).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
      message: expect.stringMatching(/^.*odd name.*$/),
    });
  });

  test("is an error with advice when memory does not suffice", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1]);
    b.output("sum", b.sum(b.expand(x, [1e6, 1e7])));
    await using program = await device.compile(b.build());
    await expect(program.run({ x: float32([1], [0]) })).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
      message: "A tensor of 40000 GB does not fit into memory.",
      next: expect.stringContaining("smaller batch"),
    });
  });

  test("is an error that names the node, when running; the device goes on", async () => {
    const b = new GraphBuilder();
    const table = b.input("table", "float32", [2, 2]);
    const index = b.input("index", "int64", [1]);
    b.emit("Gather", [table, index], {}, [{ type: "float32", shape: [1, 2] }], ["picked"]);
    b.output("picked", b.value("picked"));
    await using program = await device.compile(b.build());
    const feed = { table: float32([2, 2], [1, 2, 3, 4]), index: int64([7]) };
    await expect(program.run(feed)).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
      place: "picked",
      message: expect.stringContaining("out of data bounds"),
    });
    const { picked } = await program.run({ ...feed, index: int64([1]) });
    expect(toNumbers(picked!)).toEqual([3, 4]);
  });
});

describe("the main process", () => {
  test("stays free while a run is under way, and knows the memory it takes", async () => {
    await using other = await openDevice({ name: "cpu", threads: 1 });
    await using program = await other.compile(slow(8));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    await program.run(SLOW_FEEDS);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    const peak = await other.peakMemory();
    expect(peak).toBeGreaterThan(20e6);
    expect(peak).toBeLessThan(500e6);
  });
});
