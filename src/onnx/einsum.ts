import { invariant } from "../core/errors.ts";
import { attribute, type Node } from "./graph.ts";

/** The letters of an Einsum's axes, one each. */
export interface EinsumTerms {
  readonly operands: readonly (readonly string[])[];
  readonly result: readonly string[];
}

/**
 * The terms of an Einsum's equation; axes behind "..." get letters that are free.
 * @param ranks of the inputs
 */
export function einsumTerms(node: Node, ranks: readonly number[]): EinsumTerms {
  const equation = attribute(node, "equation", "string", "").replaceAll(" ", "");
  const [left, right] = equation.split("->") as [string, string | undefined];
  const free = [...ALPHABET].filter((letter) => !equation.includes(letter));
  const inputs = left.split(",");
  const hidden = inputs.map((term, i) =>
    term.includes("...") ? ranks[i]! - (term.length - 3) : 0,
  );
  const most = Math.max(...hidden);
  invariant(most <= free.length, "an equation has more axes than the alphabet letters");
  const spelled = (term: string, count: number) => [
    ...term.replace("...", free.slice(most - count, most).join("")),
  ];
  const operands = inputs.map((term, i) => spelled(term, hidden[i]!));
  return { operands, result: spelled(right ?? implied(inputs), most) };
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Without an arrow the result has "...", then the letters that occur once, in alphabetical order. */
function implied(inputs: readonly string[]): string {
  const all = [...inputs.join("").replaceAll(".", "")];
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter));
  return (inputs.some((term) => term.includes("...")) ? "..." : "") + once.sort().join("");
}
