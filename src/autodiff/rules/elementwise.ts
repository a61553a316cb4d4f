import { once } from "../../core/once.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import { ELEMENT_CODES } from "../../onnx/element-types.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";

/** dy where the condition holds, 0 elsewhere: a product is cheaper in ONNX Runtime than Where. */
export function gate(b: GraphBuilder, condition: Value, dy: Value): Value {
  return b.mul(dy, b.cast(condition, "float32"));
}

/** y = a + b: da = dy, db = dy, summed over the axes along which the operand was broadcast. */
export const add: Rule = (a) =>
  a.node.inputs.map((_, i) => () => a.b.sumTo(a.dy, a.input(i).shape));

/** y = a − b: da = dy, db = −dy. */
export const sub: Rule = (a) => [
  () => a.b.sumTo(a.dy, a.x.shape),
  () => a.b.unary("Neg", a.b.sumTo(a.dy, a.input(1).shape)),
];

/** y = a·b: da = dy·b, db = dy·a. */
export const mul: Rule = (a) => [
  () => a.b.sumTo(a.b.mul(a.dy, a.input(1)), a.x.shape),
  () => a.b.sumTo(a.b.mul(a.dy, a.x), a.input(1).shape),
];

/** y = a/b: da = dy/b, db = −dy·y/b. */
export const div: Rule = (a) => [
  () => a.b.sumTo(a.b.div(a.dy, a.input(1)), a.x.shape),
  () => {
    const ratio = a.b.div(a.b.mul(a.dy, a.y), a.input(1));
    return a.b.unary("Neg", a.b.sumTo(ratio, a.input(1).shape));
  },
];

/** y = (a + b + …)/n: each operand gets dy/n. */
export const mean: Rule = (a) => {
  const share = once(() => a.b.mul(a.dy, a.b.scalar(1 / a.node.inputs.length)));
  return a.node.inputs.map((_, i) => () => a.b.sumTo(share(), a.input(i).shape));
};

/** y = a − b·⌊a/b⌉, the quotient rounded towards zero or down: da = dy, db = dy·(y − a)/b. */
export const mod: Rule = (a) => [
  () => a.b.sumTo(a.dy, a.x.shape),
  () => {
    const quotient = a.b.div(a.b.sub(a.y, a.x), a.input(1));
    return a.b.sumTo(a.b.mul(a.dy, quotient), a.input(1).shape);
  },
];

/** y = x^p: dx = dy·p·x^(p−1), dp = dy·y·ln x, taken as 0 where x ≤ 0. */
export const pow: Rule = (a) => [
  () => {
    const exponent = a.b.cast(a.input(1), "float32"); // whole numbers may stand as such
    // 0·x at an exponent of 0, since x⁻¹ has no value at 0.
    const isZero = a.b.equal(exponent, a.b.scalar(0));
    const lower = a.b.pow(a.x, a.b.where(isZero, a.b.scalar(1), a.b.sub(exponent, a.b.scalar(1))));
    return a.b.sumTo(a.b.mul(a.dy, a.b.mul(exponent, lower)), a.x.shape);
  },
  () => {
    const positive = a.b.greater(a.x, a.b.scalar(0));
    const log = a.b.unary("Log", a.b.where(positive, a.x, a.b.scalar(1)));
    return a.b.sumTo(a.b.mul(a.dy, a.b.mul(a.y, log)), a.input(1).shape);
  },
];

/** y = max or min of the operands: dy is shared evenly among those that reach it (as torch.maximum). */
export const extremum: Rule = (a) => {
  const hits = a.node.inputs.map((_, i) => a.b.cast(a.b.equal(a.input(i), a.y), "float32"));
  const share = a.b.div(
    a.dy,
    hits.reduce((total, hit) => a.b.add(total, hit)),
  );
  return hits.map((hit, i) => () => a.b.sumTo(a.b.mul(share, hit), a.input(i).shape));
};

/** y = c ? a : b: each operand gets dy where it was taken. */
export const where: Rule = (a) => {
  const taken = (i: number) => () => {
    const zero = a.b.scalar(0);
    const [yes, no] = i === 1 ? [a.dy, zero] : [zero, a.dy];
    return a.b.sumTo(a.b.where(a.x, yes, no), a.input(i).shape);
  };
  return [undefined, taken(1), taken(2)];
};

/** A rule for y = f(x) that needs one formula only. */
const unary =
  (dx: (a: Application) => Value): Rule =>
  (a) => [() => dx(a)];

/** y = x and what equals it outside training (Identity, Dropout). */
export const identity: Rule = unary(({ dy }) => dy);

/** y = x in another floating-point type (Cast, CastLike). */
export const cast: Rule = unary(({ b, x, dy }) =>
  b.op("Cast", [dy], { to: ELEMENT_CODES[x.type] }, x),
);

export const neg: Rule = unary(({ b, dy }) => b.unary("Neg", dy));

/** dx = dy·sign(x), 0 at 0. */
export const abs: Rule = unary(({ b, x, dy }) => b.mul(dy, b.unary("Sign", x)));

/** dx = dy·y. */
export const exp: Rule = unary(({ b, y, dy }) => b.mul(dy, y));

/** dx = dy/x. */
export const log: Rule = unary(({ b, x, dy }) => b.div(dy, x));

/** dx = dy/(2y), infinite at 0 as in PyTorch. */
export const sqrt: Rule = unary(({ b, y, dy }) => b.div(b.mul(dy, b.scalar(0.5)), y));

/** y = 1/x: dx = −dy·y². */
export const reciprocal: Rule = unary(({ b, y, dy }) => b.unary("Neg", b.mul(dy, b.mul(y, y))));

/** dx = dy·2/√π·exp(−x²). */
export const erf: Rule = unary(({ b, x, dy }) => {
  const bell = b.unary("Exp", b.unary("Neg", b.mul(x, x)));
  return b.mul(dy, b.mul(bell, b.scalar(2 / Math.sqrt(Math.PI))));
});
