import { join } from "node:path";
import { makeFolder, writeAtomically, writeText } from "../../core/write-file.ts";
import type { ResultStore } from "../../experiments/grid/store.ts";
import type { Reproduced } from "../../experiments/reproduce/artefact.ts";
import type { Scale } from "../../experiments/reproduce/scales.ts";
import { pixelsOf } from "../pixels.ts";
import { artefactPage } from "./artefact-page.ts";
import { figureCsv, tableCsv } from "./data-csv.ts";
import { figureFile } from "./figure-svg.ts";
import { picturesOf, readPictures } from "./read-pictures.ts";
import { tableMarkdown } from "./table-markdown.ts";

/**
 * Writes a table as Markdown, CSV and HTML, a figure as SVG, PNG, CSV and HTML.
 * @param store where the pictures of figures are
 * @returns the paths of the files
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function writeReproduced(
  folder: string,
  reproduced: Reproduced,
  store: ResultStore,
  scale: Scale,
): Promise<string[]> {
  await makeFolder(folder);
  const pictures = await readPictures(store, picturesOf(reproduced));
  const page = artefactPage(reproduced, pictures, { scale, store: store.folder });
  const path = (ending: string) => join(folder, `${reproduced.name}.${ending}`);
  await writeText(path("html"), page);
  if (reproduced.kind === "table") {
    await writeText(path("md"), tableMarkdown(reproduced));
    await writeText(path("csv"), tableCsv(reproduced));
    return ["md", "csv", "html"].map(path);
  }
  const svg = figureFile(reproduced, pictures);
  await writeText(path("svg"), svg);
  await writeAtomically(path("png"), [{ offset: 0, bytes: await pixelsOf(svg) }]);
  await writeText(path("csv"), figureCsv(reproduced));
  return ["svg", "png", "csv", "html"].map(path);
}
