import type { AuditRecord } from "../audit/record.ts";
import { type Html, html } from "./html.ts";

/** PNG files by the names under which a record mentions them. */
export type Pictures = ReadonlyMap<string, Uint8Array>;

/** Images smaller than this are enlarged without smoothing: their pixels are the evidence. */
const SMALL = 128;

/** Draws pictures into a page as data URIs. */
export class Gallery {
  readonly #pictures: Pictures;
  readonly #style: string;

  constructor(pictures: Pictures, { input }: AuditRecord["model"]) {
    this.#pictures = pictures;
    const width = input.shape[input.layout === "NCHW" ? 3 : 2] ?? SMALL;
    this.#style = width < SMALL ? "picture pixelated" : "picture";
  }

  /** The picture called `name`, or a placeholder of the same size if there is none. */
  image(name: string | null, alternative: string): Html {
    const png = name === null ? undefined : this.#pictures.get(name);
    if (!png) return html`<span class="picture missing">no picture</span>`;
    const data = Buffer.from(png).toString("base64");
    return html`<img class="${this.#style}" src="data:image/png;base64,${data}" alt="${alternative}">`;
  }
}
