import { type AuditRecord, leadingClass, type Verdict } from "../../audit/record.ts";
import type { Proportion } from "../../core/statistics.ts";
import { beforeAfter } from "../charts/before-after.ts";
import { scoreScale } from "../charts/score-scale.ts";
import { columnChart } from "../figure.ts";
import { percent, percentInterval, score, scoreInterval, whole } from "../format.ts";
import { Html, html } from "../html.ts";
import { agreement, className, HEADLINES, meaning, nextSteps } from "../words.ts";

/** A mark of its own shape for every verdict, so that colour is never the only sign. */
const MARKS: Readonly<Record<Verdict, Html>> = {
  backdoored: new Html('<path d="M9 1h14l8 8v14l-8 8H9l-8-8V9z" fill="currentColor"/>'),
  "no-evidence": new Html(
    '<circle cx="16" cy="16" r="13" fill="none" stroke="currentColor" stroke-width="4"/>',
  ),
  inconclusive: new Html(
    '<path d="M16 2 30 16 16 30 2 16z" fill="none" stroke="currentColor" stroke-width="3"/>' +
      '<path d="M16 2v28L2 16z" fill="currentColor"/>',
  ),
};

/** What a person sees first: the verdict, how sure it is, and what the repair changed. */
export function summary(record: AuditRecord): Html {
  const leading = leadingClass(record);
  const target = record.targetClass
    ? html`<p class="target">Target: <strong><bdi>${className(record.targetClass)}</bdi></strong></p>`
    : null;
  return html`<section class="summary" aria-labelledby="verdict">
<p class="kicker">Verdict</p>
<h1 id="verdict"><svg class="mark" viewBox="0 0 32 32" aria-hidden="true">${MARKS[record.verdict]}</svg>${HEADLINES[record.verdict]}</h1>
${target}
<p class="lead">${meaning(record)}</p>
<div class="measures">
<div class="measure">
<h2>Score of the ${record.targetClass ? "target" : "strongest"} class</h2>
<p class="value">${score(record.score)}</p>
${columnChart((width) => scoreScale({ score: record.score, interval: record.scoreInterval, repeats: leading.repeats, rule: record.rule }, width))}
<p class="note">${record.scoreInterval ? `95% interval ${scoreInterval(record.scoreInterval)}` : "Measured once"}. ${agreement(record)}.</p>
</div>
${change("Accuracy", "held-out trusted images", record.accuracy.before, record.accuracy.after)}
${change("Success of the found trigger", "held-out images of other classes", leading.success.suspect, leading.success.repaired)}
</div>
<div class="next"><h2>What to do next</h2><ul>${nextSteps(record).map((step) => html`<li>${step}</li>`)}</ul></div>
</section>`;
}

function change(quantity: string, images: string, before: Proportion, after: Proportion): Html {
  return html`<div class="measure">
<h2>${quantity}</h2>
<p class="value">${percent(before.value)} <span class="arrow" role="img" aria-label="after repair">→</span> ${percent(after.value)}</p>
${columnChart((width) => beforeAfter({ quantity, suspect: before, repaired: after }, width))}
<p class="note">On ${whole(before.count)} ${images}. 95% intervals ${percentInterval(before)}, then ${percentInterval(after)}.</p>
</div>`;
}
