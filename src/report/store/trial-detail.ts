import { leadingOf, type TrialRecord } from "../../experiments/grid/trial-record.ts";
import { outcomeInWords } from "../../experiments/grid/words.ts";
import { code, type Fact, facts, part } from "../facts.ts";
import { pointsInterval, score, sharePhrase } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import { runParts } from "../run-parts.ts";
import type { StoreContents } from "./contents.ts";
import { trialChart } from "./trial-chart.ts";

/** Everything that is known of a trial, behind a line that says what came out. */
export function trialDetail(record: TrialRecord, contents: StoreContents): Html {
  const { labels, pictures } = contents;
  const { key, config, trigger, versions, hardware } = record;
  const svg = trialChart(record);
  const png = trigger === null ? undefined : pictures.get(trigger);
  return html`<details id="trial-${key}"><summary>${labels.get(key) ?? key} <span class="gist">${outcomeInWords(record)}</span></summary>
<div class="trial"><div class="look"><div>${facts(outcomeFacts(record, contents))}</div>
<div>${svg}${png !== undefined && triggerFigure(png)}</div></div>
${part("Config", `key ${key}`, facts(configFacts(config)))}
${runParts(record, `Antidote ${versions.antidote}, ${hardware.cpu}`)}</div></details>`;
}

function triggerFigure(png: Uint8Array): Html {
  const data = Buffer.from(png).toString("base64");
  return html`<figure><img class="picture pixelated" src="data:image/png;base64,${data}" alt="the most suspicious trigger"><figcaption>The most suspicious trigger</figcaption></figure>`;
}

function outcomeFacts(
  { config, outcome, model }: TrialRecord,
  { records, labels }: StoreContents,
): Fact[] {
  const of = (key: string | null): Content =>
    key === null
      ? "none"
      : records.has(key)
        ? html`<a href="#trial-${key}">${labels.get(key) ?? key}</a>`
        : key;
  const kept: Fact[] = model === null ? [] : [["Model file", code(model)]];
  switch (outcome.kind) {
    case "model":
      return [
        ["Accuracy (CDA)", sharePhrase(outcome.accuracy)],
        ["Attack success (ASR)", successPhrase(outcome.attackSuccess)],
        ["Marked images", String(outcome.marked)],
        ...(outcome.filtered
          ? ([
              [
                "Sanitizer",
                `left out ${outcome.filtered.removed} of ${outcome.filtered.images} images, ${outcome.filtered.removedPoisoned} of ${outcome.filtered.poisoned} poisoned ones among them`,
              ],
            ] satisfies Fact[])
          : []),
        ...kept,
      ];
    case "repair": {
      const { before, oracle, deployable, deployed, claimed, keptDrop, stopped } = outcome;
      return [
        ["Before, CDA", sharePhrase(before.accuracy)],
        ["Before, ASR", successPhrase(before.attackSuccess)],
        [`Oracle (step ${oracle.step}), CDA`, sharePhrase(oracle.accuracy)],
        ["Oracle, ASR", successPhrase(oracle.attackSuccess)],
        [`Deployable (step ${deployable.step}), CDA`, sharePhrase(deployable.accuracy)],
        ["Deployable, ASR", successPhrase(deployable.attackSuccess)],
        ["In service, CDA", sharePhrase(deployed.accuracy)],
        ["In service, ASR", successPhrase(deployed.attackSuccess)],
        ...(deployable.estimatedDrop === null
          ? []
          : ([
              ["Defender's estimate of the drop", pointsInterval(deployable.estimatedDrop)],
            ] satisfies Fact[])),
        ["Defender takes it to be allowed", claimed ? "yes" : "no"],
        ["Keeps the allowed drop", keptDrop ? "yes" : "no"],
        ...(stopped === null ? [] : ([["Ended early", stopped]] satisfies Fact[])),
        ["Suspect", of("model" in config ? config.model : null)],
        ...kept,
      ];
    }
    case "detection": {
      const leading = leadingOf(outcome);
      const { fidelity } = outcome;
      return [
        [`Score (${outcome.statistic})`, score(outcome.score)],
        ["Leading class", leading ? String(leading.target) : "none"],
        ...(leading
          ? ([
              ["Its trigger works on the suspect", sharePhrase(leading.success.suspect)],
              ["and on the repaired model", sharePhrase(leading.success.repaired)],
            ] satisfies Fact[])
          : []),
        ...(fidelity
          ? ([
              [
                "Trigger found for the target, beside the true one",
                `cosine ${score(fidelity.cosine)}, IoU ${score(fidelity.iou)}, PSNR ${fidelity.psnr.toFixed(1)} dB`,
              ],
            ] satisfies Fact[])
          : []),
        ["Suspect", of("model" in config ? config.model : null)],
        ["Compared with", of(config.kind === "detection" ? config.repair : null)],
      ];
    }
  }
}

function successPhrase(success: Parameters<typeof sharePhrase>[0] | null): string {
  return success === null ? "none: no attack" : sharePhrase(success);
}

/** All options with dots between the names of their places: "training.epochs". */
function configFacts(value: unknown, path = ""): Fact[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [[path, code(JSON.stringify(value))]];
  }
  return Object.entries(value).flatMap(([name, inner]) =>
    configFacts(inner, path === "" ? name : `${path}.${name}`),
  );
}
