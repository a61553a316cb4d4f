import { AntidoteError } from "../core/errors.ts";
import type { Graph, GraphInput } from "../onnx/graph.ts";

/** Where the image enters, and its extents; null extents are free. */
export interface ImageInput {
  readonly name: string;
  readonly layout: "NCHW" | "NHWC";
  readonly channels: 1 | 3;
  readonly height: number | null;
  readonly width: number | null;
}

export const EXPORT_ADVICE =
  "Export the classifier alone: one image input [batch, channels, height, width], one output of class scores.";

const FLOAT_ADVICE =
  "Export it with a float32 input, without the Cast that reads the input; it may go on expecting pixels from 0 to 255.";

/** The image input of a graph. Throws `MODEL_NOT_A_CLASSIFIER` if there is not exactly one. */
export function findImageInput(graph: Graph): ImageInput {
  const [first, ...others] = graph.inputs;
  const input = first && withChannels(first, graph);
  const problem =
    input === undefined
      ? "The model has no input."
      : others.length > 0
        ? `The model has ${graph.inputs.length} inputs (${graph.inputs.map((i) => i.name).join(", ")}); one image input is expected.`
        : imageProblem(input);
  if (input === undefined || problem !== undefined) {
    throw new AntidoteError("MODEL_NOT_A_CLASSIFIER", problem ?? "The model has no input.", {
      ...(input ? { place: input.name } : {}),
      next: input && input.type !== "float32" ? FLOAT_ADVICE : EXPORT_ADVICE,
    });
  }
  const [, second, third, fourth] = input.shape as [
    unknown,
    number | null,
    number | null,
    number | null,
  ];
  if (second === 1 || second === 3) {
    return { name: input.name, layout: "NCHW", channels: second, height: third, width: fourth };
  }
  return {
    name: input.name,
    layout: "NHWC",
    channels: fourth as 1 | 3,
    height: second,
    width: third,
  };
}

/** Exporters may leave every axis open, channels included: the first convolution then tells how many there are. */
function withChannels(input: GraphInput, { nodes, constants }: Graph): GraphInput {
  const [batch, channels, height, width] = input.shape;
  if (input.shape.length !== 4 || channels !== null || width !== null) return input;
  const first = nodes.find(({ op, inputs }) => op === "Conv" && inputs[0] === input.name);
  const weight = constants.get(first?.inputs[1] ?? ""); // [K,C/groups,k,k]
  const found = weight?.shape[1];
  return found === undefined ? input : { ...input, shape: [batch!, found, height!, width!] };
}

function imageProblem(input: GraphInput): string | undefined {
  const shown = `[${input.shape.map((extent) => extent ?? "?").join(", ")}]`;
  if (input.type !== "float32") {
    return `The input "${input.name}" is of type ${input.type}; float32 images are expected.`;
  }
  if (input.shape.length !== 4) {
    return `The input "${input.name}" has the shape ${shown}; an image batch has four axes.`;
  }
  const isChannels = (extent: number | null | undefined) => extent === 1 || extent === 3;
  if (!isChannels(input.shape[1]) && !isChannels(input.shape[3])) {
    return `The input "${input.name}" has the shape ${shown}; 1 or 3 channels are expected on its second or last axis.`;
  }
  return undefined;
}
