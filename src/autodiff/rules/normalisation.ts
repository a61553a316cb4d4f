import { once } from "../../core/once.ts";
import { float32 } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";
import { alongAxis } from "./along-axis.ts";
import { trainingNormGradients } from "./batch-norm.ts";
import { channelSum, perChannel } from "./channels.ts";

/** Batch normalisation with running statistics, or, in training mode, with those of the batch. */
export const batchNormalization: Rule = (a) =>
  a.int("training_mode", 0) ? trainingNormGradients(a) : runningNorm(a);

/**
 * y = γ·x̂ + β, x̂ = (x − μ)/σ, σ = √(v + ε), all per channel:
 * dx = dy·γ/σ, dγ = Σ dy·x̂, dβ = Σ dy, dμ = −γ/σ·Σ dy, dv = −γ/(2σ²)·Σ dy·x̂.
 */
function runningNorm(a: Application): ReturnType<Rule> {
  const { b, x } = a;
  const [gamma, mean, variance] = [a.input(1), a.input(3), a.input(4)];
  const epsilon = b.scalar(a.float("epsilon", 1e-5));
  const inverse = once(() => b.unary("Reciprocal", b.unary("Sqrt", b.add(variance, epsilon)))); // 1/σ
  const slope = once(() => b.mul(gamma, inverse())); // γ/σ
  const total = once(() => channelSum(b, a.dy)); // Σ dy
  const projected = once(() => {
    const dot = channelSum(b, b.mul(a.dy, x));
    return b.mul(b.sub(dot, b.mul(mean, total())), inverse()); // Σ dy·x̂
  });
  return [
    () => b.mul(a.dy, perChannel(b, slope(), x.shape.length)),
    projected,
    total,
    () => b.unary("Neg", b.mul(slope(), total())),
    () => b.mul(b.mul(b.mul(slope(), inverse()), projected()), b.scalar(-0.5)),
  ];
}

/** x̂ = (x − mean)/√(variance + ε) over some axes, and 1/√(variance + ε) with extent 1 there. */
function standardised(b: GraphBuilder, x: Value, axes: readonly number[], epsilon: number) {
  const centred = b.sub(x, b.mean(x, axes, true));
  const variance = b.mean(b.mul(centred, centred), axes, true);
  const deviation = b.unary("Sqrt", b.add(variance, b.scalar(epsilon)));
  const inverse = b.unary("Reciprocal", deviation);
  return { x: b.mul(centred, inverse), inverse };
}

/** dx = (g − mean g − x̂·mean(g·x̂))/σ for g = dL/dx̂. */
function standardisedGradient(
  b: GraphBuilder,
  g: Value,
  hat: ReturnType<typeof standardised>,
  axes: readonly number[],
): Value {
  const mean = b.mean(g, axes, true);
  const along = b.mul(hat.x, b.mean(b.mul(g, hat.x), axes, true));
  return b.mul(b.sub(b.sub(g, mean), along), hat.inverse);
}

/** y = γ·x̂ + β over the axes from `axis` on: g = dy·γ, dγ = Σ dy·x̂, dβ = Σ dy. */
export const layerNormalization: Rule = (a) => {
  const { b, x } = a;
  const axes = axesFrom(a);
  const gamma = a.input(1);
  const hat = standardised(b, x, axes, a.float("epsilon", 1e-5));
  return [
    () => standardisedGradient(b, b.mul(a.dy, gamma), hat, axes),
    () => b.sumTo(b.mul(a.dy, hat.x), gamma.shape),
    () => b.sumTo(a.dy, a.input(2).shape),
  ];
};

/** y = γ·x̂, x̂ = x/r, r = √(mean x² + ε) over the axes from `axis` on: dx = (g − x̂·mean(g·x̂))/r, g = dy·γ. */
export const rmsNormalization: Rule = (a) => {
  const { b, x } = a;
  const axes = axesFrom(a);
  const gamma = a.input(1);
  const meanSquare = b.mean(b.mul(x, x), axes, true);
  const root = b.unary("Sqrt", b.add(meanSquare, b.scalar(a.float("epsilon", 1e-5))));
  const hat = b.div(x, root);
  return [
    () => {
      const g = b.mul(a.dy, gamma);
      const along = b.mul(hat, b.mean(b.mul(g, hat), axes, true));
      return b.div(b.sub(g, along), root);
    },
    () => b.sumTo(b.mul(a.dy, hat), gamma.shape),
  ];
};

/** The axes from the attribute `axis` on. */
function axesFrom(a: Application): number[] {
  const rank = a.x.shape.length;
  const first = a.int("axis", -1);
  return a.x.shape.flatMap((_, axis) => (axis >= (first < 0 ? first + rank : first) ? [axis] : []));
}

/** y = x/n, n = √Σx² or Σ|x| along the axis: dx = (dy − s·Σ y·dy)/n, s = y or sign(x). */
export const lpNormalization: Rule = (a) => [
  () => {
    const { b, x, y, dy } = a;
    const axes = [a.int("axis", -1)];
    const absolute = a.int("p", 2) === 1;
    const norm = absolute
      ? b.sum(b.unary("Abs", x), axes, true)
      : b.unary("Sqrt", b.sumSquares(x, axes, true));
    const slope = absolute ? b.unary("Sign", x) : y;
    return b.div(b.sub(dy, b.mul(slope, b.sum(b.mul(y, dy), axes, true))), norm);
  },
];

/**
 * y_c = x_c·s_c^(−β), s_c = k + α/n·Σ x² over the n channels around c:
 * dx_c = dy_c·s_c^(−β) − 2αβ/n·x_c·Σ dy·y/s over the channels that have c around them.
 */
export const localResponseNormalization: Rule = (a) => [
  () => {
    const { b, x, y, dy } = a;
    const size = a.int("size", 1);
    const alpha = a.float("alpha", 1e-4);
    const beta = a.float("beta", 0.75);
    const channels = x.shape[1]!;
    const before = Math.floor((size - 1) / 2);
    // [c, j] = 1 where channel j is among the n around c
    const around = Float32Array.from({ length: channels ** 2 }, (_, i) => {
      const distance = (i % channels) - Math.floor(i / channels);
      return distance >= -before && distance < size - before ? 1 : 0;
    });
    const band = b.constant(float32([channels, channels], around));
    const sums = alongAxis(b, band, b.mul(x, x), 1);
    const s = b.add(b.mul(sums, b.scalar(alpha / size)), b.scalar(a.float("bias", 1)));
    const direct = b.mul(dy, b.pow(s, b.scalar(-beta)));
    const through = alongAxis(b, b.transpose(band, [1, 0]), b.div(b.mul(dy, y), s), 1);
    return b.sub(direct, b.mul(b.mul(x, through), b.scalar((2 * alpha * beta) / size)));
  },
];

/** y = γ·x̂ + β with statistics per image and channel. */
export const instanceNormalization: Rule = (a) => groupedNorm(a, a.x.shape[1]!);

/** y = γ·x̂ + β with statistics per image and group of channels. */
export const groupNormalization: Rule = (a) => groupedNorm(a, a.int("num_groups", 1));

function groupedNorm(a: Application, groups: number): ReturnType<Rule> {
  const { b, x } = a;
  const gamma = a.input(1);
  const channels = x.shape[1]!;
  // Until opset 20 GroupNormalization has one γ and β per group, spread here over the group's channels.
  const each = channels / gamma.shape[0]!;
  const spread = b.reshape(
    b.expand(b.reshape(gamma, [gamma.shape[0]!, 1]), [gamma.shape[0]!, each]),
    [channels],
  );
  const collected = (perEach: Value) =>
    b.reshape(b.sum(b.reshape(perEach, [gamma.shape[0]!, each]), [1]), gamma.shape);
  const grouped = [x.shape[0]!, groups, channels / groups, ...x.shape.slice(2)];
  const axes = grouped.slice(2).map((_, axis) => axis + 2);
  const hat = standardised(b, b.reshape(x, grouped), axes, a.float("epsilon", 1e-5));
  return [
    () => {
      const g = b.mul(a.dy, perChannel(b, spread, x.shape.length));
      return b.reshape(standardisedGradient(b, b.reshape(g, grouped), hat, axes), x.shape);
    },
    () => collected(channelSum(b, b.mul(a.dy, b.reshape(hat.x, x.shape)))),
    () => collected(channelSum(b, a.dy)),
  ];
}
