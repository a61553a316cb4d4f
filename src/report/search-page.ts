import type { SearchRecord } from "../experiments/search/search-record.ts";
import { searchChart } from "./charts/search.ts";
import { responsiveChart } from "./figure.ts";
import { percent, points, sharePhrase } from "./format.ts";
import { type Html, html } from "./html.ts";
import { pageAround } from "./shell.ts";
import { className } from "./words.ts";

type Trial = SearchRecord["trials"][number];

/** A search for hyper-parameters as one self-contained HTML page. */
export function searchPage(record: SearchRecord): string {
  const { best, poisoned, trials, bestTrial, rungs, config, warnings } = record;
  const chosen = trials[bestTrial]!;
  const { allowedDrop } = config.options as { readonly allowedDrop: number };
  const rounds = rungs.map(({ configurations, steps }) => `${configurations} for ${steps} steps`);
  const main = html`<section class="summary">
<p class="kicker">Search for the options of ${best.name}</p>
<h1>Trigger ${percent(poisoned.success)} → ${percent(chosen.success)}, accuracy ${percent(poisoned.accuracy.value)} → ${percent(chosen.accuracy.value)}</h1>
<p class="lead">A copy of the model was poisoned with a known trigger to ${className(poisoned.targetClass)}, and every configuration repaired that copy: ${rounds.join(", then ")}. ${chosen.deployable ? `Among those that may keep accuracy within ${points(allowedDrop)} the best one leaves the trigger the lowest success, and where it counts as removed, the highest accuracy.` : "No configuration keeps the allowed accuracy: this one is the least bad."} Accuracy is ${sharePhrase(chosen.accuracy)}, held out from the repair; but ${trials.length} trials were compared on them, which flatters the best one. A backdoor planted by fine-tuning may be easier to remove than one trained in from the start.</p>
${warnings.length > 0 && html`<ul class="warnings">${warnings.map((text) => html`<li>${text}</li>`)}</ul>`}
</section>
<section aria-labelledby="trials">
<h2 id="trials">All trials</h2>
<p class="about">Success of the planted trigger against the accuracy lost. The circle is the best trial; hollow dots are trials that ran for fewer steps; the dashed line is the allowed loss.</p>
${responsiveChart((width) => searchChart(record, width))}
<details><summary>The numbers</summary>${table(record)}</details>
</section>`;
  const about = { kind: "search", mood: "no-evidence", numbers: "search.json" };
  const title = `Options of ${best.name}: ${record.model.file}`;
  return pageAround(main, { title, ...about, record });
}

function table({ trials, space, bestTrial }: SearchRecord): Html {
  const varied = Object.keys(space);
  const row = (trial: Trial, at: number): Html =>
    html`<tr>${varied.map(
      (name) => html`<td>${JSON.stringify(trial.options[name])}</td>`,
    )}<td>${String(trial.options["steps"])}</td><td>${percent(trial.success)}</td><td>${percent(trial.accuracy.value)}</td><td>${points(trial.drop.value)}</td><td>${trial.deployable ? "yes" : "no"}${at === bestTrial && ", best"}</td></tr>`;
  return html`<div class="scroll"><table>
<thead><tr>${varied.map((name) => html`<th scope="col">${name}</th>`)}<th scope="col">Steps</th><th scope="col">Trigger works</th><th scope="col">Accuracy</th><th scope="col">Lost</th><th scope="col">May keep accuracy</th></tr></thead>
<tbody>${trials.map(row)}</tbody></table></div>`;
}
