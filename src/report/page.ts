import { createHash } from "node:crypto";
import type { AuditRecord } from "../audit/record.ts";
import { moment } from "./format.ts";
import { Html, html } from "./html.ts";
import { Gallery, type Pictures } from "./pictures.ts";
import { classes } from "./sections/classes.ts";
import { evidence } from "./sections/evidence.ts";
import { repair } from "./sections/repair.ts";
import { run } from "./sections/run.ts";
import { summary } from "./sections/summary.ts";
import { trigger } from "./sections/trigger.ts";
import { STYLES } from "./styles.ts";
import { HEADLINES } from "./words.ts";

/**
 * The page may show its own style sheet and embedded pictures, and nothing else: no script, no
 * connection, whatever a model's labels try to smuggle in.
 */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLES).digest("base64")}'`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * The report of an audit as one self-contained HTML page.
 * @param record the audit's result
 * @param pictures the PNG files that the record names; one that is missing leaves a placeholder
 */
export function auditPage(record: AuditRecord, pictures: Pictures): string {
  const gallery = new Gallery(pictures, record.model);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Antidote ${record.versions.antidote}">
<title>${HEADLINES[record.verdict]}: ${record.model.file}</title>
<style>${new Html(STYLES)}</style>
</head>
<body class="${record.verdict}">
<header class="masthead">
<p><strong>Antidote</strong> audit report</p>
<p class="subject"><bdi>${record.model.file}</bdi></p>
<p><time datetime="${record.startedAt}">${moment(record.startedAt)}</time></p>
</header>
<main>
${summary(record)}
${evidence(record)}
${trigger(record, gallery)}
${classes(record, gallery)}
${repair(record)}
${run(record)}
</main>
<footer class="colophon"><p>Made by Antidote ${record.versions.antidote} for the file with SHA-256 <code>${record.model.sha256}</code>. This page loads nothing from any network. The same numbers, for programs, are in report.json.</p></footer>
</body>
</html>
`;
  return page.markup;
}
