import { DARK_SERIES, declarations, LIGHT_SERIES } from "../colours.ts";

/** Rules of pages about experiments, on top of those of all pages. */
export const EXPERIMENT_STYLES = `
:root { ${declarations(LIGHT_SERIES)} }
@media screen and (prefers-color-scheme: dark) { :root { ${declarations(DARK_SERIES)} } }
.plain { --verdict: var(--ink); --tint: var(--raised); }
body.plain { max-width: 1080px; }
.plain h1 { font-size: clamp(24px, 4vw, 34px); }
.plain .summary { border-top-width: 3px; }
.plain .summary .scroll { margin-top: 18px; padding-bottom: 0; }
.compared th, .compared td, .trials th, .trials td { vertical-align: top; }
.compared .words, .trials .words { text-align: left; }
.compared tbody th, .trials tbody th { text-align: left; font-weight: 500; }
.dense th, .dense td { padding-left: 10px; font-size: 13px; }
.dense .basis, .dense .paper { font-size: 11px; }
.compared td.words { max-width: 52ch; }
.ours, .basis, .paper { display: block; white-space: nowrap; }
.ours { font-weight: 600; }
.basis, .paper { font-size: 12px; line-height: 1.4; color: var(--muted); }
.absent { font-weight: 400; font-style: italic; color: var(--muted); }
.notes { padding-left: 1.15em; margin: 4px 0 20px; font-size: 13px; color: var(--muted); max-width: 84ch; }
.figure { margin: 14px 0 10px; }
.scale { font-weight: 400; color: var(--muted); }
.trials { font-size: 13px; }
.trials button { all: unset; cursor: pointer; }
.trials button:focus-visible { outline: 2px solid var(--ink); outline-offset: 3px; }
.trials button::after { content: "\\2195"; margin-left: 4px; color: var(--muted); }
.trials [aria-sort="ascending"] button::after { content: "\\2191"; color: var(--ink); }
.trials [aria-sort="descending"] button::after { content: "\\2193"; color: var(--ink); }
.trials a, .facts a { color: inherit; text-decoration-color: var(--muted); text-underline-offset: 3px; }
.trial { padding: 4px 0 22px; }
.trial .look { display: grid; grid-template-columns: minmax(0, 1fr) 440px; gap: 32px; align-items: start; }
.trial .picture { width: 160px; }
.trial figcaption { margin-top: 6px; font-size: 12px; color: var(--muted); }
.trial h4 { margin: 10px 0 2px; font-size: 13px; font-weight: 640; }
.trial .facts { padding-bottom: 6px; }
.trial details { border: 0; }
.trial details summary { padding: 4px 0; font-size: 14px; }
@media screen and (max-width: 860px) { .trial .look { grid-template-columns: minmax(0, 1fr); } }
@media print { body.plain { max-width: none; } }
`;
