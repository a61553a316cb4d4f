import { gradients } from "../autodiff/gradients.ts";
import { type FloatTensor, float32, type Tensor, tensor } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Program } from "../runtime/device.ts";
import { crossEntropy } from "../train/losses.ts";

/** Projected gradient descent in the L∞ ball. */
export interface PgdOptions {
  readonly steps: number;
  /** ε, largest change of a value, in units of [0,1]. */
  readonly epsilon: number;
  /** α, change of a value in one step. */
  readonly stepSize: number;
  /** The class to be taken for; without one, the images are driven away from what they are taken for. */
  readonly towards: number | undefined;
}

/** Images that are perturbed at a time. */
const BATCH = 50;

/**
 * Perturbs images so that a classifier errs (Madry et al. 2018):
 *
 *     x ← clamp(x ∓ α·sign ∇ₓ CE(f(x), c), x₀ ± ε, 0 … 1),  − towards class c, + away from it
 *
 * It starts at x₀ itself, so the result depends on nothing random. Where the images are of another size than
 * the classifier's, they are resized inside the graph and the gradient is that of the small image.
 */
export class Pgd {
  readonly #context: Pick<RunContext, "device" | "signal">;
  readonly #classifier: Classifier;
  readonly #geometry: Geometry;
  readonly #options: PgdOptions;
  #program: Promise<Program> | undefined;

  constructor(
    context: Pick<RunContext, "device" | "signal">,
    classifier: Classifier,
    geometry: Geometry,
    options: PgdOptions,
  ) {
    this.#context = context;
    this.#classifier = classifier;
    this.#geometry = geometry;
    this.#options = options;
  }

  /**
   * @param images [B,C,H,W] in [0,1]
   * @returns the perturbed images
   * @throws `MODEL_NOT_DIFFERENTIABLE`, `CANCELLED`, `RUNTIME_FAILED`, `RUNTIME_CRASHED`
   */
  async perturb({ shape, data }: FloatTensor): Promise<FloatTensor> {
    const rows = shape[0]!;
    const length = data.length / rows;
    const result = new Float32Array(data.length);
    for (let row = 0; row < rows; row += BATCH) {
      const part = new Float32Array(BATCH * length);
      part.set(data.subarray(row * length, (row + BATCH) * length));
      const moved = await this.#perturbBatch(float32([BATCH, ...shape.slice(1)], part));
      const kept = Math.min(BATCH, rows - row) * length;
      result.set(moved.data.subarray(0, kept), row * length);
    }
    return float32(shape, result);
  }

  async release(): Promise<void> {
    await (await this.#program)?.release();
    this.#program = undefined;
  }

  async #perturbBatch(origin: FloatTensor): Promise<FloatTensor> {
    this.#program ??= this.#compile();
    const program = await this.#program;
    const { steps, towards } = this.#options;
    const { signal } = this.#context;
    let labels: Tensor = tensor(
      "int64",
      [BATCH],
      new BigInt64Array(BATCH).fill(BigInt(towards ?? 0)),
    );
    if (towards === undefined) {
      const feeds = { origin, images: origin, labels };
      labels = (await program.run(feeds, { signal, fetch: ["predicted"] }))["predicted"]!;
    }
    let images = origin;
    for (let step = 0; step < steps; step++) {
      const outputs = await program.run({ origin, images, labels }, { signal, fetch: ["next"] });
      images = outputs["next"] as FloatTensor;
    }
    return images;
  }

  async #compile(): Promise<Program> {
    const { channels, height, width } = this.#geometry;
    const { epsilon, stepSize, towards } = this.#options;
    const classifier = this.#classifier;
    const b = new GraphBuilder();
    const shape = [BATCH, channels, height, width];
    const origin = b.input("origin", "float32", shape);
    const images = b.input("images", "float32", shape);
    const labels = b.input("labels", "int64", [BATCH]);
    const seen = fitted(b, images, classifier.image);
    const { logits } = classifier.append(b, await classifier.at(BATCH), seen, "surrogate/");
    const [slope] = gradients(b, b.sum(crossEntropy(b, logits, labels)), [images]);
    const signed = b.mul(b.unary("Sign", slope!), b.scalar(stepSize));
    const moved = towards === undefined ? b.add(images, signed) : b.sub(images, signed);
    const change = b.clip(b.sub(moved, origin), -epsilon, epsilon);
    b.output("next", b.clip(b.add(origin, change), 0, 1));
    b.output("predicted", b.argMax(logits, 1));
    return this.#context.device.compile(b.build());
  }
}

/** Images [N,C,H,W] in another size, bilinear: U_h · x · U_wᵀ. */
function fitted(b: GraphBuilder, x: Value, { height, width }: Geometry): Value {
  const [, , h, w] = x.shape as [number, number, number, number];
  if (h === height && w === width) return x;
  const down = b.matmul(b.constant(interpolation(h, height)), x); // [N,C,height,w]
  return b.matmul(down, b.transpose(b.constant(interpolation(w, width)), [1, 0]));
}

/**
 * Weights of bilinear resizing along one axis, [to,from]: a triangle around the place of every result, wide
 * enough to reach every pixel where the image shrinks (PyTorch's `interpolate` with `antialias=True`).
 */
function interpolation(from: number, to: number): FloatTensor {
  const scale = from / to;
  const reach = Math.max(1, scale);
  const weights = new Float32Array(to * from);
  for (let row = 0; row < to; row++) {
    const centre = (row + 0.5) * scale;
    const triangle = Float64Array.from({ length: from }, (_, at) =>
      Math.max(0, 1 - Math.abs(at + 0.5 - centre) / reach),
    );
    const total = triangle.reduce((sum, weight) => sum + weight, 0);
    weights.set(
      triangle.map((weight) => weight / total),
      row * from,
    );
  }
  return float32([to, from], weights);
}
