import { AntidoteError } from "../core/errors.ts";
import { float32, int64, type Tensor, toNumbers } from "../core/tensor.ts";
import { type Attribute, attribute, describe, type Node } from "./graph.ts";
import type { GraphProto } from "./proto/generated/onnx_pb.ts";
import { nestedNodes } from "./subgraphs.ts";
import { convertFloat } from "./tensors.ts";
import { inner, type UpgradeContext } from "./upgrade-context.ts";

/** How to bring an operator into the form it has in opset 18. */
interface Upgrade {
  /** The first opset with that form: nodes of older ones are rewritten. */
  readonly since: number;
  readonly rewrite: (node: Node, context: UpgradeContext) => Node[];
}

/**
 * The operators whose form changed between opset 9 and 18; all others only came to accept more types
 * or optional inputs. From 18 on nothing that has a gradient rule changed its form, except
 * GroupNormalization, whose scale and bias are per group in 18 and per channel in 21.
 */
const UPGRADES: Readonly<Record<string, Upgrade>> = {
  BatchNormalization: { since: 14, rewrite: trainingToAttribute },
  Clip: { since: 11, rewrite: boundsToInputs },
  Hardmax: { since: 13, rewrite: softmaxOverOneAxis },
  LogSoftmax: { since: 13, rewrite: softmaxOverOneAxis },
  Pad: { since: 11, rewrite: padsToInputs },
  ReduceL1: { since: 18, rewrite: intsToInputs("axes") },
  ReduceL2: { since: 18, rewrite: intsToInputs("axes") },
  ReduceLogSum: { since: 18, rewrite: intsToInputs("axes") },
  ReduceLogSumExp: { since: 18, rewrite: intsToInputs("axes") },
  ReduceMax: { since: 18, rewrite: intsToInputs("axes") },
  ReduceMean: { since: 18, rewrite: intsToInputs("axes") },
  ReduceMin: { since: 18, rewrite: intsToInputs("axes") },
  ReduceProd: { since: 18, rewrite: intsToInputs("axes") },
  ReduceSum: { since: 13, rewrite: intsToInputs("axes") },
  ReduceSumSquare: { since: 18, rewrite: intsToInputs("axes") },
  Resize: { since: 11, rewrite: resizeByScales },
  RoiAlign: { since: 16, rewrite: alignUnshifted },
  Scatter: { since: 11, rewrite: (node) => [{ ...node, op: "ScatterElements" }] },
  Slice: { since: 10, rewrite: intsToInputs("starts", "ends", "axes") },
  Softmax: { since: 13, rewrite: softmaxOverOneAxis },
  Split: { since: 18, rewrite: splitSizes },
  Squeeze: { since: 13, rewrite: intsToInputs("axes") },
  TopK: { since: 10, rewrite: countToInput },
  Unsqueeze: { since: 13, rewrite: intsToInputs("axes") },
  Upsample: { since: 11, rewrite: resizeByScales },
};

/**
 * A node of any supported opset in the form of opset 18; a newer one stays as it is. Dropout is the
 * identity: models are computed as in use, not as in training.
 * @throws `MODEL_UNSUPPORTED_OPSET` if the node holds a subgraph that needs rewriting,
 *   `MODEL_UNSUPPORTED_OPERATOR` if it has no equivalent
 */
export function upgradeNode(node: Node, opset: number, context: UpgradeContext): Node[] {
  if (node.domain !== "") return [node];
  refuseOldSubgraphs(node, opset);
  if (node.op === "Dropout") return dropoutInUse(node, context);
  const upgrade = UPGRADES[node.op];
  return upgrade && opset < upgrade.since ? upgrade.rewrite(node, context) : [node];
}

function refuseOldSubgraphs(node: Node, opset: number): void {
  for (const { kind, value } of node.attributes.values()) {
    if (kind !== "graph") continue;
    const old = [...nestedNodes(value as GraphProto)].find(
      ({ opType, domain }) => domain === "" && opset < (UPGRADES[opType]?.since ?? 0),
    );
    if (!old) continue;
    throw new AntidoteError(
      "MODEL_UNSUPPORTED_OPSET",
      `The ${describe(node)} has a subgraph with the operator ${old.opType} in its form of opset ${opset}.`,
      { place: node.name, next: "Export the model again with `opset_version=18`." },
    );
  }
}

/** Attributes that became inputs, in this order, after the first input. */
function intsToInputs(...names: readonly string[]): Upgrade["rewrite"] {
  return (node, context) => {
    const added = names.map((name) => {
      const values = attribute(node, name, "ints", undefined);
      return values === undefined ? "" : context.constant(node, name, int64(values));
    });
    return [withInputs(node, [node.inputs[0]!, ...added], names)];
  };
}

function boundsToInputs(node: Node, context: UpgradeContext): Node[] {
  const bounds = ["min", "max"].map((name) => {
    const value = attribute(node, name, "float", undefined);
    return value === undefined ? "" : floatScalar(node, name, value, context);
  });
  return [withInputs(node, [node.inputs[0]!, ...bounds], ["min", "max"])];
}

function padsToInputs(node: Node, context: UpgradeContext): Node[] {
  const pads = context.constant(node, "pads", int64(attribute(node, "pads", "ints", [])));
  const value = attribute(node, "value", "float", 0);
  const fill = value === 0 ? "" : floatScalar(node, "value", value, context);
  return [withInputs(node, [node.inputs[0]!, pads, fill], ["pads", "value"])];
}

function countToInput(node: Node, context: UpgradeContext): Node[] {
  const k = context.constant(node, "k", int64([attribute(node, "k", "int", 1)]));
  return [withInputs(node, [node.inputs[0]!, k], ["k"])];
}

/** Sizes were an attribute until 13; equal parts have to be counted since 18. */
function splitSizes(node: Node, context: UpgradeContext): Node[] {
  const sizes = attribute(node, "split", "ints", undefined);
  if (sizes) {
    const split = context.constant(node, "split", int64(sizes));
    return [withInputs(node, [node.inputs[0]!, split], ["split"])];
  }
  if (node.inputs[1]) return [node];
  return [withAttributes(node, { num_outputs: { kind: "int", value: node.outputs.length } })];
}

/** More outputs than one asked for batch statistics until 13; since 14 an attribute does. */
function trainingToAttribute(node: Node, context: UpgradeContext): Node[] {
  if (node.outputs.slice(1).every((name) => name === "")) {
    return [{ ...node, outputs: node.outputs.slice(0, 1) }];
  }
  const kept = { ...node, outputs: context.firstOutputs(node, 3) };
  return [withAttributes(kept, { training_mode: { kind: "int", value: 1 } })];
}

function dropoutInUse(node: Node, context: UpgradeContext): Node[] {
  const outputs = context.firstOutputs(node, 1);
  return [{ ...node, op: "Identity", inputs: [node.inputs[0]!], outputs, attributes: new Map() }];
}

/**
 * Until 12, softmax took all axes from `axis` on as one; since 13 it takes that axis alone, and the
 * default became −1. The two agree for the last axis; otherwise the input is flattened for the time.
 */
function softmaxOverOneAxis(node: Node, context: UpgradeContext): Node[] {
  const axis = attribute(node, "axis", "int", 1);
  const input = node.inputs[0]!;
  const rank = context.rank(input) ?? context.rank(node.outputs[0]!);
  const last: Record<string, Attribute> = { axis: { kind: "int", value: -1 } };
  if (axis === -1 || axis + 1 === rank) return [withAttributes(node, last)];
  const [shape, flat, result] = ["shape", "flat", "result"].map((role) => inner(node, role)) as [
    string,
    string,
    string,
  ];
  const flattened = withAttributes(plain("Flatten", [input], flat), {
    axis: { kind: "int", value: axis },
  });
  return [
    plain("Shape", [input], shape),
    flattened,
    withAttributes({ ...node, inputs: [flat], outputs: [result] }, last),
    plain("Reshape", [result, shape], node.outputs[0]!),
  ];
}

/** Upsample (until 9) and Resize-10 took scales only and mapped coordinates without an offset. */
function resizeByScales(node: Node, context: UpgradeContext): Node[] {
  const [input, scales] = node.inputs as [string, string];
  const factors = context.constantValue(scales);
  const values = factors ? toNumbers(factors) : [];
  const shrinks = values.some((factor) => factor < 1);
  const mode = attribute(node, "mode", "string", "nearest");
  if (shrinks && mode === "nearest" && values.some((factor) => factor > 1)) {
    throw new AntidoteError(
      "MODEL_UNSUPPORTED_OPERATOR",
      `The ${describe(node)} enlarges one axis and shrinks another.`,
      { place: node.name, next: "Export the model again with `opset_version=18`." },
    );
  }
  const resized = { ...node, op: "Resize", inputs: [input, "", scales] };
  return [
    withAttributes(resized, {
      coordinate_transformation_mode: { kind: "string", value: "asymmetric" },
      nearest_mode: { kind: "string", value: shrinks ? "ceil" : "floor" },
    }),
  ];
}

/** RoiAlign sampled without the half-pixel shift that is the default since 16. */
function alignUnshifted(node: Node): Node[] {
  return [
    withAttributes(node, {
      coordinate_transformation_mode: { kind: "string", value: "output_half_pixel" },
    }),
  ];
}

function floatScalar(node: Node, role: string, value: number, context: UpgradeContext): string {
  const scalar: Tensor = float32([], [value]);
  return context.constant(node, role, convertFloat(scalar, context.floatType(node.inputs[0]!)));
}

function plain(op: string, inputs: readonly string[], output: string): Node {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes: new Map() };
}

function withAttributes(node: Node, added: Readonly<Record<string, Attribute>>): Node {
  return { ...node, attributes: new Map([...node.attributes, ...Object.entries(added)]) };
}

/** A node with other inputs (absent ones at the end left out) and without some attributes. */
function withInputs(node: Node, inputs: readonly string[], dropped: readonly string[]): Node {
  const count = inputs.findLastIndex((name) => name !== "") + 1;
  const attributes = [...node.attributes].filter(([name]) => !dropped.includes(name));
  return { ...node, inputs: inputs.slice(0, count), attributes: new Map(attributes) };
}
