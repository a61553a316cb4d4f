import * as activation from "../../src/autodiff/rules/activation.ts";
import * as attention from "../../src/autodiff/rules/attention.ts";
import * as convolution from "../../src/autodiff/rules/convolution.ts";
import * as einsum from "../../src/autodiff/rules/einsum.ts";
import * as elementwise from "../../src/autodiff/rules/elementwise.ts";
import { CONSTANT, type DifferentiableOperator, RULES } from "../../src/autodiff/rules/index.ts";
import * as indexing from "../../src/autodiff/rules/indexing.ts";
import { LIMITS } from "../../src/autodiff/rules/limits.ts";
import * as linear from "../../src/autodiff/rules/linear.ts";
import * as normalisation from "../../src/autodiff/rules/normalisation.ts";
import * as padding from "../../src/autodiff/rules/padding.ts";
import * as pooling from "../../src/autodiff/rules/pooling.ts";
import * as reduction from "../../src/autodiff/rules/reduction.ts";
import * as resize from "../../src/autodiff/rules/resize.ts";
import * as shape from "../../src/autodiff/rules/shape.ts";
import * as trigonometric from "../../src/autodiff/rules/trigonometric.ts";
import { LOWERINGS } from "../../src/onnx/contrib.ts";
import { CASES } from "./cases.ts";

/** The files of rules, each a section of the table. */
const FAMILIES: readonly (readonly [title: string, rules: object])[] = [
  ["Convolutions", convolution],
  ["Linear layers and products", linear],
  ["Sums of products", einsum],
  ["Attention", attention],
  ["Normalisations", normalisation],
  ["Activations", activation],
  ["Pooling", pooling],
  ["Resizing", resize],
  ["Padding", padding],
  ["Element by element", elementwise],
  ["Trigonometric functions", trigonometric],
  ["Reductions", reduction],
  ["Shapes", shape],
  ["Indexing", indexing],
];

/** `docs/operators.md`: what the rules cover, family by family. */
export function supportTable(): string {
  const entries = Object.entries(RULES);
  const constant = entries.flatMap(([op, rule]) => (rule === CONSTANT ? [op] : []));
  const sections = FAMILIES.map(([title, rules]) => {
    const own = new Set<unknown>(Object.values(rules));
    const ops = entries.flatMap(([op, rule]) => (own.has(rule) ? [op] : []));
    return `## ${title}\n\n${table(ops as DifferentiableOperator[])}`;
  });
  return [
    "# Operators",
    "",
    "Made from the code by `npm run docs:operators`; a test compares it with the code.",
    "",
    `Gradients pass ${entries.length - constant.length} operators of the standard ONNX domain, in their forms of opset 9 to 26.`,
    "Each rule is compared with PyTorch and with finite differences; the last column counts the cases. What is not listed, or not",
    "in this form, and lies between image or weights and logits, is refused before any work, by a message that names the node,",
    "the operator and what is needed: `antidote inspect model.onnx` lists it. Sizes may be computed with any operator.",
    "",
    ...sections,
    "## Without a gradient",
    "",
    "Results that do not change with small changes of the operands, or are no floating-point numbers; gradients neither",
    "pass nor need to:",
    "",
    `${constant.map((op) => `\`${op}\``).join(", ")}.`,
    "",
    "## Anything else",
    "",
    aligned([["what", "what becomes of it"], ...ELSE]),
  ].join("\n");
}

const ELSE = [
  ["arithmetic on shapes, integers and scalars", "computed once, when the batch size is known"],
  ["functions inside the file", "replaced by their nodes"],
  ["branches that constants or sizes decide (`If`)", "replaced by the one that is taken"],
  ["Dropout's draw", "left out: models are computed as in use"],
  [
    "float16, bfloat16 and float64",
    "computed in float32; weights are rounded back to the stored type",
  ],
  ["a batch size that is built in", "opened, and compared with the model image by image"],
  [
    "what ONNX Runtime's optimiser fused (`com.microsoft`)",
    `${Object.keys(LOWERINGS).join(", ")}: taken apart into standard operators`,
  ],
  [
    "quantised operators",
    "refused: their rounding has no gradient, and weights stored as whole numbers cannot be tuned",
  ],
];

function table(ops: readonly DifferentiableOperator[]): string {
  const rows = ops.map((op) => [
    `\`${op}\``,
    LIMITS[op] === undefined ? "" : `not ${LIMITS[op]}`,
    `${CASES.filter((spec) => spec.op === op).length}`,
  ]);
  return aligned([["operator", "limits", "cases"], ...rows]);
}

/** A Markdown table of rows, the first its header. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(rows[0]!), rule, ...rows.slice(1).map(line), ""].join("\n");
}
