import type { AuditRecord } from "../../audit/record.ts";
import { isWeights } from "../../models/weights-file.ts";
import { code, facts, part } from "../facts.ts";
import { bytes, percent, percentInterval, whole } from "../format.ts";
import { type Html, html } from "../html.ts";
import { runParts } from "../run-parts.ts";

/** Everything needed to judge or repeat the run, each part behind a line that says the essential. */
export function run(record: AuditRecord): Html {
  const { model, data, preprocessing, config, versions } = record;
  return html`<section aria-labelledby="run">
<h2 id="run">What was run</h2>
${part("Model", `${model.file}, ${whole(model.parameters)} parameters, ${whole(model.classes)} classes`, modelFacts(model))}
${part("Trusted images", `${whole(data.images)} images, ${data.path ?? data.kind}`, dataFacts(data))}
${part("Preprocessing", preprocessingGist(preprocessing), preprocessingFacts(preprocessing))}
${part("Methods and options", `${config.detector.name} over ${config.repair.name}, effort ${config.effort}, seed ${record.seed}`, optionFacts(record))}
${runParts(record, `Antidote ${versions.antidote}, ONNX Runtime ${versions.onnxruntime}`)}
</section>`;
}

function modelFacts(model: AuditRecord["model"]): Html {
  const shape = model.input.shape.map((extent) => extent ?? "any").join(" × ");
  return facts([
    ["File", html`${code(model.file)}, ${bytes(model.bytes)}`],
    ["SHA-256", code(model.sha256)],
    [
      "Format",
      isWeights(model.file)
        ? "safetensors: weights alone"
        : `ONNX, operator set ${model.opset}${model.producer && `, made by ${model.producer}`}`,
    ],
    ["Input", html`${code(model.input.name)}, ${shape} (${model.input.layout})`],
    ["Logits", html`${code(model.logits)}${model.softmax ? ", before a final Softmax" : ""}`],
    ["Latent", html`${code(model.latent.tensor)}, ${whole(model.latent.size)} values per image`],
    ["Parameters", whole(model.parameters)],
    [
      "Batch normalisation",
      model.batchNorm === "live" ? "operators of the graph" : "none in the graph, perhaps folded",
    ],
    ["Operators", model.operators.map(({ name, count }) => `${name} ×${count}`).join(", ")],
  ]);
}

function dataFacts(data: AuditRecord["data"]): Html {
  const fewest = Math.min(...data.perClass);
  const most = Math.max(...data.perClass);
  return facts([
    ["Source", html`${data.kind}${data.path !== null && html`, ${code(data.path)}`}`],
    ["Images", whole(data.images)],
    ["Per class", fewest === most ? `${fewest} each` : `${fewest} to ${most}`],
    ["Order of classes", data.classOrder],
    ...(data.sizing === null ? [] : [["Brought to size", data.sizing] as const]),
    ...data.uses.map(({ purpose, images }) => [`Used to ${purpose}`, whole(images)] as const),
  ]);
}

function preprocessingGist({ name, chosenBy }: AuditRecord["preprocessing"]): string {
  const how = chosenBy === "flags" ? "as given" : "chosen by accuracy on the trusted images";
  return `${name ?? "mean and std given"}, ${how}`;
}

function preprocessingFacts({
  range,
  channels,
  mean,
  std,
  candidates,
}: AuditRecord["preprocessing"]): Html {
  const settings = facts([
    ["Range", range],
    ["Channels", channels],
    ["Mean", mean.join(", ")],
    ["Standard deviation", std.join(", ")],
  ]);
  if (candidates.length === 0) return settings;
  return html`${settings}<div class="scroll"><table>
<caption>Every preprocessing that was tried</caption>
<thead><tr><th scope="col">Preprocessing</th><th scope="col">Range</th><th scope="col">Channels</th><th scope="col">Accuracy</th><th scope="col">95% interval</th></tr></thead>
<tbody>${candidates.map(
    (
      candidate,
    ) => html`<tr><th scope="row">${candidate.name}</th><td>${candidate.range}</td><td>${candidate.channels}</td>
<td>${percent(candidate.accuracy.value)}</td><td>${percentInterval(candidate.accuracy)}</td></tr>`,
  )}</tbody></table></div>`;
}

function optionFacts({ config, seed }: AuditRecord): Html {
  const groups = [
    { title: "Audit", options: config.audit },
    { title: `Repair: ${config.repair.name}`, options: config.repair.options },
    { title: `Detector: ${config.detector.name}`, options: config.detector.options },
  ];
  return html`${facts([
    ["Effort", config.effort],
    ["Seed", String(seed)],
  ])}${groups.map(
    ({ title, options }) =>
      html`<h3>${title}</h3>${facts(
        Object.entries(options).map(
          ([name, value]) => [name, code(JSON.stringify(value))] as const,
        ),
      )}`,
  )}`;
}
