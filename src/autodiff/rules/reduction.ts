import { sizeOf } from "../../core/tensor.ts";
import type { Value } from "../../onnx/graph.ts";
import { normaliseAxes, reduced } from "../../onnx/shapes.ts";
import type { Application, Rule } from "../rule.ts";

interface Reduction {
  readonly axes: readonly number[];
  /** x's shape with extent 1 along the reduced axes. */
  readonly kept: readonly number[];
}

/** Which axes are reduced: the second input, all where it is absent or empty (unless told not to). */
function reduction(a: Application): Reduction {
  const given = a.ints(1);
  const nothing = given?.length ? false : a.int("noop_with_empty_axes", 0) === 1;
  const axes = nothing ? [] : normaliseAxes(given?.length ? given : undefined, a.x.shape.length);
  return { axes, kept: reduced(a.x.shape, axes, true) };
}

/** A rule of the form dx = dy·f, where `factor` appends f of a shape that broadcasts with x. */
function reducing(factor: (a: Application, y: Value, r: Reduction) => Value): Rule {
  return (a) => [
    () => {
      const r = reduction(a);
      const [y, dy] = [a.y, a.dy].map((value) => a.b.reshape(value, r.kept));
      return a.b.expand(a.b.mul(dy!, factor(a, y!, r)), a.x.shape);
    },
  ];
}

/** y = Σ x: dx = dy. */
export const reduceSum: Rule = (a) => [
  () => a.b.expand(a.b.reshape(a.dy, reduction(a).kept), a.x.shape),
];

/** y = Σ x/n: dx = dy/n. */
export const reduceMean: Rule = reducing((a, _, { kept }) =>
  a.b.scalar(sizeOf(kept) / sizeOf(a.x.shape)),
);

/** y = max or min: dy is shared evenly among the entries that reach it (as torch.amax). */
export const reduceExtremum: Rule = reducing((a, y, { axes }) => {
  const hits = a.b.cast(a.b.equal(a.x, y), "float32");
  return a.b.div(hits, a.b.sum(hits, axes, true));
});

/** y = Σ x²: dx = 2x·dy. */
export const reduceSumSquare: Rule = reducing(({ b, x }) => b.mul(x, b.scalar(2)));

/** y = Σ |x|: dx = dy·sign(x), 0 at 0. */
export const reduceL1: Rule = reducing(({ b, x }) => b.unary("Sign", x));

/** y = √Σx²: dx = dy·x/y, 0 where y = 0 (as torch.linalg.vector_norm). */
export const reduceL2: Rule = reducing(({ b, x }, y) => {
  const zero = b.equal(y, b.scalar(0));
  return b.div(x, b.where(zero, b.scalar(1), y));
});

/** y = ln Σ eˣ: dx = dy·e^(x−y). */
export const reduceLogSumExp: Rule = reducing(({ b, x }, y) => b.unary("Exp", b.sub(x, y)));

/** y = ln Σ x: dx = dy·e^(−y). */
export const reduceLogSum: Rule = reducing(({ b }, y) => b.unary("Exp", b.unary("Neg", y)));

/** y = Π x: dx = dy·(product of the other entries), also where an entry is 0. */
export const reduceProd: Rule = reducing((a, _, { axes }) => {
  const { b, x } = a;
  const isZero = b.equal(x, b.scalar(0));
  const zeros = b.sum(b.cast(isZero, "float32"), axes, true);
  const filled = b.where(isZero, b.scalar(1), x); // 1 in the place of 0
  const kept = { type: x.type, shape: zeros.shape };
  const product = axes.length === 0 ? filled : b.op("ReduceProd", [filled, b.ints(axes)], {}, kept);
  // Another entry is 0: 0. This one alone: the product of the rest. None: the product over this one.
  const none = b.cast(b.equal(zeros, b.scalar(0)), "float32");
  const one = b.cast(b.equal(zeros, b.scalar(1)), "float32");
  return b.where(isZero, b.mul(product, one), b.div(b.mul(product, none), filled));
});

/** y_i = Σ x over the entries up to i, without i if exclusive; backwards: Σ over the others' places. */
export const cumSum: Rule = (a) => [
  () => {
    const exclusive = a.int("exclusive", 0);
    const reverse = 1 - a.int("reverse", 0);
    return a.b.op("CumSum", [a.dy, a.input(1)], { exclusive, reverse }, a.x);
  },
];
