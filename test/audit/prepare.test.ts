import { describe, expect, test } from "vitest";
import { divideTrusted, prepare } from "../../src/audit/prepare.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { float32 } from "../../src/core/tensor.ts";
import { UNLABELLED } from "../../src/data/folder.ts";
import { count, type ImageSet } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";
import { openBatch } from "../../src/onnx/graph.ts";
import { parseModel } from "../../src/onnx/parse.ts";
import { failureOf, folderWith } from "../data/temporary.ts";
import { testDevice } from "../support/device.ts";
import { pooled } from "../support/networks.ts";

const device = await testDevice();
const context = { device, random: Random.fromSeed(0), emit: silent };

/** Says which of three colours is the strongest; with pictures of one colour each. */
async function subject(...labels: number[]) {
  const b = new GraphBuilder();
  const colours = pooled(b, b.input("images", "float32", [1, 3, 4, 4])); // [N,3]
  const weight = b.constant(float32([3, 3], [9, 0, 0, 0, 9, 0, 0, 0, 9]), "weight");
  b.output("logits", b.matmul(colours, weight));
  const graph = openBatch(b.build());
  const bytes = encodeGraph({ ...graph, values: new Map() });
  const folder = await folderWith({ "model.onnx": bytes });
  const file = { path: `${folder}/model.onnx`, model: parseModel(bytes.slice(), "model.onnx") };
  const images = labels.flatMap((label) =>
    Array.from({ length: 48 }, (_, at) => (Math.floor(at / 16) === label ? 200 : 0)),
  );
  const trusted: ImageSet = {
    ...{ channels: 3, height: 4, width: 4, classNames: ["red", "green", "blue"] },
    ...{ images: Uint8Array.from(images), labels: Int32Array.from(labels) },
  };
  return { file, model: await Classifier.fromGraph(graph, device), trusted };
}

describe("how many trusted images are needed", () => {
  test("of one class a single one is enough to search, and what a repair lacks is said", async () => {
    const few = await subject(0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2);
    const { tuning, heldOut, preflight } = await prepare(context, few, 0.2, "search");
    expect([count(tuning), count(heldOut)]).toEqual([10, 2]);
    expect(preflight.warnings).toEqual([
      'Too few images for a repair: that needs 5 of every class, and 1 of 3 have fewer ("blue" has 1).',
    ]);
    expect(await failureOf(prepare(context, few, 0.2))).toMatchObject({
      code: "TOO_FEW_IMAGES",
      message: expect.stringContaining('"blue" has 1'),
      next: expect.stringContaining("antidote detect"),
    });
  });

  test("of images without labels it is said that the model's answers lack the class", async () => {
    const { trusted, ...rest } = await subject(...Array.from({ length: 12 }, (_, i) => i % 2));
    const origin = { kind: "folder", path: "images", classOrder: UNLABELLED } as const;
    const few = { ...rest, trusted: { ...trusted, origin } };
    expect(await failureOf(prepare(context, few, 0.2, "search"))).toMatchObject({
      code: "TOO_FEW_IMAGES",
      message: expect.stringContaining('"blue" has 0'),
      next: expect.stringContaining(
        "the model's own answers name these classes too seldom or never",
      ),
    });
  });

  test("images of two classes are held out, so that there are others for every class", async () => {
    const { heldOut } = await prepare(
      context,
      await subject(0, 0, 0, 0, 1, 1, 1, 2, 2, 2),
      0.05,
      "search",
    );
    expect(new Set(heldOut.labels).size).toBe(2);
  });

  test("holding nearly all out leaves too few to tune on", async () => {
    const { trusted } = await subject(0, 0, 0, 0, 1, 1, 1, 2, 2, 2);
    expect(() => divideTrusted(trusted, 0.99, Random.fromSeed(0))).toThrow(
      "With 10 of 10 trusted images held out, those to search and tune on are of fewer than two",
    );
  });

  test("none of a class, or fewer than ten in all, are too few for everything", async () => {
    const refused = async (...labels: number[]) =>
      failureOf(prepare(context, await subject(...labels), 0.2, "search"));
    expect(await refused(0, 0, 0, 0, 0, 1, 1, 1, 1, 1)).toMatchObject({
      message: 'At least one trusted image of every class is needed; "blue" has 0.',
      next: expect.not.stringContaining("detect"),
    });
    expect(await refused(0, 1, 2)).toMatchObject({
      message: "At least 10 trusted images are needed; there are 3.",
    });
  });

  test("with enough of all there is nothing to say", async () => {
    const enough = await subject(...Array.from({ length: 15 }, (_, i) => i % 3));
    expect((await prepare(context, enough, 0.2)).preflight.warnings).toEqual([]);
  });
});
