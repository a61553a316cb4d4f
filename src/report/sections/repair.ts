import type { AuditRecord } from "../../audit/record.ts";
import { repairCurve } from "../charts/repair-curve.ts";
import { responsiveChart } from "../figure.ts";
import { points, pointsInterval, sharePhrase, viewsInWords } from "../format.ts";
import { type Html, html } from "../html.ts";

/** How accuracy went while the model was repaired, and which checkpoint was kept. */
export function repair({ repair, config, repairedModel }: AuditRecord): Html {
  const chosen = repair.curve.find((point) => point.chosen)!;
  return html`<section aria-labelledby="repair">
<h2 id="repair">The repair</h2>
<p class="about">Repaired by ${config.repair.name} on the trusted images, and judged on images held out from that. The checkpoint of step ${chosen.step} was chosen, with an accuracy of ${sharePhrase(chosen.heldOutAccuracy)}, a drop of ${pointsInterval(repair.drop)} on ${viewsInWords(repair.views)}. ${fits(repair)} ${repairedModel === null ? "No repaired model was written." : html`The repaired model is <code>${repairedModel}</code>.`}</p>
${responsiveChart((width) => repairCurve(repair, width))}
</section>`;
}

/** Whether the drop keeps within the allowed one, as far as the images tell. */
function fits({ deployable, drop, allowedDrop }: AuditRecord["repair"]): string {
  const allowed = points(allowedDrop);
  if (!deployable) return `Every checkpoint loses more than the allowed ${allowed}.`;
  if (drop.high <= allowedDrop) return `It keeps within the allowed ${allowed}.`;
  return `These images are too few to tell whether it keeps within the allowed ${allowed}; if the suspect was trained on them, it lost less elsewhere.`;
}
