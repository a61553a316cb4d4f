import { float32 } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";
import { transposed } from "./linear.ts";

/** The operands by heads, [N, H, L, D]; of keys and values there may be fewer heads, each shared. */
interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/**
 * y = P·V with P = softmax(S), S = s·Q·Kᵀ + mask, per image and head. P is computed again:
 * dV = Pᵀ·dy, dP = dy·Vᵀ, dS = P∘(dP − Σ P∘dP), dQ = s·dS·K, dK = s·dSᵀ·Q, dmask = dS.
 */
export const attention: Rule = (a) => {
  const { b } = a;
  for (const [at, what] of UNCOVERED) if (a.optional(at)) throw a.refusal(`no ${what}`);
  if (a.float("softcap", 0) !== 0) throw a.refusal("no softcap");
  const shared = byHeads(a);
  const groups = shared.q.shape[1]! / shared.k.shape[1]!;
  const { q } = shared;
  const [k, v] = [shared.k, shared.v].map((value) => repeatHeads(b, value, groups)) as [
    Value,
    Value,
  ];
  const scale = b.scalar(a.float("scale", 1 / Math.sqrt(q.shape[3]!)));
  const p = b.softmax(masked(a, b.mul(b.matmul(q, transposed(b, k)), scale))); // [N, H, L, M]
  const dy = split(b, a.dy, q.shape[1]!); // [N, H, L, D]
  const dp = b.matmul(dy, transposed(b, v));
  const weighted = b.mul(p, dp);
  const ds = b.sub(weighted, b.mul(p, b.sum(weighted, [-1], true)));
  const scaled = b.mul(ds, scale);
  return [
    () => joined(b, b.matmul(scaled, k), a.input(0)),
    () => joined(b, sumHeads(b, b.matmul(transposed(b, scaled), q), groups), a.input(1)),
    () => joined(b, sumHeads(b, b.matmul(transposed(b, p), dy), groups), a.input(2)),
    () => b.sumTo(ds, a.input(3).shape),
  ];
};

/** Inputs of decoders that generate text. */
const UNCOVERED = [
  [4, "past keys"],
  [5, "past values"],
  [6, "lengths of keys and values"],
] as const;

function byHeads(a: Application): Heads {
  const { b } = a;
  const q = split(b, a.input(0), a.int("q_num_heads", 0));
  const heads = a.int("kv_num_heads", 0);
  return { q, k: split(b, a.input(1), heads), v: split(b, a.input(2), heads) };
}

/** [N, L, H·D] → [N, H, L, D]; what has four axes stays. */
function split(b: GraphBuilder, x: Value, heads: number): Value {
  if (x.shape.length === 4) return x;
  const [batch, length, width] = x.shape as [number, number, number];
  return b.transpose(b.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** [N, H, L, D] in the form of an operand. */
function joined(b: GraphBuilder, x: Value, like: Value): Value {
  return like.shape.length === 4 ? x : b.reshape(b.transpose(x, [0, 2, 1, 3]), like.shape);
}

/** Every head as often as it is shared: [N, H, L, D] → [N, H·groups, L, D]. */
function repeatHeads(b: GraphBuilder, x: Value, groups: number): Value {
  if (groups === 1) return x;
  const [batch, heads, length, width] = x.shape as [number, number, number, number];
  const single = b.reshape(x, [batch, heads, 1, length, width]);
  const every = b.expand(single, [batch, heads, groups, length, width]);
  return b.reshape(every, [batch, heads * groups, length, width]);
}

/** The adjoint of `repeatHeads`. */
function sumHeads(b: GraphBuilder, x: Value, groups: number): Value {
  if (groups === 1) return x;
  const [batch, heads, length, width] = x.shape as [number, number, number, number];
  return b.sum(b.reshape(x, [batch, heads / groups, groups, length, width]), [2]);
}

/** Scores with −∞ (a number that softmax takes for it) where nothing may be attended to. */
function masked(a: Application, scores: Value): Value {
  const { b } = a;
  const mask = a.optional(3);
  const given = !mask
    ? scores
    : mask.type === "bool"
      ? b.where(mask, scores, b.scalar(NEVER))
      : b.add(scores, mask);
  if (a.int("is_causal", 0) === 0) return given;
  const [length, keys] = scores.shape.slice(2) as [number, number];
  const future = Float32Array.from({ length: length * keys }, (_, i) =>
    i % keys > Math.floor(i / keys) ? NEVER : 0,
  );
  return b.add(given, b.constant(float32([length, keys], future)));
}

const NEVER = -1e30;
