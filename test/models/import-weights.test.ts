import { readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../src/core/safetensors.ts";
import {
  type FloatTensor,
  float32,
  type Shape,
  type Tensor,
  tensor,
} from "../../src/core/tensor.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { importWeights } from "../../src/models/import-weights.ts";
import { type ResNetShape, resnet18Parameters } from "../../src/models/resnet18.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { exportModel } from "../../src/onnx/export.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { parseModel } from "../../src/onnx/parse.ts";
import { convertFloat } from "../../src/onnx/tensors.ts";
import { failureOf, folderWith } from "../data/temporary.ts";
import { testDevice } from "../support/device.ts";
import { fill, startValue } from "../train/fill.ts";

const device = await testDevice();

/** As `parameter` in goldens/generate_weights.py. */
function parameter(seed: number, name: string, shape: Shape): FloatTensor {
  const value = startValue(seed, name, shape);
  return name.endsWith("running_var")
    ? float32(
        shape,
        value.data.map((v) => 1 + v),
      )
    : value;
}

/** All parameters of a network, with what PyTorch stores beside them. */
function parametersOf(shapes: Iterable<readonly [string, Shape]>): Map<string, Tensor> {
  const values = Array.from(shapes, ([name, shape], seed) => {
    return [name, parameter(seed, name, shape)] as [string, Tensor];
  });
  const tracked: [string, Tensor] = [
    "bn1.num_batches_tracked",
    tensor("int64", [], BigInt64Array.of(7n)),
  ];
  return new Map([...values, tracked]);
}

const SMALL: ResNetShape = { channels: 3, classes: 5, baseWidth: 4, stem: "imagenet" };
const small = (change: Partial<ResNetShape> = {}) =>
  parametersOf(resnet18Parameters({ ...SMALL, ...change }));

async function saved(tensors: ReadonlyMap<string, Tensor>, metadata = {}): Promise<string> {
  const bytes = encodeSafetensors({ tensors, metadata });
  return join(await folderWith({ "model.safetensors": bytes }), "model.safetensors");
}

const SIZE = { height: 64, width: 64 };

/** Class scores of two images, [2,K]. */
async function logitsOf(path: string, size: typeof SIZE | undefined = SIZE): Promise<number[][]> {
  const { file } = await importWeights(path, size);
  const classifier = await Classifier.fromGraph(importGraph(file), device);
  const { height, width } = classifier.image;
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [2, 3, height, width]);
  b.output("logits", classifier.append(b, await classifier.at(2), x, "model/").logits);
  await using program = await device.compile(b.build());
  const filled = fill(1000, [2, 3, height, width]);
  const images = float32(
    filled.shape,
    filled.data.map((v) => (v + 1) / 2),
  );
  const scores = Array.from((await program.run({ images }))["logits"]!.data as Float32Array);
  return [scores.slice(0, classifier.classes), scores.slice(classifier.classes)];
}

describe("weights of a ResNet-18", () => {
  const golden = JSON.parse(
    readFileSync(new URL("goldens/resnet18-imagenet.json", import.meta.url), "utf8"),
  ) as { shapes: Record<string, number[]>; logits: number[][] };

  test("have torchvision's names and shapes, and give its scores, to 1e-4", async () => {
    const options = { channels: 3, classes: 7, baseWidth: 64, stem: "imagenet" } as const;
    const shapes = Object.entries(golden.shapes);
    expect([...resnet18Parameters(options)]).toEqual(shapes);
    const logits = await logitsOf(await saved(parametersOf(shapes)));
    // float32 beside float64 through eighteen layers.
    golden.logits.forEach((row, n) => {
      const norm = Math.hypot(...row);
      row.forEach((score, k) => {
        expect(Math.abs(logits[n]![k]! - score) / norm).toBeLessThan(1e-4);
      });
    });
  });

  test("may be stored in half precision, in either form", async () => {
    for (const type of ["float16", "bfloat16"] as const) {
      const halved = [...small()].map(([name, value]): [string, Tensor] => [
        name,
        value.type === "float32" ? convertFloat(value, type) : value,
      ]);
      const widened = halved.map(([name, value]): [string, Tensor] => [
        name,
        value.type === type ? convertFloat(value, "float32") : value,
      ]);
      const [stored, wide] = [await saved(new Map(halved)), await saved(new Map(widened))];
      expect(await logitsOf(stored)).toEqual(await logitsOf(wide));
    }
  });

  test("tell the stem, the width, the classes, and the size that is usual", async () => {
    const { file, assumedSize } = await importWeights(
      await saved(small({ stem: "cifar", classes: 9, channels: 1 })),
      undefined,
    );
    expect(assumedSize).toBe(32);
    const classifier = await Classifier.fromGraph(importGraph(file), device);
    expect(classifier).toMatchObject({ classes: 9, image: { channels: 1, height: 32, width: 32 } });
    expect((await importWeights(await saved(small()), undefined)).assumedSize).toBe(224);
    expect((await importWeights(await saved(small()), SIZE)).assumedSize).toBeUndefined();
  });

  test("may bear the prefix of DataParallel or Lightning, and lie in several files", async () => {
    const plain = await logitsOf(await saved(small()));
    for (const prefix of ["module.", "model."]) {
      const prefixed = new Map([...small()].map(([name, value]) => [prefix + name, value]));
      expect(await logitsOf(await saved(prefixed)), prefix).toEqual(plain);
    }
    const path = await sharded([...small()]);
    expect(await logitsOf(path)).toEqual(plain);
    const { file } = await importWeights(path, SIZE);
    expect(file.parts).toHaveLength(3);
  });
});

test("a model of weights is repaired into an ONNX file like any other", async () => {
  const { file } = await importWeights(await saved(small()), SIZE);
  const name = "layer1.0.conv1.weight";
  const other = float32([4, 4, 3, 3], new Float32Array(144).fill(0.5));
  const written = exportModel(file, new Map([[name, other]]), { note: "repaired" });
  const { constants } = importGraph(written);
  expect(constants.get(name)).toEqual(other);
  const before = importGraph(file).constants;
  expect(constants.get("fc.weight")).toEqual(before.get("fc.weight"));
});

type Named = [string, Tensor][];

/** The path of an index of two files that hold the halves of these tensors. */
async function sharded(
  tensors: Named,
  map: (map: Record<string, string>) => unknown = (it) => it,
): Promise<string> {
  const [first, second] = ["a.safetensors", "b.safetensors"];
  const half = Math.ceil(tensors.length / 2);
  const names = tensors.map(([name], i): [string, string] => [name, i < half ? first : second]);
  const part = (some: Named) => encodeSafetensors({ tensors: new Map(some), metadata: {} });
  const index = map(Object.fromEntries(names));
  const folder = await folderWith({
    [first]: part(tensors.slice(0, half)),
    [second]: part(tensors.slice(half)),
    "model.safetensors.index.json":
      typeof index === "string" ? index : JSON.stringify({ metadata: {}, weight_map: index }),
  });
  return join(folder, "model.safetensors.index.json");
}

describe("other weights", () => {
  test.each<[string, (all: Map<string, Tensor>) => void, string]>([
    [
      "one that lacks a tensor",
      (all) => all.delete("layer3.1.bn2.bias"),
      "layer3.1.bn2.bias is missing",
    ],
    [
      "one with another beside",
      (all) => all.set("extra", float32([1], [1])),
      "they hold extra as well",
    ],
    [
      "another shape",
      (all) => all.set("layer1.0.conv1.weight", float32([4, 4, 1, 1], new Float32Array(16))),
      "layer1.0.conv1.weight has the shape [4, 4, 1, 1] instead of [4, 4, 3, 3]",
    ],
    ["another network", (all) => all.delete("conv1.weight"), ": conv1.weight is missing."],
    [
      "one with other names",
      (all) => {
        for (const field of ["weight", "bias"]) {
          all.set(`linear.${field}`, all.get(`fc.${field}`)!);
          all.delete(`fc.${field}`);
        }
      },
      ": fc.weight is missing.",
    ],
    [
      "a single tensor",
      (all) => {
        all.clear();
        all.set("a", float32([1], [1]));
      },
      "The only tensor (a) is no ResNet-18 with torchvision's names, the only network that is known by its weights: conv1.weight and fc.weight are missing.",
    ],
    [
      "a convolution without kernel",
      (all) => all.set("conv1.weight", float32([4], [1, 1, 1, 1])),
      "conv1.weight or fc.weight has too few axes",
    ],
  ])("%s are refused by what differs", async (_, change, why) => {
    const all = small();
    change(all);
    expect(await failureOf(importWeights(await saved(all), SIZE))).toMatchObject({
      code: "MODEL_UNKNOWN_WEIGHTS",
      message: expect.stringContaining(why),
      next: expect.stringContaining("torch.onnx.export"),
    });
  });

  test("a checkpoint of Antidote's own training points to the model beside it", async () => {
    const path = await saved(small(), { "antidote-checkpoint": "1" });
    expect(await failureOf(importWeights(path, SIZE))).toMatchObject({
      code: "MODEL_UNKNOWN_WEIGHTS",
      next: expect.stringContaining("model.onnx"),
    });
  });

  test.each<[string, string, Tensor, string]>([
    [
      "NaN",
      "conv1.weight",
      float32([4, 3, 7, 7], new Float32Array(588).fill(Number.NaN)),
      "MODEL_NOT_FINITE",
    ],
    ["a negative variance", "bn1.running_var", float32([4], [1, 1, -1, 1]), "MODEL_NOT_FINITE"],
    ["an infinite mean", "bn1.running_mean", float32([4], [1, 1, Infinity, 1]), "MODEL_NOT_FINITE"],
    ["whole numbers", "fc.bias", tensor("int8", [5], new Int8Array(5)), "MODEL_UNSUPPORTED_TYPE"],
  ])("%s are refused by name", async (_, name, value, code) => {
    const all = small();
    all.set(name, value);
    const failing = importWeights(await saved(all), SIZE);
    expect(await failureOf(failing)).toMatchObject({ code, place: name });
  });
});

describe("files of another format", () => {
  test.each([
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:0",
      "git lfs pull",
    ],
    ["a web page", "<!DOCTYPE html><html>404</html>", "download"],
    ["a zip archive", "PK\x03\x04 as PyTorch writes", "weights_only=True"],
    ["a Python pickle", "\x80\x02}q\x00 and so on", "weights_only=True"],
  ])("%s is told from damaged weights", async (name, content, advice) => {
    const folder = await folderWith({ "model.safetensors": Buffer.from(content, "latin1") });
    const failure = await failureOf(importWeights(join(folder, "model.safetensors"), SIZE));
    expect(failure).toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(`^This is ${name}.*, not a safetensors file\\.$`),
      next: expect.stringContaining(advice),
    });
  });

  test("is no file whose header happens to have the length that a pickle begins with", async () => {
    // 0x0280 bytes, little-endian: "\x80\x02".
    const unpadded = encodeSafetensors({ tensors: new Map(), metadata: { pad: "" } }).length - 8;
    const metadata = { pad: " ".repeat(0x280 - unpadded) };
    const sound = encodeSafetensors({ tensors: new Map(), metadata });
    expect([...sound.subarray(0, 2)]).toEqual([0x80, 0x02]);
    const folder = await folderWith({ "a.safetensors": sound, "b.onnx": sound });
    const refused = await failureOf(importWeights(join(folder, "a.safetensors"), SIZE));
    expect(refused).toMatchObject({ code: "MODEL_UNKNOWN_WEIGHTS" });
    expect(() => parseModel(Uint8Array.from(sound), "b.onnx")).toThrow(
      "This is a safetensors file",
    );
  });
});

describe("hostile indices", () => {
  const failing = async (map: (map: Record<string, string>) => unknown) =>
    failureOf(importWeights(await sharded([...small()], map), SIZE));

  test("may name nothing outside their folder", async () => {
    for (const shard of ["../a.safetensors", "/etc/passwd", "x/../../a.safetensors"]) {
      expect(await failing((map) => ({ ...map, "fc.bias": shard })), shard).toMatchObject({
        code: "EXTERNAL_DATA_OUTSIDE",
        message: expect.stringContaining(shard),
      });
    }
    const elsewhere = await folderWith({ "w.safetensors": "secret" });
    const folder = await folderWith({
      "model.safetensors.index.json": JSON.stringify({ weight_map: { a: "link.safetensors" } }),
    });
    await symlink(join(elsewhere, "w.safetensors"), join(folder, "link.safetensors"));
    const path = join(folder, "model.safetensors.index.json");
    expect(await failureOf(importWeights(path, SIZE))).toMatchObject({
      code: "EXTERNAL_DATA_OUTSIDE",
    });
  });

  test.each<[string, (map: Record<string, string>) => unknown, object]>([
    [
      "a missing file",
      (map) => ({ ...map, "fc.bias": "c.safetensors" }),
      { code: "EXTERNAL_DATA_MISSING" },
    ],
    [
      "a tensor that is elsewhere",
      (map) => ({ ...map, "fc.bias": "a.safetensors" }),
      { code: "MODEL_INVALID", message: expect.stringContaining('"fc.bias"') },
    ],
    [
      "a tensor that is nowhere",
      (map) => ({ ...map, more: "a.safetensors" }),
      {
        code: "MODEL_INVALID",
        message: expect.stringContaining('does not hold the tensor "more"'),
      },
    ],
    [
      "a name twice",
      (map) =>
        JSON.stringify({ weight_map: map }).replace(
          '{"weight_map":{',
          '{"weight_map":{"fc.bias":"a.safetensors",',
        ),
      { code: "MODEL_INVALID", message: expect.stringContaining('the key "fc.bias" twice') },
    ],
    [
      "no map",
      () => "{}",
      { code: "MODEL_INVALID", message: expect.stringContaining("weight_map") },
    ],
    ["no JSON", () => "[", { code: "MODEL_INVALID" }],
    ["a folder", (map) => ({ ...map, "fc.bias": "." }), { code: "EXTERNAL_DATA_OUTSIDE" }],
  ])("%s", async (_, map, error) => {
    expect(await failing(map)).toMatchObject(error);
  });

  test("a file of which a shard was left out is named as unread", async () => {
    const { findModel, othersThan } = await import("../../src/audit/model-folder.ts");
    const path = await sharded([...small()]);
    const folder = join(path, "..");
    await writeFile(join(folder, "model-00001-of-00009.safetensors"), "x");
    await mkdir(join(folder, "onnx"));
    const found = await findModel(folder);
    const { file } = await importWeights(found.path, SIZE);
    expect(await othersThan(file.parts, found)).toEqual(["model-00001-of-00009.safetensors"]);
  });

  test("nothing there", async () => {
    const folder = await folderWith({ "empty.safetensors": "" });
    const refused = async (name: string) => failureOf(importWeights(join(folder, name), SIZE));
    expect(await refused("empty.safetensors")).toMatchObject({ code: "MODEL_INVALID" });
    expect(await refused("gone.safetensors")).toMatchObject({ code: "MODEL_NOT_FOUND" });
    expect(await refused("gone.safetensors.index.json")).toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});
