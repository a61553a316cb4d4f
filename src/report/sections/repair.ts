import type { AuditRecord } from "../../audit/record.ts";
import { repairCurve } from "../charts/repair-curve.ts";
import { responsiveChart } from "../figure.ts";
import { points, sharePhrase } from "../format.ts";
import { type Html, html } from "../html.ts";

/** How accuracy went while the model was repaired, and which checkpoint was kept. */
export function repair({ repair, config, repairedModel }: AuditRecord): Html {
  const chosen = repair.curve.find((point) => point.chosen)!;
  const drop = points(repair.allowedDrop);
  return html`<section aria-labelledby="repair">
<h2 id="repair">The repair</h2>
<p class="about">Repaired by ${config.repair.name} on the trusted images, and judged on images held out from that. The checkpoint of step ${chosen.step} was chosen, with an accuracy of ${sharePhrase(chosen.heldOutAccuracy)}. ${
    repair.deployable
      ? `It keeps within the allowed drop of ${drop}.`
      : `No checkpoint kept within the allowed drop of ${drop}.`
  } ${repairedModel === null ? "No repaired model was written." : html`The repaired model is <code>${repairedModel}</code>.`}</p>
${responsiveChart((width) => repairCurve(repair, width))}
</section>`;
}
