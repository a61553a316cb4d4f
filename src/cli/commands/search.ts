import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { makeResultFolder, writeJson, writeText } from "../../core/write-file.ts";
import {
  betterFor,
  SEARCH,
  search as searchConfiguration,
} from "../../experiments/search/search.ts";
import type { SearchRecord } from "../../experiments/search/search-record.ts";
import { percent, points, sharePhrase } from "../../report/format.ts";
import { searchPage } from "../../report/search-page.ts";
import { visible } from "../../report/visible.ts";
import { className } from "../../report/words.ts";
import { command, configured } from "../command.ts";
import { columns } from "../help.ts";
import { onDevice, openSubject } from "../open.ts";
import {
  grouped,
  IMAGE_OPTIONS,
  MACHINE_OPTIONS,
  MODEL_OPTIONS,
  UNLABELLED_OPTION,
} from "../options/shared.ts";
import { REPAIR } from "../slots.ts";

/** How many trials are printed. */
const SHOWN = 10;

/** Searches the hyper-parameters of a repair for one model. */
export const search = command({
  name: "search",
  summary: "find the options of a repair that suit a model",
  description:
    "Plants a backdoor in a copy of the model by tuning it on trusted images, tries configurations of a repair on that copy, and writes the best one as a file for --config of repair and audit. The folder also gets every trial (search.html, search.json) and the poisoned copy: never give that one away. The same command continues a search that was stopped.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options: z.strictObject({
    ...IMAGE_OPTIONS,
    ...UNLABELLED_OPTION,
    ...MODEL_OPTIONS,
    ...grouped("Search:", {
      out: z
        .string()
        .min(1)
        .describe("folder for what is found, and for what a stopped search continues from")
        .meta({ placeholder: "dir" }),
      ...SEARCH.shape,
    }),
    ...MACHINE_OPTIONS,
  }),
  slots: {
    repair: {
      ...{ description: "repair whose options are searched", group: "Methods:" },
      ...{ methods: REPAIR.methods, positional: true as const },
    },
  },
  examples: [
    {
      line: "antidote search pivotal-tuning suspect.onnx --images trusted/ --out tuned/",
      purpose: "search, then repair with what was found: --config tuned/pivotal-tuning.yaml",
    },
    {
      line: "antidote search pivotal-tuning suspect.onnx --images trusted/ --out tuned/ --repair.steps 500 --repair.optimiser sgd",
      purpose: "options that are given keep their values",
    },
  ],

  run({ argument, options, methods, signal, emit }) {
    return onDevice(options, { signal, emit }, async (context) => {
      const subject = await openSubject(context, argument, options);
      const { out, seed } = options;
      await makeResultFolder(out, "search.json");
      const repair = configured(methods.repair);
      const fixed = new Set(methods.repair.given);
      const input = { ...subject, repair, fixed, seed, folder: out };
      const record = await searchConfiguration(context, input, SEARCH.strip().parse(options));
      const configFile = join(out, `${repair.method.name}.yaml`);
      const document: SearchRecord = { ...record, configFile };
      await writeText(configFile, asConfiguration(document));
      await writeText(join(out, "search.html"), searchPage(document));
      await writeJson(join(out, "search.json"), document);
      return { document, text: inWords(document, options), exitCode: 0 };
    });
  },
});

/** The best configuration as `--config` reads it. */
function asConfiguration(record: SearchRecord): string {
  const { best, trials, bestTrial, poisoned, model, warnings } = record;
  const { success, drop } = trials[bestTrial]!;
  const found =
    `Found by \`antidote search ${best.name}\` for ${model.file} (SHA-256 ${model.sha256}).\n` +
    `On a poisoned copy it brought the planted trigger from ${percent(poisoned.success)} to ${percent(success)} ` +
    `at ${points(drop.value)} of accuracy.`;
  const comment = [found, ...warnings].join("\n").replace(/^/gm, "# ");
  return `${comment}\n${stringify({ repair: { name: best.name, ...best.options } })}`;
}

function inWords(record: SearchRecord, { allowedDrop }: { readonly allowedDrop: number }): string {
  const { trials, rungs, bestTrial, defaultTrial, poisoned, space, configFile, warnings } = record;
  const last = trials.filter(({ options }) => options["steps"] === rungs.at(-1)!.steps);
  const varied = Object.keys(space);
  const rows = [...last]
    .sort(betterFor(allowedDrop))
    .slice(0, SHOWN)
    .map((trial): [string, string] => {
      const values = varied.map((name) => `${name} ${JSON.stringify(trial.options[name])}`);
      const result = `${percent(trial.success).padStart(7)} ${percent(trial.accuracy.value).padStart(7)}`;
      const marks = [
        ...(trials.indexOf(trial) === bestTrial ? ["← best"] : []),
        ...(trial.deployable ? [] : ["loses too much"]),
      ];
      return [result, [values.join(", "), ...marks].join("  ")];
    });
  const usual = defaultTrial === null ? undefined : trials[defaultTrial];
  const best = trials[bestTrial]!;
  const summary: [string, string][] = [
    [
      "poisoned copy",
      `trigger to ${className(poisoned.targetClass)} works on ${percent(poisoned.success)}, accuracy ${sharePhrase(poisoned.accuracy)}`,
    ],
    ["best", `trigger ${percent(best.success)}, accuracy ${sharePhrase(best.accuracy)}`],
    ...(usual
      ? [
          [
            "as given",
            `trigger ${percent(usual.success)}, accuracy ${percent(usual.accuracy.value)} after ${usual.options["steps"]} steps`,
          ] as [string, string],
        ]
      : []),
    ...warnings.map((text): [string, string] => ["warning", text]),
    ["written", `${visible(configFile ?? "")} (for --config of repair and audit)`],
  ];
  return [
    "Trigger and accuracy on held-out images, of the trials that ran to the end",
    columns(rows),
    "",
    columns(summary),
  ].join("\n");
}
