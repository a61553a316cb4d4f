import { createHash } from "node:crypto";
import { VERSION } from "../core/version.ts";
import { moment } from "./format.ts";
import { type Content, Html, html } from "./html.ts";
import { STYLES } from "./styles.ts";

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/**
 * A page may show its own style sheet and embedded pictures, and run its own script if it has one, and nothing
 * else: no other script, no connection, whatever a model's labels try to smuggle in.
 */
function policy(styles: string, script: string | undefined): string {
  return [
    "default-src 'none'",
    `style-src ${hashOf(styles)}`,
    ...(script === undefined ? [] : [`script-src ${hashOf(script)}`]),
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** What a page says around its sections. */
export interface Surroundings {
  readonly title: string;
  /** What kind of report it is. */
  readonly kind: string;
  /** What it is about: a file, a folder. */
  readonly subject: string;
  /** When the run began, in ISO 8601; null if there was no single run. */
  readonly startedAt: string | null;
  /** Class of the body, for its colours. */
  readonly mood: string;
  /** Version of Antidote that made what the page shows. */
  readonly version?: string;
  readonly colophon: Content;
  /** Rules on top of those of all pages. */
  readonly styles?: string;
  /** Program of the page. Everything must be there without it, too. */
  readonly script?: string;
}

/** One self-contained HTML page. */
export function page(main: Html, surroundings: Surroundings): string {
  const { title, kind, subject, startedAt, mood, version = VERSION, colophon } = surroundings;
  const { styles: more = "", script } = surroundings;
  const styles = `${STYLES}${more}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy(styles, script))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Antidote ${version}">
<title>${title}</title>
<style>${new Html(styles)}</style>
</head>
<body class="${mood}">
<header class="masthead">
<p><strong>Antidote</strong> ${kind}</p>
<p class="subject"><bdi>${subject}</bdi></p>
${startedAt !== null && html`<p><time datetime="${startedAt}">${moment(startedAt)}</time></p>`}
</header>
<main>
${main}
</main>
<footer class="colophon"><p>${colophon}</p></footer>
${script !== undefined && html`<script>${new Html(script)}</script>`}
</body>
</html>
`.markup;
}

/** What a page about a model file says around its sections. */
export interface Shell extends Pick<Surroundings, "title" | "kind" | "mood"> {
  /** Path of the JSON document with the same numbers. */
  readonly numbers: string;
  readonly record: {
    readonly model: { readonly file: string; readonly sha256: string };
    readonly versions: { readonly antidote: string };
    readonly startedAt: string;
  };
}

/** A page about a model file. */
export function pageAround(main: Html, { numbers, record, ...about }: Shell): string {
  const { model, versions, startedAt } = record;
  return page(main, {
    ...{ ...about, subject: model.file, startedAt, version: versions.antidote },
    colophon: html`Made by Antidote ${versions.antidote} for the file with SHA-256 <code>${model.sha256}</code>. This page loads nothing from any network. The same numbers, for programs, are in ${numbers}.`,
  });
}
