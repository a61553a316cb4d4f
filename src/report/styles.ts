import { DARK, declarations, LIGHT as LIGHT_GREYS } from "./colours.ts";

/** Neutral greys and one colour per verdict; text has a contrast of 4.5 : 1 or more in both schemes. */
const LIGHT = `
:root { ${declarations(LIGHT_GREYS)} }
.backdoored { --verdict: #b0241c; --tint: #fdf3f2; }
.no-evidence { --verdict: #0a6468; --tint: #f0f7f7; }
.inconclusive { --verdict: #835400; --tint: #fcf6ea; }`;

const COLOURS = `
:root { color-scheme: light dark; }
${LIGHT}
@media (prefers-color-scheme: dark) {
  :root { ${declarations(DARK)} }
  .backdoored { --verdict: #ff8b7e; --tint: #241817; }
  .no-evidence { --verdict: #62c4c4; --tint: #142021; }
  .inconclusive { --verdict: #e9b04c; --tint: #211c13; }
}`;

const TYPE = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 32px 48px; max-width: 984px; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1, h2, h3, p, ul, dl, dd, figure { margin: 0; padding: 0; }
h1 { font-size: clamp(30px, 5.4vw, 46px); line-height: 1.1; letter-spacing: -0.025em; font-weight: 680; text-wrap: balance; }
h2 { font-size: 20px; line-height: 1.3; letter-spacing: -0.01em; font-weight: 640; }
h3 { font-size: 14px; font-weight: 640; margin: 28px 0 8px; }
code { font: 0.92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
section { margin-top: 56px; }
.about { color: var(--muted); max-width: 72ch; margin: 6px 0 20px; }
.kicker { font-size: 13px; color: var(--muted); }`;

const FRAME = `
.masthead {
  display: flex; flex-wrap: wrap; gap: 2px 24px; padding: 18px 0; color: var(--muted); font-size: 13px;
}
.masthead strong { color: var(--ink); font-weight: 680; }
.masthead .subject { flex: 1; min-width: 12ch; overflow-wrap: anywhere; }
.colophon { margin-top: 64px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }`;

const SUMMARY = `
.summary { margin-top: 0; padding: 28px 32px 30px; background: var(--tint); border-top: 5px solid var(--verdict); }
.summary h1 { color: var(--verdict); margin-top: 4px; }
.mark { width: 0.72em; height: 0.72em; margin-right: 0.32em; vertical-align: -0.03em; }
.target { margin-top: 10px; font-size: 20px; line-height: 1.35; }
.target strong { font-weight: 640; }
.lead { margin-top: 12px; max-width: 68ch; font-size: 17px; line-height: 1.5; }
.measures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 28px 36px; margin-top: 30px; }
.measure { border-top: 1px solid var(--line); padding-top: 12px; }
.measure h2 { font-size: 14px; letter-spacing: 0; }
.measure .value { font-size: 26px; line-height: 1.25; letter-spacing: -0.015em; font-weight: 600; margin: 2px 0 10px; }
.measure .arrow { color: var(--muted); font-weight: 400; }
.measure .note { margin-top: 8px; font-size: 13px; line-height: 1.45; color: var(--muted); }
.next { margin-top: 28px; padding-top: 14px; border-top: 1px solid var(--line); }
.next h2 { font-size: 14px; letter-spacing: 0; }
.next ul { list-style: none; margin-top: 4px; }`;

const EVIDENCE = `
.evidence { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 40px; }
.evidence ul { padding-left: 1.15em; margin-top: 10px; }
.evidence li { margin-top: 6px; }
.evidence li::marker { color: var(--muted); }
.evidence h3 + ul { margin-top: 0; }
.evidence .warnings li::marker { content: "!  "; color: var(--verdict); font-weight: 700; }
.limits { padding: 22px 26px 26px; margin-top: -22px; border: 1px solid var(--ink); }`;

const TRIGGER = `
.picture { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--raised); }
.pixelated { image-rendering: pixelated; }
.missing { display: grid; place-items: center; color: var(--muted); font-size: 12px; }
.trigger { display: grid; grid-template-columns: 200px minmax(0, 1fr); gap: 40px; margin-top: 18px; }
.trigger > figure figcaption { margin-top: 10px; font-size: 13px; line-height: 1.45; color: var(--muted); }
.samples { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 26px 32px; }
.sample { break-inside: avoid; }
.sample figcaption { font-size: 13px; margin-bottom: 6px; }
.triptych { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; }
.role { margin-top: 4px; font-size: 12px; color: var(--muted); }
.answers { font-size: 12px; line-height: 1.35; }
.answers > div { margin-top: 5px; }
.answers dt { color: var(--muted); }
.answers span { white-space: nowrap; }
.captured { color: var(--verdict); font-weight: 640; }`;

const CLASSES = `
.chart { display: block; max-width: 100%; height: auto; overflow: visible; }
.chart text { white-space: pre; }
.narrow { display: none; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(78px, 1fr)); gap: 18px 12px; list-style: none; }
.gallery li { font-size: 12px; line-height: 1.35; break-inside: avoid; }
.gallery bdi { display: block; margin-top: 5px; overflow-wrap: anywhere; }
.gallery span { color: var(--muted); }
.gallery .missing { font-size: 11px; }
.gallery .leading { color: var(--verdict); font-weight: 640; }
.gallery .leading .picture { outline: 2px solid var(--verdict); outline-offset: 2px; }
.gallery .leading span { color: inherit; }`;

const FACTS = `
details { border-top: 1px solid var(--line); }
details:last-of-type { border-bottom: 1px solid var(--line); }
section > ul + details { margin-top: 24px; }
section > h2 + details { margin-top: 16px; }
summary { padding: 10px 0; cursor: pointer; font-weight: 600; }
summary::marker { color: var(--muted); }
summary:focus-visible { outline: 2px solid var(--verdict); outline-offset: 2px; }
.gist { font-weight: 400; color: var(--muted); margin-left: 10px; overflow-wrap: anywhere; }
.facts { padding: 2px 0 18px; font-size: 14px; }
.facts > div { display: grid; grid-template-columns: 220px minmax(0, 1fr); gap: 16px; padding: 3px 0; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; }
details h3 { margin: 4px 0 2px; }
.scroll { overflow-x: auto; padding-bottom: 18px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; font-weight: 640; padding-bottom: 6px; }
th, td { text-align: right; padding: 5px 0 5px 20px; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: 13px; }
tbody th { font-weight: 500; }`;

const NARROW = `
@media screen and (max-width: 760px) {
  body { padding: 0 16px 32px; }
  section { margin-top: 44px; }
  .summary { margin: 0 -16px; padding: 22px 16px 24px; }
  .measures, .evidence, .trigger, .samples { grid-template-columns: minmax(0, 1fr); }
  .evidence { gap: 36px; }
  .limits { margin: 0; padding: 18px 18px 22px; }
  .trigger { gap: 28px; }
  .trigger > figure .picture { width: 50%; }
  .wide { display: none; }
  .narrow { display: block; }
  .facts > div { grid-template-columns: minmax(0, 1fr); gap: 0; padding: 5px 0; }
  .gist { display: block; margin-left: 0; font-size: 14px; }
}`;

/** On paper everything is laid open, in the light scheme. */
const PRINT = `
@media print {
  @page { margin: 16mm 14mm; }
  :root { color-scheme: light; }
  ${LIGHT}
  body { padding: 0; font-size: 12px; max-width: none; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section { margin-top: 32px; }
  h2, h3 { break-after: avoid; }
  .measure .value { font-size: 20px; }
  .trigger { grid-template-columns: 130px minmax(0, 1fr); gap: 24px; }
  .measure, .limits, figure, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}`;

/** The style sheet of the report. */
export const STYLES = [
  COLOURS,
  TYPE,
  FRAME,
  SUMMARY,
  EVIDENCE,
  TRIGGER,
  CLASSES,
  FACTS,
  NARROW,
  PRINT,
].join("\n");
