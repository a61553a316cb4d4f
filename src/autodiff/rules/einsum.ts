import { invariant } from "../../core/errors.ts";
import type { Shape } from "../../core/tensor.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";

/**
 * y = Σ of products over the letters that y lacks. Each operand's gradient is a sum of the same kind,
 * with y's letters and dy in the operand's place; along a letter that no other tensor has, it repeats.
 */
export const einsum: Rule = (a) => {
  const { operands, result } = letters(a);
  return operands.map((own, i) => () => {
    const others = operands.flatMap((terms, j) => (j === i ? [] : [{ terms, value: a.input(j) }]));
    const all = [{ terms: result, value: a.dy }, ...others];
    const known = own.filter((letter) => all.some(({ terms }) => terms.includes(letter)));
    const equation = `${all.map(({ terms }) => terms.join("")).join(",")}->${known.join("")}`;
    const value = a.input(i);
    const shape = known.map((letter) => value.shape[own.indexOf(letter)]!);
    const inputs = all.map((operand) => operand.value);
    const sum = a.b.op("Einsum", inputs, { equation }, { type: value.type, shape });
    return repeated(a, sum, own, known, value.shape);
  });
};

/** The sum spread over the letters that it lacks. */
function repeated(
  { b }: Application,
  sum: Value,
  own: readonly string[],
  known: readonly string[],
  shape: Shape,
): Value {
  const kept = shape.map((extent, axis) => (known.includes(own[axis]!) ? extent : 1));
  return b.expand(b.reshape(sum, kept), shape);
}

/** The equation's terms, one letter per axis; axes behind "..." get letters that are free. */
function letters(a: Application): { operands: string[][]; result: string[] } {
  const equation = a.text("equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->") as [string, string | undefined];
  const free = [...ALPHABET].filter((letter) => !equation.includes(letter));
  const inputs = left.split(",");
  const hidden = inputs.map((term, i) =>
    term.includes("...") ? a.input(i).shape.length - (term.length - 3) : 0,
  );
  const most = Math.max(...hidden);
  invariant(most <= free.length, "an equation has more axes than the alphabet letters");
  const spelled = (term: string, count: number) => [
    ...term.replace("...", free.slice(most - count, most).join("")),
  ];
  const operands = inputs.map((term, i) => spelled(term, hidden[i]!));
  const result = spelled(right ?? implied(inputs), most);
  checkForm(a, [...operands, result], operands);
  return { operands, result };
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Without an arrow the result has "...", then the letters that occur once, in alphabetical order. */
function implied(inputs: readonly string[]): string {
  const all = [...inputs.join("").replaceAll(".", "")];
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter));
  return (inputs.some((term) => term.includes("...")) ? "..." : "") + once.sort().join("");
}

function checkForm(
  a: Application,
  terms: readonly (readonly string[])[],
  operands: readonly (readonly string[])[],
): void {
  if (terms.some((term) => new Set(term).size < term.length)) {
    throw a.refusal("no letter twice in one term (a diagonal)");
  }
  const extents = new Map<string, number>();
  operands.forEach((term, i) => {
    term.forEach((letter, axis) => {
      const extent = a.input(i).shape[axis]!;
      if ((extents.get(letter) ?? extent) !== extent) {
        throw a.refusal(`the same extent of "${letter}" in every operand`);
      }
      extents.set(letter, extent);
    });
  });
}
