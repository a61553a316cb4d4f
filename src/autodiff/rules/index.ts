import type { Rule } from "../rule.ts";
import * as activation from "./activation.ts";
import { conv } from "./convolution.ts";
import * as elementwise from "./elementwise.ts";
import { gemm, matMul } from "./linear.ts";
import * as normalisation from "./normalisation.ts";
import * as pooling from "./pooling.ts";
import * as reduction from "./reduction.ts";
import * as shape from "./shape.ts";

/** The result does not change with small changes of the operands, or is no floating-point number. */
export const CONSTANT = "piecewise constant";

/** Every operator of the standard domain that can stand between a result and what it is differentiated by. */
export const RULES = {
  // elementwise.ts
  Abs: elementwise.abs,
  Add: elementwise.add,
  Cast: elementwise.cast,
  Div: elementwise.div,
  Dropout: elementwise.identity,
  Erf: elementwise.erf,
  Exp: elementwise.exp,
  Identity: elementwise.identity,
  Log: elementwise.log,
  Max: elementwise.extremum,
  Min: elementwise.extremum,
  Mul: elementwise.mul,
  Neg: elementwise.neg,
  Pow: elementwise.pow,
  Reciprocal: elementwise.reciprocal,
  Sqrt: elementwise.sqrt,
  Sub: elementwise.sub,
  Sum: elementwise.add,
  Where: elementwise.where,
  // activation.ts
  Clip: activation.clip,
  Elu: activation.elu,
  Gelu: activation.gelu,
  HardSigmoid: activation.hardSigmoid,
  HardSwish: activation.hardSwish,
  LeakyRelu: activation.leakyRelu,
  LogSoftmax: activation.logSoftmax,
  PRelu: activation.pRelu,
  Relu: activation.relu,
  Sigmoid: activation.sigmoid,
  Softmax: activation.softmax,
  Softplus: activation.softplus,
  Tanh: activation.tanh,
  // linear.ts
  Gemm: gemm,
  MatMul: matMul,
  // convolution.ts
  Conv: conv,
  // pooling.ts
  AveragePool: pooling.averagePool,
  GlobalAveragePool: pooling.globalAveragePool,
  GlobalMaxPool: pooling.globalMaxPool,
  MaxPool: pooling.maxPool,
  // normalisation.ts
  BatchNormalization: normalisation.batchNormalization,
  GroupNormalization: normalisation.groupNormalization,
  InstanceNormalization: normalisation.instanceNormalization,
  LayerNormalization: normalisation.layerNormalization,
  // reduction.ts
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  ReduceMax: reduction.reduceExtremum,
  ReduceMean: reduction.reduceMean,
  ReduceMin: reduction.reduceExtremum,
  ReduceSum: reduction.reduceSum,
  ReduceSumSquare: reduction.reduceSumSquare,
  // shape.ts
  Concat: shape.concat,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Gather: shape.gather,
  Pad: shape.pad,
  Reshape: shape.reshape,
  Slice: shape.slice,
  Split: shape.split,
  Squeeze: shape.reshape,
  Tile: shape.tile,
  Transpose: shape.transpose,
  Unsqueeze: shape.reshape,
  // results that carry no gradient
  And: CONSTANT,
  ArgMax: CONSTANT,
  ArgMin: CONSTANT,
  Ceil: CONSTANT,
  Equal: CONSTANT,
  Floor: CONSTANT,
  Greater: CONSTANT,
  GreaterOrEqual: CONSTANT,
  Less: CONSTANT,
  LessOrEqual: CONSTANT,
  Not: CONSTANT,
  Or: CONSTANT,
  Round: CONSTANT,
  Shape: CONSTANT,
  Sign: CONSTANT,
  Size: CONSTANT,
} as const satisfies Record<string, Rule | typeof CONSTANT>;

/** An operator with an entry in the table. */
export type KnownOperator = keyof typeof RULES;

/** An operator with an adjoint rule. */
export type DifferentiableOperator = {
  [Op in KnownOperator]: (typeof RULES)[Op] extends Rule ? Op : never;
}[KnownOperator];
