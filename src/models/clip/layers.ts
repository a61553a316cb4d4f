import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { EncoderShape } from "./config.ts";

/** The value of a parameter by its name. */
export type Parameters = (name: string) => Value;

/** What layers are written with. */
export interface Layers {
  readonly b: GraphBuilder;
  readonly at: Parameters;
}

/** `shape` is that of one image or text: [N,…] → [N,…shape] for any N, which the graph does not fix. */
export function reshapeEach(b: GraphBuilder, x: Value, shape: readonly number[]): Value {
  const result = { type: x.type, shape: [x.shape[0]!, ...shape] };
  return b.op("Reshape", [x, b.ints([0, ...shape])], {}, result);
}

/** y = γ·(x − mean)/√(variance + ε) + β over the last axis. */
export function layerNorm({ b, at }: Layers, name: string, x: Value, epsilon: number): Value {
  const inputs = [x, at(`${name}.weight`), at(`${name}.bias`)];
  return b.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } }, x);
}

/** x [N,d] · weight [k,d]ᵀ → [N,k], without bias. */
export function projection({ b, at }: Layers, name: string, x: Value): Value {
  return product(b, x, at(`${name}.weight`));
}

/** Every position by itself: x [N,L,d] → x·weightᵀ + bias [N,L,k], weight [k,d]. */
function linear({ b, at }: Layers, name: string, x: Value): Value {
  const [batch, length, width] = x.shape as [number, number, number];
  const weight = at(`${name}.weight`);
  // One product of all positions, with the weight in the layout in which files have it.
  const all = { type: x.type, shape: [batch * length, width] };
  const rows = b.op("Reshape", [x, b.ints([-1, width])], {}, all);
  const y = product(b, rows, weight, at(`${name}.bias`)); // [N·L,k]
  const outputs = weight.shape[0]!;
  const each = { type: x.type, shape: [batch, length, outputs] };
  return b.op("Reshape", [y, b.ints([-1, length, outputs])], {}, each);
}

function product(b: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  const shape = [x.shape[0]!, weight.shape[0]!];
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return b.op("Gemm", inputs, { transB: 1 }, { type: x.type, shape });
}

/**
 * A transformer with normalisation before attention and before the linear layers (Radford et al. 2021, section 2.4;
 * 2019): x ← x + attention(norm(x)), x ← x + fc2(activation(fc1(norm(x)))).
 * @param x [N,L,d]
 * @param mask added to the scores of all heads, [L,L]: row i is what position i attends to
 * @returns [N,L,d]
 */
export function encoder(
  layers: Layers,
  name: string,
  x: Value,
  shape: EncoderShape,
  mask?: Value,
): Value {
  const { b } = layers;
  let y = x;
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `${name}.layers.${layer}`;
    const attended = attention(
      layers,
      `${at}.self_attn`,
      layerNorm(layers, `${at}.layer_norm1`, y, shape.epsilon),
      shape.heads,
      mask,
    );
    y = b.add(y, attended);
    const normed = layerNorm(layers, `${at}.layer_norm2`, y, shape.epsilon);
    const inner = activated(b, linear(layers, `${at}.mlp.fc1`, normed), shape.activation);
    y = b.add(y, linear(layers, `${at}.mlp.fc2`, inner));
  }
  return y;
}

/** softmax(q·kᵀ/√(d/heads) + mask)·v in every head, then a linear layer: [N,L,d] → [N,L,d]. */
function attention(
  layers: Layers,
  name: string,
  x: Value,
  heads: number,
  mask: Value | undefined,
): Value {
  const { b } = layers;
  const [, length, width] = x.shape as [number, number, number];
  const each = width / heads;
  const split = (part: string, perm: readonly number[], scale = 1) => {
    const y = linear(layers, `${name}.${part}_proj`, x);
    const scaled = scale === 1 ? y : b.mul(y, b.scalar(scale));
    return b.transpose(reshapeEach(b, scaled, [length, heads, each]), perm);
  };
  const q = split("q", [0, 2, 1, 3], 1 / Math.sqrt(each)); // [N,H,L,d/H]
  const k = split("k", [0, 2, 3, 1]); // [N,H,d/H,L]
  const v = split("v", [0, 2, 1, 3]); // [N,H,L,d/H]
  const scores = b.matmul(q, k); // [N,H,L,L]
  const weights = b.softmax(mask ? b.add(scores, mask) : scores);
  const mixed = b.transpose(b.matmul(weights, v), [0, 2, 1, 3]); // [N,L,H,d/H]
  return linear(layers, `${name}.out_proj`, reshapeEach(b, mixed, [length, width]));
}

/** x·σ(1.702x), or x·Φ(x) = x·(1 + erf(x/√2))/2. */
function activated(b: GraphBuilder, x: Value, activation: EncoderShape["activation"]): Value {
  if (activation === "quick_gelu") {
    return b.mul(x, b.unary("Sigmoid", b.mul(x, b.scalar(1.702))));
  }
  const erf = b.unary("Erf", b.mul(x, b.scalar(Math.SQRT1_2)));
  return b.mul(x, b.mul(b.add(erf, b.scalar(1)), b.scalar(0.5)));
}

/** Vectors of length 1: x/‖x‖₂, [N,d]. */
export function unitLength(b: GraphBuilder, x: Value): Value {
  return b.div(x, b.unary("Sqrt", b.sumSquares(x, [-1], true)));
}
