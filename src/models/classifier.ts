import { isBatchNorm } from "../autodiff/live-batch-norm.ts";
import { AntidoteError, invariant } from "../core/errors.ts";
import { sameShape, type Tensor, toNumbers } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Graph, StaticGraph, Value } from "../onnx/graph.ts";
import { inSinglePrecision } from "../onnx/single-precision.ts";
import { withoutBranches } from "../runtime/branches.ts";
import type { Device } from "../runtime/device.ts";
import { specialise } from "../runtime/specialise.ts";
import { findImageInput, type ImageInput } from "./image-input.ts";
import { trainableConstants } from "./parameters.ts";
import { appendPreprocessing, type Preprocessing, usualPreprocessings } from "./preprocessing.ts";
import { findRoles, type Roles } from "./roles.ts";

/** Named tensors: weights, or what replaces some of them. */
export type Weights = ReadonlyMap<string, Tensor>;

/** The two tensors that methods ask a classifier for. */
export interface Outputs {
  /** Unnormalised class scores, [N,K]. */
  readonly logits: Value;
  /** Input of the last linear layer, averaged over positions if it is a feature map: [N,d]. */
  readonly latent: Value;
}

export interface ClassifierOptions {
  readonly preprocessing?: Preprocessing;
  /** Extents to use where the file leaves them free. */
  readonly size?: { readonly height: number; readonly width: number } | undefined;
  /** Name of the output with the class scores, where the file has several. */
  readonly output?: string | undefined;
}

type Image = ImageInput & { readonly height: number; readonly width: number };

interface Parts {
  readonly graph: Graph;
  readonly image: Image;
  readonly roles: Roles;
  readonly trainable: readonly string[];
  /** Specialised graphs by batch size, with the file's own weights; shared by all variants. */
  readonly specialised: (batch: number) => Promise<StaticGraph>;
}

/**
 * An image classifier: a graph whose image input, class scores, latent and weights are known. Immutable;
 * a repair yields another one with other weights.
 */
export class Classifier {
  readonly #parts: Parts;
  readonly #replaced: Weights;
  readonly preprocessing: Preprocessing;

  private constructor(parts: Parts, replaced: Weights, preprocessing: Preprocessing) {
    this.#parts = parts;
    this.#replaced = replaced;
    this.preprocessing = preprocessing;
  }

  /**
   * Finds out what a graph is, by its structure and one run on `device`.
   * @throws `MODEL_NOT_A_CLASSIFIER`, `MODEL_NOT_FINITE`, `RUNTIME_FAILED`; the errors of `withoutBranches`
   */
  static async fromGraph(
    read: Graph,
    device: Device,
    options: ClassifierOptions = {},
  ): Promise<Classifier> {
    const single = inSinglePrecision(read);
    const image = withExtents(findImageInput(single), options.size);
    const decided = await withoutBranches(withImageExtents(single, image), device);
    // Branches that were taken may hold other types.
    const graph = inSinglePrecision({ ...decided, inputs: single.inputs });
    const cache = new Map<number, Promise<StaticGraph>>();
    const specialised = (batch: number): Promise<StaticGraph> => {
      const known = cache.get(batch);
      if (known) return known;
      const made = specialise(withImageExtents(graph, image), batch, device);
      cache.set(batch, made);
      return made;
    };
    // A batch of 2 tells a model whose batch size is fixed to 1 from one that takes any.
    const roles = findRoles(await specialised(2), options.output);
    const trainable = trainableConstants(graph);
    for (const name of trainable) assertFinite(name, graph.constants.get(name)!);
    assertStatistics(graph);
    const parts = { graph, image, roles, trainable, specialised };
    const preprocessing = options.preprocessing ?? usualPreprocessings(image.channels)[0]!;
    return new Classifier(parts, new Map(), preprocessing);
  }

  get image(): Image {
    return this.#parts.image;
  }
  get roles(): Roles {
    return this.#parts.roles;
  }
  get classes(): number {
    return this.#parts.roles.classes;
  }
  /** The graph as it was read, in float32 and without branches that sizes decide; its constants are the original weights. */
  get graph(): Graph {
    return this.#parts.graph;
  }

  /** Current values of the constants that training changes. */
  get weights(): Weights {
    return new Map(this.#parts.trainable.map((name) => [name, this.constant(name)]));
  }

  /** Current value of a constant. */
  constant(name: string): Tensor {
    const value = this.#replaced.get(name) ?? this.graph.constants.get(name);
    invariant(value, `the classifier has no constant "${name}"`);
    return value;
  }

  /** Everything in which this classifier differs from the file it was read from. */
  get changes(): Weights {
    return this.#replaced;
  }

  /** The same network with other values for some constants. */
  withWeights(weights: Weights): Classifier {
    for (const [name, value] of weights) {
      const shape = this.constant(name).shape;
      invariant(
        sameShape(value.shape, shape),
        `"${name}" must keep its shape [${shape.join(", ")}]`,
      );
    }
    return new Classifier(
      this.#parts,
      new Map([...this.#replaced, ...weights]),
      this.preprocessing,
    );
  }

  withPreprocessing(preprocessing: Preprocessing): Classifier {
    return new Classifier(this.#parts, this.#replaced, preprocessing);
  }

  /** The graph for one batch size, every shape known, with the current weights as constants. */
  async at(batch: number): Promise<StaticGraph> {
    const graph = await this.#parts.specialised(batch);
    if (this.#replaced.size === 0) return graph;
    return { ...graph, constants: new Map([...graph.constants, ...this.#replaced]) };
  }

  /**
   * Writes preprocessing and network into a graph.
   * @param network the graph from `at`, or a rewritten form of it
   * @param x images in [0,1], R,G,B: [N,C,H,W]
   * @param bindings values that replace constants of the network (weights that a step trains)
   */
  append(
    b: GraphBuilder,
    network: StaticGraph,
    x: Value,
    prefix: string,
    bindings: Readonly<Record<string, Value>> = {},
  ): Outputs & { readonly tensor: (name: string) => Value } {
    const { image, roles } = this;
    const prepared = appendPreprocessing(b, x, this.preprocessing);
    const input = image.layout === "NCHW" ? prepared : b.transpose(prepared, [0, 2, 3, 1]);
    const tensor = b.inline(network, prefix, { [image.name]: input, ...bindings });
    const logits = b.reshape(tensor(roles.logits), [x.shape[0]!, roles.classes]);
    return { logits, latent: averaged(b, tensor(roles.latent), roles, image), tensor };
  }
}

/** [N,d], or [N,d,…] averaged over its positions. */
function averaged(b: GraphBuilder, latent: Value, roles: Roles, image: ImageInput): Value {
  const rank = latent.shape.length;
  if (rank === 2) return latent;
  // Conv reads channels second; a MatMul in an NHWC model reads them last.
  const channelAxis = roles.head.op === "Conv" || image.layout === "NCHW" ? 1 : rank - 1;
  const axes = latent.shape.flatMap((_, axis) =>
    axis === 0 || axis === channelAxis ? [] : [axis],
  );
  return b.mean(latent, axes);
}

function withExtents(image: ImageInput, size: ClassifierOptions["size"]): Image {
  const height = image.height ?? size?.height;
  const width = image.width ?? size?.width;
  if (height === undefined || width === undefined) {
    throw new AntidoteError(
      "MODEL_INVALID",
      `The model leaves the image size of "${image.name}" open.`,
      {
        place: image.name,
        next: "Say which size it was trained on: --size 224 (or --size 224x160).",
      },
    );
  }
  return { ...image, height, width };
}

function withImageExtents(graph: Graph, image: Image): Graph {
  const { channels, height, width } = image;
  const extents = image.layout === "NCHW" ? [channels, height, width] : [height, width, channels];
  return {
    ...graph,
    inputs: graph.inputs.map((input) => ({
      ...input,
      shape: [input.shape[0] ?? null, ...extents],
    })),
  };
}

/** Running statistics are no weights, and ruin every answer where they are damaged. */
function assertStatistics({ nodes, constants }: Graph): void {
  for (const { inputs } of nodes.filter(isBatchNorm)) {
    const [mean, variance] = inputs.slice(3, 5).map((name) => constants.get(name));
    if (mean) assertFinite(inputs[3]!, mean);
    if (!variance) continue;
    assertFinite(inputs[4]!, variance);
    const least = toNumbers(variance).reduce((low, value) => Math.min(low, value), 0);
    if (least >= 0) continue;
    throw new AntidoteError("MODEL_INVALID", `The variance "${inputs[4]}" holds ${least}.`, {
      place: inputs[4]!,
      next: "The file is damaged: export the model again.",
    });
  }
}

function assertFinite(name: string, weight: Tensor): void {
  if (weight.type !== "float32") return;
  const data = (weight as Tensor<"float32">).data;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new AntidoteError(
    "MODEL_NOT_FINITE",
    `The weight "${name}" holds ${data[at]} at position ${at}.`,
    {
      place: name,
      next: "The file is damaged or its training diverged: use an intact checkpoint.",
    },
  );
}
