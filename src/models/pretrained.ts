import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Geometry } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Graph } from "../onnx/graph.ts";
import type { RunContext } from "../runtime/context.ts";
import { Classifier } from "./classifier.ts";
import { withNewHead } from "./new-head.ts";
import { appendPreprocessing, PREPROCESSING_NAMES, type Preprocessing } from "./preprocessing.ts";

/** Which preprocessing a model expects, by its name. */
export const PREPROCESSING_NAME = z
  .enum(PREPROCESSING_NAMES)
  .default("none")
  .describe("what that model expects of an image in [0,1]");

/** A network that is there already, as trials state it. */
export const PRETRAINED = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")
    .describe("SHA-256 of the model's file."),
  preprocessing: PREPROCESSING_NAME,
});

/**
 * A trained classifier to go on training from. Like a fresh one it takes images in [0,1] and begins with their
 * preprocessing, and it returns the class scores alone. If there are other classes than the model knows, in number,
 * its last layer is replaced by an untrained one.
 * @throws `INVALID_CONFIG` for images of another size; the errors of `withNewHead` and `Classifier.fromGraph`
 */
export async function pretrainedClassifier(
  { device, random }: RunContext,
  model: Classifier,
  { channels, height, width, classNames }: Geometry & { readonly classNames: readonly string[] },
): Promise<Classifier> {
  const { image, roles } = model;
  const wanted = [image.channels, image.height, image.width];
  if ([channels, height, width].some((extent, axis) => extent !== wanted[axis])) {
    const [needed, given] = [wanted, [channels, height, width]].map((it) => it.join("×"));
    throw new AntidoteError(
      "INVALID_CONFIG",
      `The model takes images of ${needed} (colours, height, width); these are ${given}.`,
      { place: "size", next: `Bring the images to its size: ${image.height}.` },
    );
  }
  const constants = new Map([...model.graph.constants, ...model.weights]);
  const own = scoresOnly({ ...model.graph, constants }, roles.logits);
  const classes = classNames.length;
  const headed = classes === roles.classes ? own : withNewHead(own, roles, classes, random);
  const graph = prepared(headed, image, model.preprocessing);
  return Classifier.fromGraph(graph, device);
}

/** The part of a graph that its class scores need, and no other output. */
function scoresOnly(graph: Graph, logits: string): Graph {
  const needed = new Set([logits]);
  const nodes = graph.nodes.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((name) => needed.has(name))) return false;
    for (const name of inputs) needed.add(name);
    return true;
  });
  const constants = new Map([...graph.constants].filter(([name]) => needed.has(name)));
  return { ...graph, nodes: nodes.toReversed(), outputs: [logits], constants };
}

/** The same for images in [0,1], [N,C,H,W], which enter under the same name. */
function prepared(graph: Graph, image: Classifier["image"], preprocessing: Preprocessing): Graph {
  const { name, layout, channels, height, width } = image;
  const b = new GraphBuilder("preprocessing/");
  // Every operation keeps N, so the batch size may be left free.
  const x = b.input(name, "float32", [1, channels, height, width]);
  const y = appendPreprocessing(b, x, preprocessing);
  const arranged = layout === "NCHW" ? y : b.transpose(y, [0, 2, 3, 1]);
  const { nodes, constants } = b.build();
  const renamed = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => (input === name ? arranged.name : input)),
  }));
  return {
    ...graph,
    inputs: [{ name, type: "float32", shape: [null, channels, height, width] }],
    nodes: [...nodes, ...renamed],
    constants: new Map([...constants, ...graph.constants]),
  };
}
