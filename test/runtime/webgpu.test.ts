import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32, type Shape, sizeOf } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/process-device.ts";
import { descent } from "./graphs.ts";

/** The software Vulkan driver of Debian's `chromium` package. */
const SOFTWARE_DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (existsSync(SOFTWARE_DRIVER)) process.env["VK_ICD_FILENAMES"] ??= SOFTWARE_DRIVER;

async function open(): Promise<Device | string> {
  try {
    return await openDevice({ name: "webgpu", threads: 1 });
  } catch (error) {
    return (error as Error).message;
  }
}

function normal(name: string, shape: Shape): FloatTensor {
  const random = Random.fromSeed(1).fork(name);
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

test("webgpu and cpu agree on a small network and carry state alike", async (context) => {
  const webgpu = await open();
  if (typeof webgpu === "string") {
    return context.skip(`no WebGPU here: ${webgpu} (apt-get install chromium libvulkan1)`);
  }
  await using gpu = webgpu;
  await using cpu = await openDevice({ name: "cpu", threads: 1 });

  const b = new GraphBuilder();
  const x = b.input("x", "float32", [2, 3, 8, 8]); // [N,C,H,W]
  const convolved = b.op(
    "Conv",
    [x, b.constant(normal("kernel", [4, 3, 3, 3]))],
    { pads: [1, 1, 1, 1] },
    { type: "float32", shape: [2, 4, 8, 8] },
  );
  const pooled = b.mean(b.unary("Relu", convolved), [2, 3]); // [N,C]
  const logits = b.matmul(pooled, b.constant(normal("head", [4, 5])));
  b.output("scores", b.softmax(logits));
  const network = b.build();
  const scores = await Promise.all(
    [cpu, gpu].map(async (device) => {
      await using program = await device.compile(network);
      return (await program.run({ x: normal("x", [2, 3, 8, 8]) }))["scores"]!.data as Float32Array;
    }),
  );
  scores[0]!.forEach((score, i) => {
    // The order of summation differs: engine notes of other drivers report 4e-5.
    expect(scores[1]![i]).toBeCloseTo(score, 4);
  });

  const weights = await Promise.all(
    [cpu, gpu].map(async (device) => {
      await using program = await device.compile(descent(), { state: { w: "next", target: null } });
      await program.write({ w: float32([2], [1, -1]), target: float32([2], [0, 0]) });
      for (let i = 0; i < 3; i++) await program.run({ rate: float32([], [0.5]) });
      return program.read(["w"]);
    }),
  );
  expect(weights[0]).toEqual(weights[1]);
});

test("where there is no driver the error says what to install", async () => {
  const before = process.env["VK_ICD_FILENAMES"];
  process.env["VK_ICD_FILENAMES"] = "/nonexistent.json";
  try {
    const device = await openDevice({ name: "webgpu", threads: 1 });
    await device.close(); // Not Linux, or a driver that ignores the variable.
  } catch (error) {
    expect(error).toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      place: "webgpu",
      next: expect.stringContaining("--device cpu"),
    });
  } finally {
    if (before === undefined) delete process.env["VK_ICD_FILENAMES"];
    else process.env["VK_ICD_FILENAMES"] = before;
  }
});
