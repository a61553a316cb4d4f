import type { Rule } from "../rule.ts";
import * as activation from "./activation.ts";
import { attention } from "./attention.ts";
import { conv, convTranspose } from "./convolution.ts";
import { einsum } from "./einsum.ts";
import * as elementwise from "./elementwise.ts";
import * as indexing from "./indexing.ts";
import { gemm, matMul } from "./linear.ts";
import * as normalisation from "./normalisation.ts";
import { pad } from "./padding.ts";
import * as pooling from "./pooling.ts";
import * as reduction from "./reduction.ts";
import { resize } from "./resize.ts";
import * as shape from "./shape.ts";
import * as trigonometric from "./trigonometric.ts";

/** The result does not change with small changes of the operands, or is no floating-point number. */
export const CONSTANT = "piecewise constant";

/** Every operator of the standard domain that can stand between a result and what it is differentiated by. */
export const RULES = {
  // elementwise.ts
  Abs: elementwise.abs,
  Add: elementwise.add,
  Cast: elementwise.cast,
  CastLike: elementwise.cast,
  Div: elementwise.div,
  Dropout: elementwise.identity,
  Erf: elementwise.erf,
  Exp: elementwise.exp,
  Identity: elementwise.identity,
  Log: elementwise.log,
  Max: elementwise.extremum,
  Mean: elementwise.mean,
  Min: elementwise.extremum,
  Mod: elementwise.mod,
  Mul: elementwise.mul,
  Neg: elementwise.neg,
  Pow: elementwise.pow,
  Reciprocal: elementwise.reciprocal,
  Sqrt: elementwise.sqrt,
  Sub: elementwise.sub,
  Sum: elementwise.add,
  Where: elementwise.where,
  // trigonometric.ts
  Acos: trigonometric.acos,
  Acosh: trigonometric.acosh,
  Asin: trigonometric.asin,
  Asinh: trigonometric.asinh,
  Atan: trigonometric.atan,
  Atanh: trigonometric.atanh,
  Cos: trigonometric.cos,
  Cosh: trigonometric.cosh,
  Sin: trigonometric.sin,
  Sinh: trigonometric.sinh,
  Tan: trigonometric.tan,
  // activation.ts
  Celu: activation.celu,
  Clip: activation.clip,
  Elu: activation.elu,
  Gelu: activation.gelu,
  HardSigmoid: activation.hardSigmoid,
  HardSwish: activation.hardSwish,
  LeakyRelu: activation.leakyRelu,
  LogSoftmax: activation.logSoftmax,
  Mish: activation.mish,
  PRelu: activation.pRelu,
  Relu: activation.relu,
  Selu: activation.selu,
  Shrink: activation.shrink,
  Sigmoid: activation.sigmoid,
  Softmax: activation.softmax,
  Softplus: activation.softplus,
  Softsign: activation.softsign,
  Swish: activation.swish,
  Tanh: activation.tanh,
  ThresholdedRelu: activation.thresholdedRelu,
  // linear.ts
  Gemm: gemm,
  MatMul: matMul,
  // einsum.ts
  Einsum: einsum,
  // attention.ts
  Attention: attention,
  // convolution.ts
  Conv: conv,
  ConvTranspose: convTranspose,
  // pooling.ts
  AveragePool: pooling.averagePool,
  GlobalAveragePool: pooling.globalAveragePool,
  GlobalMaxPool: pooling.globalMaxPool,
  MaxPool: pooling.maxPool,
  // normalisation.ts
  BatchNormalization: normalisation.batchNormalization,
  GroupNormalization: normalisation.groupNormalization,
  InstanceNormalization: normalisation.instanceNormalization,
  LRN: normalisation.localResponseNormalization,
  LayerNormalization: normalisation.layerNormalization,
  LpNormalization: normalisation.lpNormalization,
  RMSNormalization: normalisation.rmsNormalization,
  // reduction.ts
  CumSum: reduction.cumSum,
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSum: reduction.reduceLogSum,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  ReduceMax: reduction.reduceExtremum,
  ReduceMean: reduction.reduceMean,
  ReduceMin: reduction.reduceExtremum,
  ReduceProd: reduction.reduceProd,
  ReduceSum: reduction.reduceSum,
  ReduceSumSquare: reduction.reduceSumSquare,
  // shape.ts
  Concat: shape.concat,
  DepthToSpace: shape.depthToSpace,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Reshape: shape.reshape,
  Slice: shape.slice,
  SpaceToDepth: shape.spaceToDepth,
  Split: shape.split,
  Squeeze: shape.reshape,
  Tile: shape.tile,
  Transpose: shape.transpose,
  Trilu: shape.trilu,
  Unsqueeze: shape.reshape,
  // indexing.ts
  Gather: indexing.gather,
  GatherElements: indexing.gatherElements,
  GatherND: indexing.gatherNd,
  ScatterElements: indexing.scatterElements,
  ScatterND: indexing.scatterNd,
  TopK: indexing.topK,
  // padding.ts
  Pad: pad,
  // resize.ts
  Resize: resize,
  // results that carry no gradient
  And: CONSTANT,
  ArgMax: CONSTANT,
  ArgMin: CONSTANT,
  Ceil: CONSTANT,
  ConstantOfShape: CONSTANT,
  Equal: CONSTANT,
  EyeLike: CONSTANT,
  Floor: CONSTANT,
  Greater: CONSTANT,
  GreaterOrEqual: CONSTANT,
  Hardmax: CONSTANT,
  IsInf: CONSTANT,
  IsNaN: CONSTANT,
  Less: CONSTANT,
  LessOrEqual: CONSTANT,
  NonZero: CONSTANT,
  Not: CONSTANT,
  OneHot: CONSTANT,
  Or: CONSTANT,
  Round: CONSTANT,
  Shape: CONSTANT,
  Sign: CONSTANT,
  Size: CONSTANT,
  Xor: CONSTANT,
} as const satisfies Record<string, Rule | typeof CONSTANT>;

/** An operator with an entry in the table. */
export type KnownOperator = keyof typeof RULES;

/** An operator with an adjoint rule. */
export type DifferentiableOperator = {
  [Op in KnownOperator]: (typeof RULES)[Op] extends Rule ? Op : never;
}[KnownOperator];
