import { AntidoteError } from "../core/errors.ts";
import { float32 } from "../core/tensor.ts";
import { type Attribute, attribute, describe, type Node } from "./graph.ts";
import { convertFloat } from "./tensors.ts";
import { inner, type UpgradeContext } from "./upgrade-context.ts";

/** Operators of standard ONNX that stand for one of ONNX Runtime's own. */
type Lowering = (write: Writer) => void;

/**
 * A node that ONNX Runtime's optimiser has put in the place of several, as standard ones: they have
 * gradients. Its weights keep their names. Other nodes stay as they are.
 * @throws `MODEL_UNSUPPORTED_OPERATOR` if it uses a form that only text models need
 */
export function lowerContrib(node: Node, context: UpgradeContext): Node[] {
  const lowering = node.domain === "com.microsoft" ? LOWERINGS[node.op] : undefined;
  if (!lowering) return [node];
  const writer = new Writer(node, context);
  writer.refuseUnknown(ATTRIBUTES[node.op]);
  lowering(writer);
  return writer.nodes;
}

/** The opset that `Attention` came with. */
export const ATTENTION_OPSET = 23;

/** Writes the nodes in the place of one. */
class Writer {
  readonly nodes: Node[] = [];
  readonly node: Node;
  readonly #context: UpgradeContext;

  constructor(node: Node, context: UpgradeContext) {
    this.node = node;
    this.#context = context;
  }

  /** The i-th input; "" where it is left out. */
  input(i: number): string {
    return this.node.inputs[i] ?? "";
  }

  /** Refuses an input that has no equivalent. */
  without(i: number, what: string): void {
    if (this.input(i) !== "") throw this.refusal(`has ${what}`);
  }

  /** Refuses attributes that are set and would be left out; whatever is 0 is off. */
  refuseUnknown(known: readonly string[] | undefined): void {
    if (!known) return;
    for (const [name, { value }] of this.node.attributes) {
      if (!known.includes(name) && value !== 0) throw this.refusal(`has the attribute "${name}"`);
    }
  }

  refusal(problem: string): AntidoteError {
    return new AntidoteError(
      "MODEL_UNSUPPORTED_OPERATOR",
      `The ${describe(this.node)} ${problem}, which has no equivalent in standard operators.`,
      {
        place: this.node.name,
        next: "Use the model as it was before ONNX Runtime's optimiser fused its operators.",
      },
    );
  }

  /** Appends an operation; the name of its result is invented unless given. */
  op(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = inner(this.node, `${op}.${this.nodes.length}`),
  ): string {
    const map = new Map(Object.entries(attributes));
    this.nodes.push({ op, domain: "", name: output, inputs, outputs: [output], attributes: map });
    return output;
  }

  /** The last operation, which makes the node's own result. */
  result(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): void {
    this.op(op, inputs, attributes, this.node.outputs[0]!);
  }

  /** A number in the floating-point type of the first input. */
  scalar(value: number): string {
    const tensor = convertFloat(float32([], [value]), this.#context.floatType(this.input(0)));
    return this.#context.constant(this.node, `number.${value}`, tensor);
  }

  float(name: string, fallback: number): number {
    return attribute(this.node, name, "float", fallback);
  }

  int(name: string, fallback: number): number {
    return attribute(this.node, name, "int", fallback);
  }
}

const float = (value: number): Attribute => ({ kind: "float", value });
const int = (value: number): Attribute => ({ kind: "int", value });

/** x + bias, if there is one. */
function biased(w: Writer, x: string, bias: string): string {
  return bias === "" ? x : w.op("Add", [x, bias]);
}

/** x·(1 + erf(x/√2))/2. */
function gelu(w: Writer, x: string): void {
  const erf = w.op("Erf", [w.op("Mul", [x, w.scalar(Math.SQRT1_2)])]);
  const half = w.op("Mul", [x, w.scalar(0.5)]);
  w.result("Mul", [half, w.op("Add", [erf, w.scalar(1)])]);
}

/** x·(1 + tanh(√(2/π)(x + 0.044715x³)))/2. */
function tanhGelu(w: Writer, x: string): void {
  const scale = Math.sqrt(2 / Math.PI);
  const square = w.op("Mul", [w.op("Mul", [x, x]), w.scalar(0.044715 * scale)]);
  const argument = w.op("Mul", [x, w.op("Add", [square, w.scalar(scale)])]);
  const half = w.op("Mul", [x, w.scalar(0.5)]);
  w.result("Mul", [half, w.op("Add", [w.op("Tanh", [argument]), w.scalar(1)])]);
}

/** LayerNorm(x + skip + bias); the sum is the fourth result. */
function skipLayerNormalization(w: Writer): void {
  const sum = biased(w, w.op("Add", [w.input(0), w.input(1)]), w.input(4));
  const operands = [sum, w.input(2), w.input(3)].filter((name) => name !== "");
  w.result("LayerNormalization", operands, {
    axis: int(-1),
    epsilon: float(w.float("epsilon", 1e-12)),
  });
  const total = w.node.outputs[3];
  if (total) w.op("Identity", [sum], {}, total);
}

/** α·A·B, the last two axes of either exchanged on demand. */
function fusedMatMul(w: Writer): void {
  const operands = ["transA", "transB"].map((name, i) =>
    w.int(name, 0)
      ? w.op("Einsum", [w.input(i)], { equation: { kind: "string", value: "...ij->...ji" } })
      : w.input(i),
  );
  const alpha = w.float("alpha", 1);
  if (alpha === 1) w.result("MatMul", operands);
  else w.result("Mul", [w.op("MatMul", operands), w.scalar(alpha)]);
}

/** A layer with the activation that follows it; Conv may have another operand added before. */
const activated =
  (op: "Conv" | "Gemm"): Lowering =>
  (w) => {
    const fused = ["activation", "activation_params", "activation_alpha", "activation_beta"];
    const attributes = [...w.node.attributes].filter(([name]) => !fused.includes(name));
    const layer = w.op(op, w.node.inputs.slice(0, 3), Object.fromEntries(attributes));
    const x = biased(w, layer, w.input(3));
    const [first, second] = attribute(w.node, "activation_params", "floats", []);
    const alpha = first ?? w.float("activation_alpha", 0.01);
    const activation = attribute(w.node, "activation", "string", "Relu");
    if (activation === "Clip") w.result("Clip", [x, w.scalar(first!), w.scalar(second!)]);
    else if (activation === "LeakyRelu") w.result(activation, [x], { alpha: float(alpha) });
    else if (activation === "HardSigmoid") {
      w.result(activation, [x], { alpha: float(alpha), beta: float(second ?? 0.5) });
    } else w.result(activation, [x]);
  };

/** Attention over queries, keys and values [N, L, heads·D], with a bias for all three in one vector. */
function multiHeadAttention(w: Writer): void {
  w.without(4, "a mask of keys");
  w.without(6, "past keys");
  w.without(7, "past values");
  if (w.input(1) === "" || w.input(2) === "") throw w.refusal("packs keys and values together");
  const bias = w.input(3);
  const parts = bias === "" ? ["", "", ""] : thirds(w, bias, 0);
  const [q, k, v] = parts.map((part, i) => biased(w, w.input(i), part)) as [string, string, string];
  attend(w, q, k, v, w.input(5));
}

/** A tensor divided into three along an axis. */
function thirds(w: Writer, x: string, axis: number): string[] {
  const outputs = ["q", "k", "v"].map((role) => inner(w.node, role));
  const attributes = new Map([
    ["axis", int(axis)],
    ["num_outputs", int(3)],
  ]);
  w.nodes.push({ op: "Split", domain: "", name: outputs[0]!, inputs: [x], outputs, attributes });
  return outputs;
}

function attend(w: Writer, q: string, k: string, v: string, bias: string): void {
  const heads = int(w.int("num_heads", 1));
  const scale = w.float("scale", 0);
  w.result("Attention", bias === "" ? [q, k, v] : [q, k, v, bias], {
    q_num_heads: heads,
    kv_num_heads: heads,
    ...(w.int("unidirectional", 0) === 0 ? {} : { is_causal: int(1) }),
    ...(scale === 0 ? {} : { scale: float(scale) }),
  });
}

/** x·W + b, divided into queries, keys and values. */
function packedAttention(w: Writer): void {
  const sizes = attribute(w.node, "qkv_hidden_sizes", "ints", []);
  if (sizes.some((size) => size !== sizes[0])) throw w.refusal("has parts of several sizes");
  w.without(3, "a mask");
  w.without(4, "past keys and values");
  const all = biased(w, w.op("MatMul", [w.input(0), w.input(1)]), w.input(2));
  const parts = thirds(w, all, -1);
  attend(w, parts[0]!, parts[1]!, parts[2]!, w.input(5));
}

/** What only counts beside a mask, of which there is none. */
const OF_MASKS = "mask_filter_value";

/** The attributes that a lowering knows; of layers with an activation all are those of the layer. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  Attention: ["num_heads", "scale", "unidirectional", "qkv_hidden_sizes", OF_MASKS],
  BiasGelu: [],
  FastGelu: [],
  FusedMatMul: ["alpha", "transA", "transB"],
  Gelu: [],
  MultiHeadAttention: ["num_heads", "scale", "unidirectional", OF_MASKS],
  QuickGelu: ["alpha"],
  SkipLayerNormalization: ["epsilon"],
};

/** The operators that are taken apart, by name. */
export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  Attention: packedAttention,
  BiasGelu: (w) => gelu(w, w.op("Add", [w.input(0), w.input(1)])),
  FastGelu: (w) => tanhGelu(w, biased(w, w.input(0), w.input(1))),
  FusedConv: activated("Conv"),
  FusedGemm: activated("Gemm"),
  FusedMatMul: fusedMatMul,
  Gelu: (w) => gelu(w, w.input(0)),
  MultiHeadAttention: multiHeadAttention,
  QuickGelu: (w) => {
    const scaled = w.op("Mul", [w.input(0), w.scalar(w.float("alpha", 1.702))]);
    w.result("Mul", [w.input(0), w.op("Sigmoid", [scaled])]);
  },
  SkipLayerNormalization: skipLayerNormalization,
};
