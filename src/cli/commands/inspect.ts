import { z } from "zod";
import { inspect as inspectModel } from "../../audit/inspect.ts";
import type { InspectRecord } from "../../audit/inspect-record.ts";
import { openModel } from "../../audit/open.ts";
import { isWeights } from "../../models/weights-file.ts";
import { bytes, whole } from "../../report/format.ts";
import { shorten, visible } from "../../report/visible.ts";
import { command } from "../command.ts";
import { columns } from "../help.ts";
import { onDevice } from "../open.ts";
import { MACHINE_OPTIONS, MODEL_OPTIONS } from "../options/shared.ts";

/** Shows what Antidote sees in a model file. */
export const inspect = command({
  name: "inspect",
  summary: "show what Antidote sees in a model file",
  description:
    "Shows where a model file has its image input, class scores, latent and last layer, what it says about itself, and whether every operator can be differentiated, which repairs and detectors need.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options: z.strictObject({ ...MODEL_OPTIONS, ...MACHINE_OPTIONS }),
  slots: {},
  examples: [
    { line: "antidote inspect suspect.onnx", purpose: "look before an audit" },
    {
      line: "antidote inspect suspect.onnx --json | jq .model.operators",
      purpose: "the operators, for a script",
    },
  ],

  run: (input) =>
    onDevice(input.options, input, async (context) => {
      const { argument, options } = input;
      const document = await inspectModel(await openModel(context.device, argument, options));
      return { document, text: inWords(document), exitCode: 0 };
    }),
});

function inWords(record: InspectRecord): string {
  const { model, image, output, head, labels, labelsFrom, stated, sizing, metadata } = record;
  const extents = model.input.shape.map((extent) => extent ?? "?").join(", ");
  const facts: [string, string][] = [
    [
      "file",
      `${visible(model.file)}, ${bytes(model.bytes)}, SHA-256 ${model.sha256.slice(0, 16)}…`,
    ],
    [
      "producer",
      isWeights(model.file)
        ? "none (weights alone)"
        : `${visible(model.producer) || "not named"}, opset ${model.opset}`,
    ],
    ["input", `${visible(model.input.name)} [${extents}], ${model.input.layout}`],
    ["images", `${image.width}×${image.height}, ${image.channels === 1 ? "grey" : "colour"}`],
    ["logits", `${visible(model.logits)}, ${model.classes} classes; the file returns ${output}`],
    ["labels", labels ? shorten(visible(labels.join(", ")), 200) : "none stated"],
    ...(labelsFrom === null ? [] : [["", `from ${visible(labelsFrom)}`] as [string, string]]),
    ...stated.map(({ name, range, channels, mean, std }, at): [string, string] => [
      at === 0 ? "stated" : "",
      `${visible(name)}: ${range}, ${channels}, mean ${mean.join(", ")}, std ${std.join(", ")}`,
    ]),
    ...(sizing === null ? [] : [["pictures", visible(sizing)] as [string, string]]),
    ["latent", `${visible(model.latent.tensor)}, ${model.latent.size} numbers per image`],
    ["last layer", `${head.op} with weight ${visible(head.weight)}`],
    ["weights", `${whole(model.parameters)} numbers`],
    ["batch norm", model.batchNorm === "live" ? "operators in the graph" : "folded, or none"],
    ...record.warnings.map((text): [string, string] => ["warning", visible(text)]),
  ];
  const entries = Object.entries(metadata).map(
    ([key, value]) => [visible(key), shorten(visible(value), 100)] as const,
  );
  const gradients = { yes: "", "not-needed": "needs no gradient", no: "no gradient known" };
  const operators = model.operators.map(
    ({ name, count, gradient }) =>
      [visible(name), `${String(count).padStart(5)}  ${gradients[gradient]}`] as const,
  );
  const blocked = record.blockedBy.map((node) => `  ${visible(node)}`);
  return [
    columns(facts),
    ...(entries.length === 0 ? [] : ["", "Metadata", columns(entries)]),
    "",
    "Operators",
    columns(operators),
    "",
    record.auditable
      ? "Every operator between image and logits can be differentiated."
      : "Repairs and detectors cannot work on this model; no gradient passes:",
    ...blocked,
  ].join("\n");
}
