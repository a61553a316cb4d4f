import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import { int64, type Tensor, toNumbers } from "../../../src/core/tensor.ts";
import { imageTower } from "../../../src/models/clip/image-tower.ts";
import { unitLength } from "../../../src/models/clip/layers.ts";
import { clipParameters } from "../../../src/models/clip/parameters.ts";
import { textTower } from "../../../src/models/clip/text-tower.ts";
import { mergeClassEmbedding } from "../../../src/models/clip/weights.ts";
import { GraphBuilder } from "../../../src/onnx/builder.ts";
import { crossEntropy, rowMean } from "../../../src/train/losses.ts";
import { testDevice } from "../../support/device.ts";
import { batch } from "../../train/fill.ts";
import { GOLDENS, type GradientSummary, SMALL, smallWeights } from "./small.ts";

const device = await testDevice();

const CLASS = "vision_model.embeddings.class_embedding";
const POSITIONS = "vision_model.embeddings.position_embedding.weight";

/** Both towers of the small model on the goldens' images and texts, and all gradients of the cross-entropy. */
async function computed(activation: "quick_gelu" | "gelu") {
  const shape = {
    ...SMALL,
    image: { ...SMALL.image, activation },
    text: { ...SMALL.text, activation },
  };
  const golden = GOLDENS[activation];
  const weights = mergeClassEmbedding(smallWeights());
  const { images } = batch(0, 3, 32, 2);
  const ids = int64(golden.ids.flat(), [golden.ids.length, golden.ids[0]!.length]);

  const b = new GraphBuilder();
  const parameters = new Map(
    [...weights].map(([name, value]) => [name, b.constant(value, name)] as const),
  );
  const layers = { b, at: (name: string) => parameters.get(name)! };
  const x = b.input("images", "float32", images.shape); // [N,3,S,S]
  const tokens = b.input("tokens", "int64", ids.shape); // [N,L]
  const image = unitLength(b, imageTower(layers, x, shape)); // [N,p]
  const text = unitLength(b, textTower(layers, tokens, shape, SMALL.text.vocabulary - 1)); // [M,p]
  const scale = b.unary("Exp", parameters.get("logit_scale")!);
  const logits = b.mul(b.matmul(image, b.transpose(text, [1, 0])), scale); // [N,M]
  const labels = b.constant(int64([2, 0, 1]));
  const loss = rowMean(b, crossEntropy(b, logits, labels));
  const wanted = [x, ...parameters.values()];
  gradients(b, loss, wanted).forEach((slope, i) => {
    b.output(`d/${wanted[i]!.name}`, slope);
  });
  for (const [name, value] of Object.entries({ image, text, logits, loss })) b.output(name, value);
  await using program = await device.compile(b.build());
  return { results: await program.run({ images, tokens: ids }), golden };
}

/** Relative error that float32 may make over both towers and the loss: about ten times what was seen (1.2e-6). */
const NEAR = 1e-5;

function expectNear(found: readonly number[], wanted: readonly number[], what: string): void {
  const scale = Math.max(...wanted.map(Math.abs));
  const worst = Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));
  expect(worst / scale, what).toBeLessThan(NEAR);
  expect(found, what).toHaveLength(wanted.length);
}

function expectGradient(found: Tensor, wanted: GradientSummary, what: string): void {
  const values = toNumbers(found);
  const places = Array.from({ length: 7 }, (_, i) => Math.floor((i * (values.length - 1)) / 6));
  // Softmax ignores a number that is added to all its scores, so this gradient is zero but for rounding.
  if (what.endsWith("k_proj.bias")) {
    expect(Math.hypot(...values), what).toBeLessThan(1e-6);
    return;
  }
  expectNear([Math.hypot(...values)], [wanted.norm], `norm of ${what}`);
  const error = Math.hypot(...places.map((at, i) => values[at]! - wanted.entries[i]!));
  const scale = Math.max(Math.hypot(...wanted.entries), wanted.norm / Math.sqrt(values.length));
  expect(error / scale, what).toBeLessThan(NEAR);
}

describe.each(["quick_gelu", "gelu"] as const)(
  "a small CLIP with %s has PyTorch's",
  (activation) => {
    const ready = computed(activation);

    test("embeddings and logits", async () => {
      const { results, golden } = await ready;
      const { image, text, logits, loss } = results;
      expectNear(toNumbers(image!), golden.imageEmbeddings.flat(), "image embeddings");
      expectNear(toNumbers(text!), golden.textEmbeddings.flat(), "text embeddings");
      expectNear(toNumbers(logits!), golden.logits.flat(), "logits");
      expectNear(toNumbers(loss!), [golden.loss], "loss");
    });

    test("gradients, for the images and for every weight", async () => {
      const { results, golden } = await ready;
      expectGradient(results["d/images"]!, golden.imageGradient, "the images");
      for (const [name, wanted] of Object.entries(golden.gradient)) {
        if (name === CLASS) continue;
        expectGradient(results[`d/${name}`]!, wanted, name);
      }
      // The class embedding is part of the first row of the positions.
      const { shape, type, data } = results[`d/${POSITIONS}`]! as Tensor<"float32">;
      const first = { type, shape: shape.slice(1), data: data.slice(0, shape[1]) };
      expectGradient(first, golden.gradient[CLASS]!, CLASS);
    });
  },
);

test("the parameters are those of the library transformers", () => {
  expect(clipParameters(SMALL)).toEqual(new Map(Object.entries(GOLDENS.shapes)));
});
