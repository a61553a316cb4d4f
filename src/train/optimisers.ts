import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";

/**
 * A rule that moves a parameter along its gradient, written as graph nodes. What the rule remembers
 * between steps lives in slots: tensors of the parameter's shape that start at zero.
 */
export interface Optimiser<Slot extends string = string, Scalar extends string = string> {
  readonly slots: readonly Slot[];
  readonly scalars: readonly Scalar[];
  /** The scalars of step `step` (the first is 1). They are fed, so that one compiled step serves every rate. */
  coefficients(step: number, learningRate: number): Readonly<Record<Scalar, number>>;
  /** Writes the update; all values have the parameter's shape, except the scalars []. */
  update(
    b: GraphBuilder,
    parameter: Value,
    gradient: Value,
    slots: Readonly<Record<Slot, Value>>,
    scalars: Readonly<Record<Scalar, Value>>,
  ): { readonly parameter: Value; readonly slots: Readonly<Record<Slot, Value>> };
}

/** Options of `sgd`. */
export interface SgdOptions {
  /** μ in [0, 1). */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** λ of the L2 penalty ½λ‖p‖². */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent as in PyTorch (`torch.optim.SGD`, dampening 0):
 *
 *     g ← g + λp,  v ← μv + g,  p ← p − η(g + μv) with Nesterov, p − ηv without.
 */
export function sgd(options: SgdOptions = {}): Optimiser<"velocity", "learningRate"> {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  return {
    slots: momentum === 0 ? [] : ["velocity"],
    scalars: ["learningRate"],
    coefficients: (_, learningRate) => ({ learningRate }),
    update(b, parameter, gradient, { velocity }, { learningRate }) {
      const g = decayed(b, parameter, gradient, weightDecay);
      if (momentum === 0) {
        return { parameter: b.sub(parameter, b.mul(g, learningRate)), slots: { velocity } };
      }
      const mu = b.scalar(momentum);
      const next = b.add(b.mul(velocity, mu), g);
      const direction = nesterov ? b.add(g, b.mul(next, mu)) : next;
      return {
        parameter: b.sub(parameter, b.mul(direction, learningRate)),
        slots: { velocity: next },
      };
    },
  };
}

/** Options of `adam`. */
export interface AdamOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  /** Shrink the weights directly (AdamW) instead of through the gradient. */
  readonly decoupled?: boolean;
}

/**
 * Adam as in PyTorch (`torch.optim.Adam`, and `AdamW` with `decoupled`). With the averages
 * m ← β₁m + (1−β₁)g and v ← β₂v + (1−β₂)g²,
 *
 *     p ← p − η · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε).
 *
 * The slots hold the decayed sums M = m/(1−β₁) and V = v/(1−β₂), and every factor that does not
 * depend on the element is moved into two scalars: ten passes over memory instead of fourteen.
 */
export function adam(
  options: AdamOptions = {},
): Optimiser<"first" | "second", "rate" | "epsilon" | "keep"> {
  const {
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0,
    decoupled = false,
  } = options;
  return {
    slots: ["first", "second"],
    scalars: ["rate", "epsilon", "keep"],
    coefficients(step, learningRate) {
      // √(v / (1−β₂ᵗ)) = scale·√V
      const scale = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
      return {
        rate: (learningRate * (1 - beta1)) / (1 - beta1 ** step) / scale,
        epsilon: epsilon / scale,
        keep: 1 - learningRate * weightDecay,
      };
    },
    update(b, parameter, gradient, { first, second }, scalars) {
      const g = decoupled ? gradient : decayed(b, parameter, gradient, weightDecay);
      const start = decoupled && weightDecay !== 0 ? b.mul(parameter, scalars.keep) : parameter;
      const m = b.add(b.mul(first, b.scalar(beta1)), g);
      const v = b.add(b.mul(second, b.scalar(beta2)), b.mul(g, g));
      const direction = b.div(m, b.add(b.unary("Sqrt", v), scalars.epsilon));
      return {
        parameter: b.sub(start, b.mul(direction, scalars.rate)),
        slots: { first: m, second: v },
      };
    },
  };
}

/** The gradient with that of the L2 penalty: g + λp. */
function decayed(b: GraphBuilder, parameter: Value, gradient: Value, weightDecay: number): Value {
  return weightDecay === 0 ? gradient : b.add(gradient, b.mul(parameter, b.scalar(weightDecay)));
}
