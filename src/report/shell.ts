import { createHash } from "node:crypto";
import { moment } from "./format.ts";
import { Html, html } from "./html.ts";
import { STYLES } from "./styles.ts";

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

/** What a page says around its sections. */
export interface Shell {
  readonly title: string;
  /** What kind of report it is. */
  readonly kind: string;
  /** Class of the body, for the colours of a verdict. */
  readonly mood: string;
  /** Path of the JSON document with the same numbers. */
  readonly numbers: string;
  readonly record: {
    readonly model: { readonly file: string; readonly sha256: string };
    readonly versions: { readonly antidote: string };
    readonly startedAt: string;
  };
}

/** One self-contained HTML page. */
export function pageAround(main: Html, { title, kind, mood, numbers, record }: Shell): string {
  const { model, versions, startedAt } = record;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Antidote ${versions.antidote}">
<title>${title}</title>
<style>${new Html(STYLES)}</style>
</head>
<body class="${mood}">
<header class="masthead">
<p><strong>Antidote</strong> ${kind}</p>
<p class="subject"><bdi>${model.file}</bdi></p>
<p><time datetime="${startedAt}">${moment(startedAt)}</time></p>
</header>
<main>
${main}
</main>
<footer class="colophon"><p>Made by Antidote ${versions.antidote} for the file with SHA-256 <code>${model.sha256}</code>. This page loads nothing from any network. The same numbers, for programs, are in ${numbers}.</p></footer>
</body>
</html>
`.markup;
}
