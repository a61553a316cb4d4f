import { type Shape, type Tensor, toNumbers } from "../core/tensor.ts";
import { einsumTerms } from "./einsum.ts";
import { attribute, type Node } from "./graph.ts";

/** Where a tensor counts images: its axis, whose extent is slower·images·faster entries. */
export interface BatchPlace {
  readonly axis: number;
  /** Entries that change more slowly than the image, such as tokens in [tokens·images, features]. */
  readonly slower: number;
}

/** What is known of the tensors around a node. */
interface Shapes {
  readonly of: (name: string) => Shape;
  /** Images in the graph as given. */
  readonly given: number;
}

/**
 * Where images are counted in the results of a node; undefined if the operator works across images, or
 * is not known.
 * @param at where they are counted in each input, undefined where it is the same for all images; at
 *   least one counts them
 */
export function followBatch(
  node: Node,
  at: readonly (BatchPlace | undefined)[],
  shapes: Shapes,
  constants: ReadonlyMap<string, Tensor>,
): BatchPlace | undefined {
  const rule = node.domain === "" ? RULES.get(node.op) : undefined;
  const [slower, ...others] = new Set(at.flatMap((place) => (place ? [place.slower] : [])));
  if (!rule || slower === undefined || others.length > 0) return undefined;
  const result = shapes.of(node.outputs[0]!);
  const axes = at.map((place) => place?.axis);
  const found = rule({ node, at: axes, slower, shapes, constants, result });
  const place = typeof found === "number" ? { axis: found, slower } : found;
  return place && place.axis >= 0 ? place : undefined;
}

type BatchAxis = number | undefined;

interface Step {
  readonly node: Node;
  readonly at: readonly BatchAxis[];
  readonly slower: number;
  readonly shapes: Shapes;
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Shape of the first output. */
  readonly result: Shape;
}

/** The axis in the result, with another number of slower entries if that changes; undefined if lost. */
type Follow = (step: Step) => BatchAxis | BatchPlace;

const shapeOf = ({ node, shapes }: Step, i: number): Shape => shapes.of(node.inputs[i]!);

/** Operands are aligned at their last axes; those without images must have extent 1 there. */
const broadcasting: Follow = (step) => {
  const { node, at, result } = step;
  const lead = (i: number) => result.length - shapeOf(step, i).length;
  const found = new Set(at.flatMap((axis, i) => (axis === undefined ? [] : [axis + lead(i)])));
  const [axis] = found;
  const fits = node.inputs.every(
    (name, i) =>
      name === "" || at[i] !== undefined || (shapeOf(step, i)[axis! - lead(i)] ?? 1) === 1,
  );
  return found.size === 1 && fits ? axis : undefined;
};

/** Images first, before and after. */
const first: Follow = ({ at }) =>
  at[0] === 0 && at.slice(1).every((axis) => axis === undefined) ? 0 : undefined;

/** The axis stays, unless the operator works along it. */
const along =
  (fallback: number): Follow =>
  (step) => {
    const rank = shapeOf(step, 0).length;
    return step.at[0] === axisOf(step.node, fallback, rank) ? undefined : step.at[0];
  };

/** The axis stays if it comes before those that the operator works over. */
const before =
  (fallback: number): Follow =>
  (step) => {
    const rank = shapeOf(step, 0).length;
    return step.at[0]! < axisOf(step.node, fallback, rank) ? step.at[0] : undefined;
  };

function axisOf(node: Node, fallback: number, rank: number): number {
  const axis = attribute(node, "axis", "int", fallback);
  return axis < 0 ? axis + rank : axis;
}

/** The numbers of a constant input; undefined where it is left out or computed. */
function ints({ node, constants }: Step, i: number): number[] | undefined {
  const value = constants.get(node.inputs[i] ?? "");
  return value && toNumbers(value);
}

/**
 * A reshape keeps the order of entries, so as many of them lie ahead of the first image's as before.
 * Images get an axis of their own or the slower part of one, of several such with extent 1 that of the
 * same place; in a matrix, which is what a linear layer reads, they are rows.
 */
const reshaping: Follow = (step) => {
  const { result, shapes, slower } = step;
  const [axis] = step.at;
  if (axis === undefined) return undefined;
  const ahead = product(shapeOf(step, 0).slice(0, axis)) * slower;
  if (result.length === 2 && result[0]! % (ahead * shapes.given) === 0) {
    return { axis: 0, slower: ahead };
  }
  const fits = (extent: number, place: number) =>
    product(result.slice(0, place)) === ahead && extent % shapes.given === 0;
  const same = axis < result.length && fits(result[axis]!, axis);
  return { axis: same ? axis : result.findIndex(fits), slower: 1 };
};

const inserting: Follow = (step) => {
  const rank = step.result.length;
  const added = (ints(step, 1) ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  const kept = step.result.flatMap((_, axis) => (added.includes(axis) ? [] : [axis]));
  return step.at[0] === undefined ? undefined : kept[step.at[0]];
};

const dropping: Follow = (step) => {
  const shape = shapeOf(step, 0);
  const single = shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []));
  const dropped = (ints(step, 1) ?? single).map((axis) => (axis < 0 ? axis + shape.length : axis));
  const axis = step.at[0];
  if (axis === undefined || dropped.includes(axis)) return undefined;
  return axis - dropped.filter((other) => other < axis).length;
};

const product = (shape: Shape) => shape.reduce((total, extent) => total * extent, 1);

const transposing: Follow = ({ node, at, result }) => {
  const reversed = result.map((_, axis) => result.length - 1 - axis);
  return attribute(node, "perm", "ints", reversed).indexOf(at[0]!);
};

const joining: Follow = ({ node, at, result }) => {
  const found = new Set(at.filter((axis) => axis !== undefined));
  const [axis] = found;
  return found.size === 1 && axis !== axisOf(node, 0, result.length) ? axis : undefined;
};

const reducing: Follow = (step) => {
  const rank = shapeOf(step, 0).length;
  const given = ints(step, 1) ?? attribute(step.node, "axes", "ints", undefined);
  const axes = (given ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + rank : axis,
  );
  const axis = step.at[0];
  if (axis === undefined || axes.includes(axis)) return undefined;
  const kept = attribute(step.node, "keepdims", "int", 1) === 1;
  return kept ? axis : axis - axes.filter((other) => other < axis).length;
};

/** Nothing is cut off the axis, or put to it. */
const whole: Follow = (step) => {
  const axis = step.at[0];
  return axis !== undefined && shapeOf(step, 0)[axis] === step.result[axis] ? axis : undefined;
};

const gathering: Follow = (step) => {
  const [data, indices] = step.at;
  const along = axisOf(step.node, 0, shapeOf(step, 0).length);
  if (data === undefined || indices !== undefined || data === along) return undefined;
  return data < along ? data : data + shapeOf(step, 1).length - 1;
};

/** Rows of the left and columns of the right operand may count images, and so may batches of matrices. */
const multiplying: Follow = (step) => {
  const [left, right] = step.at;
  const ranks = [0, 1].map((i) => shapeOf(step, i).length);
  if (ranks.some((rank) => rank < 2)) return undefined;
  if (left === ranks[0]! - 1 || right === ranks[1]! - 2) return undefined; // summed over
  const isMatrixAxis = left === ranks[0]! - 2 || right === ranks[1]! - 1;
  if (!isMatrixAxis) return broadcasting(step);
  if (left !== undefined && right !== undefined) return undefined;
  return step.result.length - (left === undefined ? 1 : 2);
};

/** One letter counts images, in every operand that has it once; the result keeps it unless it is summed over. */
const summing: Follow = (step) => {
  const { node, at } = step;
  const ranks = node.inputs.map((_, i) => shapeOf(step, i).length);
  const { operands, result } = einsumTerms(node, ranks);
  const letter = operands.flatMap((term, i) => (at[i] === undefined ? [] : [term[at[i]]!]))[0]!;
  const fits = operands.every((term, i) => {
    const axes = term.flatMap((it, axis) => (it === letter ? [axis] : []));
    return axes.length <= 1 && axes[0] === at[i];
  });
  return fits ? result.indexOf(letter) : undefined;
};

const rows: Follow = ({ node, at }) =>
  at[0] === 0 && at[1] === undefined && attribute(node, "transA", "int", 0) === 0 ? 0 : undefined;

const byName = (follow: Follow, names: string): [string, Follow][] =>
  names.split(/\s+/).map((name) => [name, follow]);

const RULES: ReadonlyMap<string, Follow> = new Map([
  ...byName(
    broadcasting,
    "Abs Add And Cast CastLike Ceil Celu Clip Cos Div Elu Equal Erf Exp Expand Floor Gelu Greater GreaterOrEqual " +
      "HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul " +
      "Neg Not Or PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish " +
      "Tanh Where Xor",
  ),
  ...byName(
    first,
    "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalMaxPool " +
      "GroupNormalization InstanceNormalization LRN MaxPool SpaceToDepth",
  ),
  ...byName(along(-1), "Hardmax LogSoftmax LpNormalization Softmax TopK"),
  ...byName(before(-1), "LayerNormalization RMSNormalization"),
  ...byName(along(0), "Split"),
  ...byName(whole, "Pad Resize Slice Tile"),
  ...byName(
    reducing,
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd " +
      "ReduceSum ReduceSumSquare",
  ),
  ...byName(reshaping, "Flatten Reshape"),
  ...byName(inserting, "Unsqueeze"),
  ...byName(dropping, "Squeeze"),
  ...byName(transposing, "Transpose"),
  ...byName(joining, "Concat"),
  ...byName(gathering, "Gather"),
  ...byName(multiplying, "MatMul"),
  ...byName(summing, "Einsum"),
  ...byName(rows, "Gemm"),
  [
    "Attention",
    ({ at }) => (at.slice(0, 3).every((axis) => axis === 0) && at[3] === undefined ? 0 : undefined),
  ],
]);
