import { isDeepStrictEqual } from "node:util";
import { TRAINING_ATTACKS } from "../../attacks/index.ts";
import { PRESETS } from "../../attacks/presets.ts";
import type { ModelTrial } from "../grid/trial.ts";
import type { Results } from "./results.ts";

/** What the attacks of an experiment have that the paper's do not; nothing where they are set alike. */
export function settingsOf(results: Results): string[] {
  const attacked = results.groups.flatMap(({ models }) => models.slice(0, 1));
  const said = attacked.flatMap(({ config }) => {
    const own = [...poisonInWords(config), ...optionsInWords(config)];
    return own.length > 0 ? [`${config.attack!.name} (${own.join(", ")})`] : [];
  });
  if (said.length === 0) return [];
  return [`Attacks are not set as in the paper: ${[...new Set(said)].join("; ")}.`];
}

/** The amount m is not among it: tables and figures show it. */
function poisonInWords({ attack, poisoning }: ModelTrial): string[] {
  const paper = PRESETS.cifar10[attack?.name as keyof typeof PRESETS.cifar10];
  if (!poisoning || !paper) return [];
  return [
    ...(poisoning.boost === paper.boost
      ? []
      : [`poisoned images shown b = ${poisoning.boost} times`]),
    ...(poisoning.embed === paper.embed ? [] : [`embedded ${poisoning.embed.replace("-", " ")}`]),
  ];
}

function optionsInWords({ attack }: ModelTrial): string[] {
  if (!attack) return [];
  const usual: unknown = TRAINING_ATTACKS[attack.name]?.config.parse({});
  return Object.entries(attack.options).flatMap(([option, value]) =>
    isDeepStrictEqual(value, (usual as Record<string, unknown>)?.[option])
      ? []
      : [`${option} ${typeof value === "number" ? Number(value.toPrecision(3)) : value}`],
  );
}
