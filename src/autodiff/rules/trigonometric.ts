import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";

/** A rule for y = f(x) of the form dx = dy·f′. */
const scaled =
  (slope: (a: Application) => Value): Rule =>
  (a) => [() => a.b.mul(a.dy, slope(a))];

/** A rule of the form dx = dy/g, where `denominator` appends g. */
const divided =
  (denominator: (a: Application) => Value): Rule =>
  (a) => [() => a.b.div(a.dy, denominator(a))];

/** x² + c. */
const squarePlus = (b: GraphBuilder, x: Value, c: number) => b.add(b.mul(x, x), b.scalar(c));

/** √(1 − x²). */
const cosineOf = ({ b, x }: Application) => b.unary("Sqrt", b.sub(b.scalar(1), b.mul(x, x)));

export const sin: Rule = scaled(({ b, x }) => b.unary("Cos", x));
export const cos: Rule = scaled(({ b, x }) => b.unary("Neg", b.unary("Sin", x)));
/** dx = dy·(1 + y²). */
export const tan: Rule = scaled(({ b, y }) => squarePlus(b, y, 1));

/** dx = dy/√(1 − x²). */
export const asin: Rule = divided(cosineOf);
/** dx = −dy/√(1 − x²). */
export const acos: Rule = divided((a) => a.b.unary("Neg", cosineOf(a)));
/** dx = dy/(1 + x²). */
export const atan: Rule = divided(({ b, x }) => squarePlus(b, x, 1));

export const sinh: Rule = scaled(({ b, x }) => b.unary("Cosh", x));
export const cosh: Rule = scaled(({ b, x }) => b.unary("Sinh", x));

/** dx = dy/√(x² + 1). */
export const asinh: Rule = divided(({ b, x }) => b.unary("Sqrt", squarePlus(b, x, 1)));
/** dx = dy/√(x² − 1). */
export const acosh: Rule = divided(({ b, x }) => b.unary("Sqrt", squarePlus(b, x, -1)));
/** dx = dy/(1 − x²). */
export const atanh: Rule = divided(({ b, x }) => b.sub(b.scalar(1), b.mul(x, x)));
