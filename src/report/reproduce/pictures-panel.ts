import type { Pictures } from "../../experiments/reproduce/artefact.ts";
import { FONT_SIZE, LINE, MUTED, textWidth } from "../charts/plot.ts";
import { escapeHtml } from "../html.ts";
import type { Pictures as Files } from "../pictures.ts";
import type { Drawn } from "./frame.ts";
import { NOT_MEASURED } from "./words.ts";
import { wrap } from "./wrap.ts";

const SIDE = 132;
const GAP = 16;
const CAPTION = 34;

/** Pictures side by side with captions; one that is missing leaves a frame. */
export function picturesPanel({ pictures }: Pictures, files: Files, width: number): Drawn {
  if (pictures.length === 0) {
    return { markup: text(NOT_MEASURED, 0, 14, 'font-style="italic" '), height: 22 };
  }
  const columns = Math.max(1, Math.floor((width + GAP) / (SIDE + GAP)));
  const cells = pictures.map(({ path, caption }, at) => {
    const x = (at % columns) * (SIDE + GAP);
    const y = Math.floor(at / columns) * (SIDE + CAPTION + GAP);
    const lines = wrap(caption, SIDE, textWidth).map((line, row) =>
      text(line, x, y + SIDE + 16 + 15 * row),
    );
    return picture(files.get(path), x, y) + lines.join("");
  });
  const rows = Math.ceil(pictures.length / columns);
  return { markup: cells.join(""), height: rows * (SIDE + CAPTION + GAP) };
}

function picture(png: Uint8Array | undefined, x: number, y: number): string {
  const frame = `x="${x}" y="${y}" width="${SIDE}" height="${SIDE}"`;
  if (!png)
    return `<rect ${frame} fill="none" stroke="${LINE}"/>${text("no picture", x + 8, y + 20)}`;
  const data = Buffer.from(png).toString("base64");
  return `<image ${frame} image-rendering="pixelated" href="data:image/png;base64,${data}"/>`;
}

function text(words: string, x: number, y: number, more = ""): string {
  return `<text ${more}x="${x}" y="${y}" font-size="${FONT_SIZE}" fill="${MUTED}">${escapeHtml(words)}</text>`;
}
