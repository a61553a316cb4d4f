import { AntidoteError, invariant } from "../core/errors.ts";
import { toNumbers } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { attribute, describe, type Node, type Value } from "../onnx/graph.ts";

/**
 * What a rule gives for one input of a node: a function that appends the operations for
 * d output / d input, called only if that gradient is needed, or undefined where there is none.
 */
export type Slot = (() => Value) | undefined;

/** The adjoint of one operator: for every input of the node its slot, in order. */
export type Rule = (application: Application) => readonly Slot[];

/** One node that is being differentiated, and what its rule may use. */
export class Application {
  readonly b: GraphBuilder;
  readonly node: Node;
  /** Gradient of every output, undefined where the result does not depend on it. */
  readonly outputGradients: readonly (Value | undefined)[];

  constructor(b: GraphBuilder, node: Node, outputGradients: readonly (Value | undefined)[]) {
    this.b = b;
    this.node = node;
    this.outputGradients = outputGradients;
  }

  /** The first input. */
  get x(): Value {
    return this.input(0);
  }

  /** The first output. */
  get y(): Value {
    return this.b.value(this.node.outputs[0]!);
  }

  /** Gradient of the first output, of the same shape; refuses if the result depends on another output. */
  get dy(): Value {
    const [dy, ...others] = this.outputGradients;
    if (!dy || others.some(Boolean)) throw this.refusal("a gradient through its first output only");
    return dy;
  }

  /** The i-th input, which the operator's definition requires. */
  input(i: number): Value {
    const value = this.optional(i);
    invariant(value, `input ${i} of ${describe(this.node)} is missing`);
    return value;
  }

  /** The i-th input, or undefined where it is left out. */
  optional(i: number): Value | undefined {
    const name = this.node.inputs[i];
    return name ? this.b.value(name) : undefined;
  }

  /** The integers of a shape-like input, undefined where it is left out; refuses if not constant. */
  ints(i: number): number[] | undefined {
    const value = this.optional(i);
    if (!value) return undefined;
    const constant = this.b.constants.get(value.name);
    if (!constant) throw this.refusal(`a constant for input ${i} ("${value.name}")`);
    return toNumbers(constant);
  }

  int(name: string, fallback: number): number {
    return attribute(this.node, name, "int", fallback);
  }

  float(name: string, fallback: number): number {
    return attribute(this.node, name, "float", fallback);
  }

  text(name: string, fallback: string): string {
    return attribute(this.node, name, "string", fallback);
  }

  /** The error for what the rule of this operator does not cover. */
  refusal(requirement: string): AntidoteError {
    return new AntidoteError(
      "MODEL_NOT_DIFFERENTIABLE",
      `The gradient of ${describe(this.node)} needs ${requirement}.`,
      { place: this.node.name, next: NOT_DIFFERENTIABLE_ADVICE },
    );
  }
}

export const NOT_DIFFERENTIABLE_ADVICE =
  "Run `antidote inspect` on the file for a list of its operators, and export the model again " +
  "with common ones (in evaluation mode, with fixed sizes except for the batch).";
