import { invariant } from "../core/errors.ts";
import {
  type DataType,
  float32,
  int64,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
} from "../core/tensor.ts";
import type { Attribute, Node, StaticGraph, Value } from "./graph.ts";
import {
  broadcast,
  matmulShape,
  normaliseAxes,
  reduced,
  type Window,
  windowedExtents,
} from "./shapes.ts";
import { renamedSubgraphs } from "./subgraphs.ts";

/** Attributes in plain JavaScript; the builder wraps them. */
export type Attributes = Readonly<
  Record<string, number | string | readonly number[] | { readonly float: number } | undefined>
>;

interface Result {
  readonly type: DataType;
  readonly shape: Shape;
}

/** The operator set that built graphs follow; an imported graph with a newer one keeps its own. */
export const BUILDER_OPSET = 18;

function wrapAttributes(attributes: Attributes): Map<string, Attribute> {
  const wrapped = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (typeof value === "number") wrapped.set(name, { kind: "int", value });
    else if (typeof value === "string") wrapped.set(name, { kind: "string", value });
    else if ("float" in value) wrapped.set(name, { kind: "float", value: value.float });
    else wrapped.set(name, { kind: "ints", value });
  }
  return wrapped;
}

/**
 * Appends operations to a graph whose shapes are all known. Every method returns the new tensor with
 * its exact shape, so a mistake in axes fails where the graph is written, not where it runs.
 */
export class GraphBuilder {
  #opset = BUILDER_OPSET;
  readonly #inputs: Value[] = [];
  readonly #outputs: string[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #values = new Map<string, Value>();
  readonly #shared = new Map<string, Value>();
  #counter = 0;
  readonly #namespace: string;

  /** @param namespace begins the names that the builder invents, so that graphs can be joined */
  constructor(namespace = "") {
    this.#namespace = namespace;
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get constants(): ReadonlyMap<string, Tensor> {
    return this.#constants;
  }

  /** The value called `name`. */
  value(name: string): Value {
    const value = this.#values.get(name);
    invariant(value, `the graph has no tensor "${name}"`);
    return value;
  }

  /** Declares an input. */
  input<T extends DataType>(name: string, type: T, shape: Shape): Value<T> {
    const value = this.#define(name, type, shape);
    this.#inputs.push(value);
    return value;
  }

  /** Declares `value` an output called `name`. */
  output(name: string, value: Value): void {
    if (name !== value.name) this.emit("Identity", [value], {}, [value], [name]);
    this.#outputs.push(name);
  }

  /** A named constant (initializer). */
  constant(tensor: Tensor, name = this.#fresh("constant")): Value {
    this.#constants.set(name, tensor);
    return this.#define(name, tensor.type, tensor.shape);
  }

  /** A float32 scalar; equal scalars are shared. */
  scalar(value: number): Value {
    return this.#once(`scalar:${value}`, () => this.constant(float32([], [value])));
  }

  /** An int64 vector; equal vectors are shared. */
  ints(values: readonly number[]): Value {
    return this.#once(`ints:${values.join()}`, () => this.constant(int64(values)));
  }

  /** Any operation with one result. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    result: Result,
  ): Value {
    return this.emit(op, inputs, attributes, [result])[0]!;
  }

  /** Any operation; `names` fixes the names of its results. */
  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    results: readonly Result[],
    names?: readonly string[],
  ): Value[] {
    const outputs = results.map((result, i) =>
      this.#define(names?.[i] ?? this.#fresh(op), result.type, result.shape),
    );
    this.#nodes.push({
      op,
      domain: "",
      name: outputs[0]!.name,
      inputs: inputs.map((input) => input?.name ?? ""),
      outputs: outputs.map((output) => output.name),
      attributes: wrapAttributes(attributes),
    });
    return outputs;
  }

  /**
   * Copies another graph in. Its inputs are replaced by the bound values, and so are its constants
   * where a value is bound to their name (weights that a step trains). Every other name gets the prefix.
   * @returns the value that stands for each tensor of the graph
   */
  inline(
    graph: StaticGraph,
    prefix: string,
    bindings: Readonly<Record<string, Value>>,
  ): (name: string) => Value {
    this.#opset = Math.max(this.#opset, graph.opset);
    const mapped = new Map<string, Value>(Object.entries(bindings));
    for (const input of graph.inputs) {
      const bound = mapped.get(input.name);
      invariant(bound, `the input "${input.name}" is not bound`);
      invariant(
        sameShape(bound.shape, input.shape),
        `"${input.name}" expects [${input.shape.join(", ")}] but gets [${bound.shape.join(", ")}]`,
      );
    }
    const lookup = (name: string): Value => {
      const known = mapped.get(name);
      if (known) return known;
      const constant = graph.constants.get(name);
      invariant(constant, `the graph has no tensor "${name}"`);
      const value = this.constant(constant, prefix + name);
      mapped.set(name, value);
      return value;
    };
    for (const node of graph.nodes) {
      const outputs = node.outputs.map((name) => {
        if (name === "") return "";
        const value = graph.values.get(name);
        invariant(value, `the shape of "${name}" is unknown`);
        mapped.set(name, this.#define(prefix + name, value.type, value.shape));
        return prefix + name;
      });
      this.#nodes.push({
        ...node,
        name: prefix + node.name,
        inputs: node.inputs.map((name) => (name === "" ? "" : lookup(name).name)),
        outputs,
        attributes: renamedSubgraphs(node.attributes, (name) => lookup(name).name, prefix),
      });
    }
    return lookup;
  }

  /** The graph as built so far. */
  build(): StaticGraph {
    return {
      opset: this.#opset,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      constants: new Map(this.#constants),
      values: new Map(this.#values),
    };
  }

  // Element by element, with broadcasting

  add(a: Value, b: Value): Value {
    return this.#binary("Add", a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.#binary("Sub", a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.#binary("Mul", a, b);
  }
  div(a: Value, b: Value): Value {
    return this.#binary("Div", a, b);
  }
  pow(a: Value, b: Value): Value {
    return this.#binary("Pow", a, b);
  }
  max(a: Value, b: Value): Value {
    return this.#binary("Max", a, b);
  }
  min(a: Value, b: Value): Value {
    return this.#binary("Min", a, b);
  }
  greater(a: Value, b: Value): Value {
    return this.#binary("Greater", a, b, "bool");
  }
  less(a: Value, b: Value): Value {
    return this.#binary("Less", a, b, "bool");
  }
  equal(a: Value, b: Value): Value {
    return this.#binary("Equal", a, b, "bool");
  }
  and(a: Value, b: Value): Value {
    return this.#binary("And", a, b, "bool");
  }
  /** a where the condition holds, b elsewhere. */
  where(condition: Value, a: Value, b: Value): Value {
    const shape = broadcast(condition.shape, broadcast(a.shape, b.shape));
    return this.op("Where", [condition, a, b], {}, { type: a.type, shape });
  }

  // Element by element, one operand

  /** A unary operator of the standard domain that keeps type and shape: Exp, Log, Sqrt, Tanh, … */
  unary(
    op:
      | "Abs"
      | "Cos"
      | "Cosh"
      | "Erf"
      | "Exp"
      | "Floor"
      | "Identity"
      | "Log"
      | "Neg"
      | "Reciprocal"
      | "Relu"
      | "Sigmoid"
      | "Sign"
      | "Sin"
      | "Sinh"
      | "Softplus"
      | "Sqrt"
      | "Tanh",
    x: Value,
  ): Value {
    return this.op(op, [x], {}, x);
  }
  clip(x: Value, low: number, high: number): Value {
    return this.op("Clip", [x, this.scalar(low), this.scalar(high)], {}, x);
  }
  cast(x: Value, type: "float32" | "int64" | "bool"): Value {
    if (x.type === type) return x;
    const to = { float32: 1, int64: 7, bool: 9 }[type];
    return this.op("Cast", [x], { to }, { type, shape: x.shape });
  }

  // Reductions; axes may be negative, absent means all

  sum(x: Value, axes?: readonly number[], keepDims = false): Value {
    return this.#reduce("ReduceSum", x, axes, keepDims);
  }
  mean(x: Value, axes?: readonly number[], keepDims = false): Value {
    return this.#reduce("ReduceMean", x, axes, keepDims);
  }
  sumSquares(x: Value, axes?: readonly number[], keepDims = false): Value {
    return this.#reduce("ReduceSumSquare", x, axes, keepDims);
  }
  maximum(x: Value, axes?: readonly number[], keepDims = false): Value {
    return this.#reduce("ReduceMax", x, axes, keepDims);
  }
  softmax(x: Value, axis = -1): Value {
    return this.op("Softmax", [x], { axis }, x);
  }
  logSoftmax(x: Value, axis = -1): Value {
    return this.op("LogSoftmax", [x], { axis }, x);
  }
  argMax(x: Value, axis: number): Value {
    const shape = reduced(x.shape, normaliseAxes([axis], x.shape.length), false);
    return this.op("ArgMax", [x], { axis, keepdims: 0 }, { type: "int64", shape });
  }

  // Shape

  reshape(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    invariant(
      sizeOf(x.shape) === sizeOf(shape),
      `[${x.shape.join(", ")}] cannot be reshaped to [${shape.join(", ")}]`,
    );
    return this.op("Reshape", [x, this.ints(shape)], { allowzero: 1 }, { type: x.type, shape });
  }
  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((from, to) => from === to)) return x;
    return this.op(
      "Transpose",
      [x],
      { perm },
      { type: x.type, shape: perm.map((axis) => x.shape[axis]!) },
    );
  }
  expand(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    return this.op("Expand", [x, this.ints(shape)], {}, { type: x.type, shape });
  }
  /** Sums the axes along which `x` was broadcast, so that the result has `shape`: adjoint of `expand`. */
  sumTo(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    const lead = x.shape.length - shape.length;
    const axes = x.shape.flatMap((extent, axis) =>
      axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : [],
    );
    return this.reshape(axes.length === 0 ? x : this.sum(x, axes, true), shape);
  }
  slice(
    x: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): Value {
    const shape = [...x.shape];
    axes.forEach((axis, i) => {
      invariant(
        steps[i]! > 0 && starts[i]! >= 0 && ends[i]! <= x.shape[axis]!,
        "slice out of range",
      );
      shape[axis] = Math.max(0, Math.ceil((ends[i]! - starts[i]!) / steps[i]!));
    });
    if (sameShape(shape, x.shape)) return x;
    const operands = [starts, ends, axes, steps].map((values) => this.ints(values));
    return this.op("Slice", [x, ...operands], {}, { type: x.type, shape });
  }
  /** Zero padding: begin of every axis, then end of every axis; negative values crop. */
  pad(x: Value, pads: readonly number[]): Value {
    if (pads.every((pad) => pad === 0)) return x;
    const rank = x.shape.length;
    const shape = x.shape.map((extent, axis) => extent + pads[axis]! + pads[axis + rank]!);
    return this.op("Pad", [x, this.ints(pads)], { mode: "constant" }, { type: x.type, shape });
  }
  concat(parts: readonly Value[], axis: number): Value {
    const first = parts[0]!;
    if (parts.length === 1) return first;
    const shape = first.shape.map((extent, i) =>
      i === axis ? parts.reduce((total, part) => total + part.shape[i]!, 0) : extent,
    );
    return this.op("Concat", parts, { axis }, { type: first.type, shape });
  }
  /** Entries of `x` along `axis` at `indices`. */
  gather(x: Value, indices: Value, axis = 0): Value {
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return this.op("Gather", [x, indices], { axis }, { type: x.type, shape });
  }
  /** Row i is 1 at labels[i] and 0 elsewhere. labels [N] int64 → [N, classes] float32. */
  oneHot(labels: Value, classes: number): Value {
    const range = this.ints(Array.from({ length: classes }, (_, i) => i));
    return this.cast(this.equal(this.reshape(labels, [...labels.shape, 1]), range), "float32");
  }

  // Linear algebra

  /** A (batched) matrix product. */
  matmul(a: Value, b: Value): Value {
    return this.op("MatMul", [a, b], {}, { type: a.type, shape: matmulShape(a.shape, b.shape) });
  }
  /** x [N, C, …] * w [K, C/groups, …] → [N, K, …]. */
  conv(
    x: Value,
    w: Value,
    bias: Value | undefined,
    window: Omit<Window, "kernel">,
    group = 1,
  ): Value {
    const kernel = w.shape.slice(2);
    const spatial = windowedExtents(x.shape.slice(2), { ...window, kernel });
    const inputs = bias ? [x, w, bias] : [x, w];
    const { strides, dilations, pads } = window;
    return this.op(
      "Conv",
      inputs,
      { kernel_shape: kernel, strides, dilations, pads, group },
      { type: x.type, shape: [x.shape[0]!, w.shape[0]!, ...spatial] },
    );
  }

  #binary(op: string, a: Value, b: Value, type: DataType = a.type): Value {
    return this.op(op, [a, b], {}, { type, shape: broadcast(a.shape, b.shape) });
  }

  #reduce(op: string, x: Value, axes: readonly number[] | undefined, keepDims: boolean): Value {
    const over = normaliseAxes(axes, x.shape.length);
    const shape = reduced(x.shape, over, keepDims);
    if (over.length === 0) return op === "ReduceSumSquare" ? this.mul(x, x) : x;
    // ReduceSum takes its axes as an input since opset 13, the others since 18.
    return this.op(
      op,
      [x, this.ints(over)],
      { keepdims: keepDims ? 1 : 0 },
      { type: x.type, shape },
    );
  }

  #once(key: string, make: () => Value): Value {
    const known = this.#shared.get(key);
    if (known) return known;
    const made = make();
    this.#shared.set(key, made);
    return made;
  }

  #fresh(hint: string): string {
    return `${this.#namespace}~${hint}.${this.#counter++}`;
  }

  #define<T extends DataType>(name: string, type: T, shape: Shape): Value<T> {
    invariant(!this.#values.has(name), `the tensor "${name}" is defined twice`);
    const value = { name, type, shape: [...shape] };
    this.#values.set(name, value);
    return value;
  }
}
