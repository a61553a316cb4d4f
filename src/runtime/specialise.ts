import { AntidoteError } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import {
  type DataType,
  ELEMENT_BYTES,
  float32,
  sizeOf,
  type Tensor,
  toNumbers,
} from "../core/tensor.ts";
import { fold, frontier, shapeArithmetic } from "../onnx/fold.ts";
import {
  describe,
  type Graph,
  type Node,
  producers,
  type StaticGraph,
  type Value,
} from "../onnx/graph.ts";
import { OPEN_BATCH_ADVICE, rebatch } from "../onnx/rebatch.ts";
import { type Device, NO_TENSOR } from "./device.ts";
import { runOnZeros, type SizedGraph, withBatch, withOutputs, zeroFeeds } from "./sized.ts";

/**
 * Fixes the batch size of a graph: every tensor gets its exact type and shape, as ONNX Runtime
 * determines them, and everything that only computes shapes becomes constant. Weights keep their names.
 * @param batch written into the first axis of the first input, and of others where it is open
 * @throws `MODEL_INVALID` where other extents are open, or the file fixes another batch size in a way that
 *   cannot be undone,
 *   `MODEL_UNSUPPORTED_TYPE`, `RUNTIME_FAILED`
 */
export async function specialise(
  graph: Graph,
  batch: number,
  device: Device,
): Promise<StaticGraph> {
  const declared = graph.inputs[0]?.shape[0];
  if (typeof declared === "number" && declared !== batch) {
    if (await dependsOnBatch(graph, declared, device)) {
      return await reopened(graph, declared, batch, device);
    }
  }
  const sized = withBatch(graph, batch);
  const types = await elementTypes(sized, device);
  const arithmetic = shapeArithmetic(sized);
  const { shapes, results } = await probe(sized, frontier(sized, arithmetic), device);
  const folded = { ...sized, ...fold(sized, arithmetic, results) };
  return { ...folded, values: tensorValues(folded, types, shapes) };
}

/**
 * A file may declare a batch size that nothing inside depends on, or one that is built into its
 * reshapes. Type inference overlooks some of the latter, a run does not: it fails, or its results are
 * those of another number of images.
 */
async function dependsOnBatch(graph: Graph, declared: number, device: Device): Promise<boolean> {
  try {
    const results = await runOnZeros(withBatch(graph, 2 * declared), device);
    return Object.values(results).some(({ shape }) => shape[0] === declared);
  } catch (error) {
    if (!(error instanceof AntidoteError) || error.code !== "RUNTIME_FAILED") throw error;
    // A model that fails at its own batch size has another defect, which this names.
    await runOnZeros(withBatch(graph, declared), device);
    return true;
  }
}

/**
 * A graph with its batch size built in, for another one, and compared with itself: what it says of
 * several images must be what it says of each.
 */
async function reopened(
  graph: Graph,
  declared: number,
  batch: number,
  device: Device,
): Promise<StaticGraph> {
  const own = await specialise(graph, declared, device);
  try {
    await compare(own, rebatch(own, 2 * declared), device);
    return rebatch(own, batch);
  } catch (error) {
    if (!(error instanceof AntidoteError)) throw error;
    throw new AntidoteError(
      "MODEL_INVALID",
      `The file is written for ${declared} image${declared === 1 ? "" : "s"} at a time and could not be opened for more. ${error.message}`,
      { place: graph.inputs[0]!.name, next: OPEN_BATCH_ADVICE, cause: error },
    );
  }
}

/** Relative difference that a larger batch may make: other kernels add in another order. */
const SAME = 1e-3;

/** Throws `MODEL_INVALID` unless `double` gives for two batches of images what `single` gives for each. */
async function compare(single: StaticGraph, double: StaticGraph, device: Device): Promise<void> {
  const [input] = single.inputs as [Value];
  const random = Random.fromSeed(0);
  const halves = [0, 1].map(() =>
    float32(
      input.shape,
      Float32Array.from({ length: sizeOf(input.shape) }, () => random.normal()),
    ),
  );
  await using one = await device.compile(single);
  const expected = [];
  for (const half of halves) expected.push(await one.run({ [input.name]: half }));
  await using two = await device.compile(double);
  const data = Float32Array.from(halves.flatMap((half) => Array.from(half.data)));
  const found = await two.run({ [input.name]: float32(double.inputs[0]!.shape, data) });
  for (const name of single.outputs) {
    const each = expected.flatMap((results) => toNumbers(results[name]!));
    const together = toNumbers(found[name]!);
    const scale = each.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    if (each.every((value, i) => Math.abs(value - together[i]!) <= SAME * scale)) continue;
    throw new AntidoteError("MODEL_INVALID", `"${name}" depends on the other images of a batch.`, {
      place: name,
      next: OPEN_BATCH_ADVICE,
    });
  }
}

/** Element type of every tensor a node makes, by ONNX Runtime's inference: nothing is run. */
async function elementTypes(
  graph: SizedGraph,
  device: Device,
): Promise<ReadonlyMap<string, DataType>> {
  await using program = await device.compile(withOutputs(graph, produced(graph)));
  const makers = producers(graph);
  return new Map(
    Object.entries(program.outputTypes).map(([name, type]) => {
      if (type in ELEMENT_BYTES) return [name, type as DataType];
      throw unsupportedType(makers.get(name)!, type);
    }),
  );
}

function unsupportedType(node: Node, type: string): AntidoteError {
  const isTensor = type !== NO_TENSOR;
  const isList = !isTensor && node.op.includes("Sequence");
  const made = isTensor ? `a tensor of the type "${type}"` : isList ? "a list of tensors" : type;
  return new AntidoteError("MODEL_UNSUPPORTED_TYPE", `The ${describe(node)} makes ${made}.`, {
    place: node.name,
    next: isList
      ? "Export the model by tracing instead of scripting, or with fixed sizes, so that no lists are left."
      : "Export the model so that it computes with tensors of numbers only.",
  });
}

/**
 * Shape of every tensor a node makes, and the values of `wanted`, from one run on zeros. What ONNX
 * Runtime can infer it has folded before, so that usually no layer is computed.
 */
async function probe(
  graph: SizedGraph,
  wanted: readonly string[],
  device: Device,
): Promise<{ shapes: ReadonlyMap<string, number[]>; results: Record<string, Tensor> }> {
  const names = produced(graph);
  const nodes = names.map((name): Node => {
    const output = SHAPE_OF + name;
    return {
      op: "Shape",
      domain: "",
      name: output,
      inputs: [name],
      outputs: [output],
      attributes: new Map(),
    };
  });
  const probing = { ...graph, nodes: [...graph.nodes, ...nodes] };
  await using program = await device.compile(
    withOutputs(probing, [...nodes.map(({ name }) => name), ...wanted]),
  );
  const outputs = await program.run(zeroFeeds(graph));
  return {
    shapes: new Map(names.map((name) => [name, toNumbers(outputs[SHAPE_OF + name]!)])),
    results: Object.fromEntries(wanted.map((name) => [name, outputs[name]!])),
  };
}

/** Prefix of the outputs added to learn shapes; no exporter writes such names. */
const SHAPE_OF = "antidote/shape of ";

function produced(graph: Graph): string[] {
  return graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => name !== "");
}

function tensorValues(
  graph: SizedGraph,
  types: ReadonlyMap<string, DataType>,
  shapes: ReadonlyMap<string, number[]>,
): Map<string, Value> {
  const values = new Map(graph.inputs.map((input) => [input.name, input]));
  for (const [name, { type, shape }] of graph.constants) values.set(name, { name, type, shape });
  for (const name of produced(graph)) {
    values.set(name, { name, type: types.get(name)!, shape: shapes.get(name)! });
  }
  return values;
}
