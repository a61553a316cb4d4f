import type { Shape } from "../../core/tensor.ts";
import { type EinsumTerms, einsumTerms } from "../../onnx/einsum.ts";
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

function letters(a: Application): EinsumTerms {
  const terms = einsumTerms(
    a.node,
    a.node.inputs.map((_, i) => a.input(i).shape.length),
  );
  checkForm(a, [...terms.operands, terms.result], terms.operands);
  return terms;
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
