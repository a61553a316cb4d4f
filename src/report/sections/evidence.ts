import type { AuditRecord } from "../../audit/record.ts";
import { type Html, html } from "../html.ts";

/** Why the verdict is what it is, and, as prominently, what it does not cover. */
export function evidence({ reasons, warnings, covered, notTested }: AuditRecord): Html {
  return html`<section class="evidence">
<div>
<h2>Why this verdict</h2>
${list(reasons)}
${warnings.length > 0 && html`<h3>Warnings</h3>${list(warnings, "warnings")}`}
${covered.length > 0 && html`<h3>What was tested</h3>${list(covered)}`}
</div>
<div class="limits">
<h2>What was not tested</h2>
${list(notTested)}
</div>
</section>`;
}

function list(items: readonly string[], style = "plain"): Html {
  return html`<ul class="${style}">${items.map((item) => html`<li>${item}</li>`)}</ul>`;
}
