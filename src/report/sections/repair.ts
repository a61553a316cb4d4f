import type { AuditRecord } from "../../audit/record.ts";
import { repairCurve } from "../charts/repair-curve.ts";
import { responsiveChart } from "../figure.ts";
import { percent, sharePhrase } from "../format.ts";
import { type Html, html } from "../html.ts";

/** How accuracy went while the model was repaired, and which checkpoint was kept. */
export function repair({ repair, config, repairedModel }: AuditRecord): Html {
  const chosen = repair.curve.find((point) => point.chosen)!;
  const drop = percent(repair.allowedDrop).replace("%", " points");
  return html`<section aria-labelledby="repair">
<h2 id="repair">The repair</h2>
<p class="about">${config.repair.name} on the trusted images, judged on images held out from it. Step ${chosen.step} was chosen: ${sharePhrase(chosen.heldOutAccuracy)}. ${
    repair.deployable
      ? `It keeps within the allowed drop of ${drop}.`
      : `No checkpoint kept within the allowed drop of ${drop}.`
  } ${repairedModel === null ? "No repaired model was written." : html`The repaired model is <code>${repairedModel}</code>.`}</p>
${responsiveChart((width) => repairCurve(repair, width))}
</section>`;
}
