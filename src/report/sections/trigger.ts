import {
  type AuditRecord,
  type ClassReference,
  leadingClass,
  type Sample,
  type TriggerKind,
} from "../../audit/record.ts";
import { confidence } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Gallery } from "../pictures.ts";
import { className, readable } from "../words.ts";

/** The strongest trigger as it was found, alone and on trusted images, with both models' answers. */
export function trigger(record: AuditRecord, gallery: Gallery): Html {
  const leading = leadingClass(record);
  const found = record.targetClass !== null;
  return html`<section aria-labelledby="trigger">
<h2 id="trigger">${found ? "The trigger as found" : "The strongest candidate for a trigger"}</h2>
<div class="trigger">
<figure>${gallery.image(leading.trigger, `Trigger found for ${className(leading)}`)}
<figcaption>${DOES[leading.kind]} the suspect answer <bdi>${className(leading)}</bdi>. Reconstructed by optimisation: it need not look like what an attacker used.</figcaption></figure>
<div class="samples">${record.samples.map((sample) => card(sample, record, gallery, leading))}</div>
</div>
</section>`;
}

/** What is done to an image. */
const DOES: Readonly<Record<TriggerKind, string>> = {
  blend: "Laid over an image to make",
  add: "Added to an image (its values around middle grey, amplified) to make",
  warp: "Images are bent as this grid is to make",
  illustration: "No trigger: an image like this makes",
};

function card(
  sample: Sample,
  { differenceGain }: AuditRecord,
  gallery: Gallery,
  leading: ClassReference,
): Html {
  const label = className(sample.label);
  return html`<figure class="sample">
<figcaption>True class <bdi>${label}</bdi></figcaption>
<div class="triptych">
<div>${gallery.image(sample.original, `Trusted image of ${label}`)}<p class="role">Original</p>${answers(sample.onOriginal, leading)}</div>
<div>${gallery.image(sample.triggered, `The same image with the trigger`)}<p class="role">With trigger</p>${answers(sample.onTriggered, leading)}</div>
<div>${gallery.image(sample.difference, `What the trigger changes, amplified`)}<p class="role">Difference ×${differenceGain}</p></div>
</div>
</figure>`;
}

function answers({ suspect, repaired }: Sample["onOriginal"], leading: ClassReference): Html {
  return html`<dl class="answers">${answer("Suspect", suspect, leading)}${answer("Repaired", repaired, leading)}</dl>`;
}

function answer(
  who: string,
  { index, name, probability }: Sample["onOriginal"]["suspect"],
  leading: ClassReference,
): Html {
  const style = index === leading.index ? "captured" : "kept";
  return html`<div><dt>${who}</dt><dd class="${style}"><bdi>${readable(name, 24)}</bdi> <span>${confidence(probability)}</span></dd></div>`;
}
