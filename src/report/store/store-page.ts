import { seconds, whole } from "../format.ts";
import { type Html, html } from "../html.ts";
import { artefactHtml } from "../reproduce/artefact-page.ts";
import { EXPERIMENT_STYLES } from "../reproduce/styles.ts";
import { page } from "../shell.ts";
import type { StoreContents } from "./contents.ts";
import { SORTING } from "./sorting.ts";
import { trialDetail } from "./trial-detail.ts";
import { trialTables } from "./trial-tables.ts";

/** Size up to which trials are shown one by one, in characters: the page stays one that browsers open at once. */
const DETAILS = 12_000_000;

/** A result store as one self-contained page. */
export function storePage(contents: StoreContents): string {
  const { folder, plans, artefacts, records } = contents;
  const { details, linked } = detailsOf(contents);
  const left = records.size - linked.size;
  const main = html`${summary(contents)}
${
  artefacts.length > 0 &&
  html`<section aria-labelledby="paper"><h2 id="paper">Tables and figures of the paper</h2>
<p class="about">Pick your Poison (Lukas &amp; Kerschbaum). Ours stand beside the paper's numbers; scales say how large the models are.</p>
${artefacts.map(
  ({ scale, reproduced }) =>
    html`<h3 id="${reproduced.name}-${scale.name}">${reproduced.title} <span class="scale">scale ${scale.name}</span></h3>
${artefactHtml(reproduced, contents.pictures)}`,
)}</section>`
}
${plans.map(
  ({ experiment, trials }) => html`<section aria-labelledby="experiment-${experiment.name}">
<h2 id="experiment-${experiment.name}">${experiment.name}</h2>
${trialTables(trials, contents, linked)}</section>`,
)}
<section aria-labelledby="trials"><h2 id="trials">Trials one by one</h2>
<p class="about">${left === 0 ? "All trials of the store." : `${whole(left)} trials are left out to keep the page small: antidote experiment show KEY prints them.`}</p>
${details}</section>`;
  const title = `Result store: ${plans.map(({ experiment }) => experiment.name).join(", ")}`;
  return page(main, {
    ...{ title, kind: "result store", subject: folder, startedAt: null, mood: "plain" },
    colophon: html`Made from the records of a result store. This page loads nothing from any network. The same numbers, for programs: antidote experiment export.`,
    ...{ styles: EXPERIMENT_STYLES, script: SORTING },
  });
}

function summary({ plans, records, failures, damaged }: StoreContents): Html {
  const spent = [...records.values()].reduce((sum, { duration }) => sum + duration, 0);
  const rows = plans.map(({ experiment, trials }) => {
    const done = trials.filter(({ key }) => records.has(key));
    const failed = trials.filter(({ key }) => failures.has(key)).length;
    const time = done.reduce((sum, { key }) => sum + records.get(key)!.duration, 0);
    return html`
<tr><th scope="row" class="words"><a href="#experiment-${experiment.name}">${experiment.name}</a></th><td data-sort="${done.length}">${done.length} of ${trials.length}</td><td>${failed}</td><td data-sort="${time}">${seconds(time)}</td></tr>`;
  });
  const machines = new Set([...records.values()].map(({ hardware }) => hardware.cpu));
  const versions = new Set([...records.values()].map(({ versions }) => versions.antidote));
  const many = (count: number, one: string) => `${whole(count)} ${one}${count === 1 ? "" : "s"}`;
  return html`<section class="summary">
<p class="kicker">Result store</p>
<h1>${many(records.size, "trial")} of ${many(plans.length, "experiment")}</h1>
<p class="lead">${seconds(spent)} of work, by Antidote ${[...versions].join(", ") || "–"} on ${[...machines].join(", ") || "–"}. Shares are those of test images with 95 % Wilson intervals.</p>
<div class="scroll"><table class="trials sortable">
<thead><tr><th scope="col" class="words">experiment</th><th scope="col">trials done</th><th scope="col">failed</th><th scope="col">work</th></tr></thead>
<tbody>${rows}
</tbody></table></div>
${damaged.length > 0 && html`<ul class="warnings">${damaged.map(({ error }) => html`<li>Left out: <code>${error.place ?? ""}</code>. ${error.message}</li>`)}</ul>`}</section>`;
}

/** Every trial of the store, as far as there is room; trials of no known experiment have their key for a name. */
function detailsOf(contents: StoreContents): {
  readonly details: readonly Html[];
  readonly linked: ReadonlySet<string>;
} {
  const { labels, records } = contents;
  const details: Html[] = [];
  const linked = new Set<string>();
  let room = DETAILS;
  for (const key of [...new Set([...labels.keys(), ...records.keys()])]) {
    const record = records.get(key);
    if (!record) continue;
    const detail = trialDetail(record, contents);
    room -= detail.markup.length;
    if (room < 0) break;
    details.push(detail);
    linked.add(key);
  }
  return { details, linked };
}
