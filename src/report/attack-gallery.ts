import { COLUMNS, type Column, type Shown } from "../audit/gallery.ts";
import { escapeHtml, Html, html } from "./html.ts";

/** One attack of the gallery. */
export interface GalleryEntry extends Shown {
  readonly name: string;
  readonly labels: "poison" | "clean";
}

const PICTURE = 96;
const GAP = 6;
const BETWEEN = 22;
const NAME = 190;
const HEAD = 34;
const FONT = "font-family=\"system-ui, 'DejaVu Sans', 'Helvetica Neue', Arial, sans-serif\"";

const HEADINGS: Readonly<Record<Column, string>> = {
  clean: "clean",
  training: "in training",
  test: "at test",
  difference: "difference",
};

/**
 * The gallery of attacks as one drawing: a row for every attack, and for every image it clean, marked for
 * training, marked for a test, and the amplified difference of the last from the first.
 */
export function gallerySvg(entries: readonly GalleryEntry[]): string {
  const images = entries[0]?.rows.length ?? 0;
  const group = COLUMNS.length * (PICTURE + GAP) - GAP;
  const width = NAME + images * (group + BETWEEN);
  const height = HEAD + entries.length * (PICTURE + 14);
  const left = (image: number, column: number) =>
    NAME + image * (group + BETWEEN) + column * (PICTURE + GAP);
  const headings = Array.from({ length: images }, (_, image) =>
    COLUMNS.map(
      (column, at) =>
        `<text x="${left(image, at) + PICTURE / 2}" y="22" text-anchor="middle" font-size="12" fill="#5a6168">${HEADINGS[column]}</text>`,
    ),
  );
  const rows = entries.map((entry, row) => {
    const top = HEAD + row * (PICTURE + 14);
    const pictures = entry.rows.map((pictured, image) =>
      COLUMNS.map((column, at) => picture(pictured[column], left(image, at), top)),
    );
    return caption(entry, top) + pictures.flat().join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT}>
<rect width="100%" height="100%" fill="#ffffff"/>
${headings.flat().join("\n")}
${rows.join("\n")}
</svg>
`;
}

/** How much an attack changes images, as people say it. */
export function changeInWords({ psnr, largest }: Shown["test"]): string[] {
  return [
    psnr === null ? "no change" : `PSNR ${psnr.toFixed(1)} dB`,
    `largest change ${Math.round(255 * largest)}/255`,
  ];
}

function caption({ name, labels, test, amplified }: GalleryEntry, top: number): string {
  const lines = [
    `${labels}-label`,
    ...changeInWords(test),
    amplified === 1 ? "difference as it is" : `difference ×${amplified}`,
  ];
  const small = lines.map(
    (line, at) =>
      `<text x="8" y="${top + 40 + 17 * at}" font-size="12" fill="#5a6168">${escapeHtml(line)}</text>`,
  );
  return `<text x="8" y="${top + 20}" font-size="15" font-weight="600" fill="#1a1d20">${escapeHtml(name)}</text>${small.join("")}`;
}

function picture(png: Uint8Array, x: number, y: number): string {
  const data = Buffer.from(png).toString("base64");
  return `<image x="${x}" y="${y}" width="${PICTURE}" height="${PICTURE}" image-rendering="pixelated" href="data:image/png;base64,${data}"/>`;
}

/** The drawing as a page that loads nothing from anywhere. */
export function galleryPage(svg: string, about: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backdoor attacks, as images show them</title>
<style>body { margin: 32px auto; padding: 0 24px; max-width: 1060px; font: 15px/1.5 system-ui, sans-serif; color: #1a1d20; background: #fff; } svg { max-width: 100%; height: auto; } p { color: #5a6168; max-width: 72ch; }</style>
</head>
<body>
<h1>Backdoor attacks, as images show them</h1>
<p>${about}</p>
${new Html(svg)}
</body>
</html>
`.markup;
}
