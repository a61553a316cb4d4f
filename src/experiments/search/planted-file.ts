import { existsSync } from "node:fs";
import { openModel } from "../../audit/open.ts";
import type { Patient } from "../../audit/repair-model.ts";
import { type PoisonedCopy, plantedProbe, poisonCopy } from "../../audit/self-poison.ts";
import { exportModel } from "../../onnx/export.ts";
import { type OnnxFile, writeOnnxFile } from "../../onnx/file.ts";
import type { RunContext } from "../../runtime/context.ts";

/** Entry of the metadata that says which search a poisoned copy belongs to. */
const PLANTED_FOR = "antidote.planted_for";

/**
 * A poisoned copy of a model, kept in a file: the one that is there if it belongs to the same search, else a new
 * one. A new one is read back, too, so that a search that is continued repairs the same bits even where the file
 * stores weights in half precision.
 * @param search identifies the search
 * @throws the errors of `poisonCopy`, `openModel` and `writeOnnxFile`
 */
export async function keptCopy(
  context: RunContext,
  path: string,
  search: string,
  patient: Patient & { readonly file: OnnxFile },
  target: number,
): Promise<PoisonedCopy> {
  const { model: suspect, file } = patient;
  const read = async (): Promise<PoisonedCopy | undefined> => {
    const { file, classifier } = await openModel(context.device, path, {
      size: suspect.image,
      output: suspect.roles.returned,
    });
    const origin = file.model.metadataProps.find(({ key }) => key === PLANTED_FOR)?.value;
    if (origin !== search) return undefined;
    const model = classifier.withPreprocessing(suspect.preprocessing);
    return { model, probe: plantedProbe(context, suspect.image, target) };
  };
  const kept = existsSync(path) ? await read() : undefined;
  if (kept) return kept;
  const made = await poisonCopy(context, patient, target);
  const metadata = { [PLANTED_FOR]: search };
  await writeOnnxFile(path, exportModel(file, made.model.changes, metadata));
  return (await read()) ?? made;
}
