import type { Reproduced } from "../../experiments/reproduce/artefact.ts";
import type { Scale } from "../../experiments/reproduce/scales.ts";
import { type Html, html } from "../html.ts";
import type { Pictures } from "../pictures.ts";
import { page } from "../shell.ts";
import { figureHtml } from "./figure-html.ts";
import { EXPERIMENT_STYLES } from "./styles.ts";
import { tableHtml } from "./table-html.ts";

/** A table or figure as a part of a page. */
export function artefactHtml(reproduced: Reproduced, pictures: Pictures): Html {
  return reproduced.kind === "table" ? tableHtml(reproduced) : figureHtml(reproduced, pictures);
}

/** A table or figure as a self-contained page. The same records give the same page. */
export function artefactPage(
  reproduced: Reproduced,
  pictures: Pictures,
  { scale, store }: { readonly scale: Scale; readonly store: string },
): string {
  const { title, name } = reproduced;
  const main = html`<section class="summary">
<p class="kicker">Pick your Poison (Lukas &amp; Kerschbaum), measured anew at the scale “${scale.name}”: ${scale.description}</p>
<h1>${title}</h1>
</section>
<section>${artefactHtml(reproduced, pictures)}</section>`;
  return page(main, {
    ...{ title, kind: "reproduction", subject: store, startedAt: null, mood: "plain" },
    colophon: html`Read from the records of this result store. This page loads nothing from any network. The same numbers, for programs, are in ${name}.csv.`,
    styles: EXPERIMENT_STYLES,
  });
}
