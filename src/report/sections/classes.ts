import { type AuditRecord, type ClassResult, leadingClass } from "../../audit/record.ts";
import { classScores } from "../charts/class-scores.ts";
import { scoreDistribution } from "../charts/score-distribution.ts";
import { responsiveChart } from "../figure.ts";
import { percent, score, scoreInterval, whole } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Gallery } from "../pictures.ts";
import { className } from "../words.ts";

/** More rows than this do not fit a screen; then the highest scores stand for all. */
const SHOWN = 20;

/** The scores of all classes as a chart, the triggers found for them, and the numbers as a table. */
export function classes(record: AuditRecord, gallery: Gallery): Html {
  const { rule } = record;
  const strongest = leadingClass(record);
  const leading = strongest.index;
  const others = record.classes.filter(({ index }) => index !== leading);
  const ranked = [strongest, ...others.toSorted((a, b) => b.score - a.score)];
  const shown = ranked.slice(0, SHOWN);
  return html`<section aria-labelledby="classes">
<h2 id="classes">Scores of all classes</h2>
<p class="about">${rule.description} Below ${score(rule.noEvidenceBelow)} is no evidence of a backdoor; from ${score(rule.backdooredFrom)} on is. ${record.scoreInterval && "Bars are 95% intervals, short ticks single repeats. "}${extent(record, shown.length)}</p>
${shown.length < ranked.length && responsiveChart((width) => scoreDistribution({ classes: ranked, leading, rule }, width))}
${responsiveChart((width) => classScores({ classes: shown, leading, rule }, width))}
<h3>Trigger found for each ${shown.length < ranked.length ? "of these classes" : "class"}</h3>
<ul class="gallery">${shown.map((result) => thumbnail(result, leading, gallery))}</ul>
<details><summary>The numbers</summary>${table(shown)}</details>
</section>`;
}

/** How much of the model the charts show. */
function extent({ classes, model, screening }: AuditRecord, shown: number): string {
  const examined =
    classes.length < model.classes
      ? `${whole(classes.length)} of ${whole(model.classes)} classes were searched in full${
          screening
            ? `: ${whole(screening.survivors.length)} that a cheap search of all picked, and ${whole(screening.controls.length)} drawn at random. Screened out were ${whole(screening.screenedOut.length)}, which report.json lists`
            : ""
        }.`
      : "";
  const drawn =
    shown < classes.length
      ? `The first chart counts all classes; below it are the ${shown} highest of ${whole(classes.length)} classes, the others are in report.json.`
      : "";
  return `${examined} ${drawn}`.trim();
}

function thumbnail(result: ClassResult, leading: number, gallery: Gallery): Html {
  const name = className(result);
  return html`<li class="${result.index === leading ? "leading" : "other"}">${gallery.image(result.trigger, `Trigger found for ${name}`)}<bdi>${name}</bdi><span>${score(result.score)}</span></li>`;
}

function table(results: readonly ClassResult[]): Html {
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">Class</th><th scope="col">Score</th><th scope="col">95% interval</th><th scope="col">Repeats</th><th scope="col">Trigger works on suspect</th><th scope="col">on repaired model</th></tr></thead>
<tbody>${results.map(
    (result) => html`<tr><th scope="row"><bdi>${className(result)}</bdi></th>
<td>${score(result.score)}</td><td>${scoreInterval(result.scoreInterval)}</td>
<td>${result.repeats.map(score).join(", ")}</td>
<td>${percent(result.success.suspect.value)}</td><td>${percent(result.success.repaired.value)}</td></tr>`,
  )}</tbody></table></div>`;
}
