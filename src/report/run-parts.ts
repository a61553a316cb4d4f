import type { AuditRecord } from "../audit/record.ts";
import { type Fact, facts, part } from "./facts.ts";
import { bytes, moment, seconds } from "./format.ts";
import { type Html, html } from "./html.ts";

type RunFacts = Pick<
  AuditRecord,
  "versions" | "hardware" | "startedAt" | "duration" | "stages" | "peakMemory"
>;

/**
 * With what, on what and how long a run was made: two parts of a page.
 * @param gist what the line of the first one says
 */
export function runParts(record: RunFacts, gist: string): Html {
  const { versions, hardware, startedAt, duration, stages, peakMemory } = record;
  return html`${part(
    "Software and machine",
    gist,
    facts([
      ["Antidote", `${versions.antidote}${versions.build ? ` (build ${versions.build})` : ""}`],
      ["ONNX Runtime", versions.onnxruntime],
      ["Node.js", versions.node],
      ["Processor", `${hardware.cpu}, ${hardware.cores} cores`],
      ["Platform", hardware.platform],
      ["Device", `${hardware.device}, ${hardware.threads} threads`],
    ]),
  )}
${part(
  "Time and memory",
  `${seconds(duration)}, at most ${bytes(peakMemory)}`,
  facts([
    ["Started", moment(startedAt)],
    ...stages.map((stage): Fact => [stage.name, seconds(stage.seconds)]),
    ["Altogether", seconds(duration)],
    ["Peak memory", bytes(peakMemory)],
  ]),
)}`;
}
