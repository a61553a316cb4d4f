import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { CLIP_CONFIG, type ClipShape } from "../models/clip/config.ts";
import { type ClipTokenizer, clipTokenizer } from "../models/clip/tokenizer.ts";
import {
  mergesIn,
  TOKENIZER_FILE,
  VOCAB_FILE,
  type Vocabulary,
} from "../models/clip/vocabulary.ts";
import { checkClipWeights } from "../models/clip/weights.ts";
import type { NamedPreprocessing } from "../models/preprocessing.ts";
import { WeightsFile } from "../models/weights-file.ts";
import { type FoundModel, findModel, othersThan, readBeside } from "./model-folder.ts";
import { readJsonBeside } from "./read-json.ts";
import { readFacts, stateOf } from "./stated.ts";

/** A CLIP model as a folder holds it; its weights are read later. */
export interface ClipFolder {
  readonly weights: WeightsFile;
  readonly shape: ClipShape;
  readonly tokenizer: ClipTokenizer;
  readonly preprocessing: NamedPreprocessing;
  readonly warnings: readonly string[];
}

/** What CLIP was published with (Radford et al. 2021): the statistics of its own training images. */
const USUAL: NamedPreprocessing = {
  name: "clip",
  range: "0-1",
  channels: "rgb",
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** What `config.json` says the model is. */
const MODEL_KIND = z.looseObject({ model_type: z.string().max(60).nullish() });

const AGAIN = "Fetch it again from where the model came from.";

/**
 * Opens a CLIP model in the layout of Hugging Face: `config.json`; `model.safetensors` or its index;
 * `preprocessor_config.json`, without which CLIP's own values are taken; `tokenizer.json`, else `vocab.json` with
 * `merges.txt`. ONNX files in it are parts of such a model, so they are passed over.
 * @returns with weights that are open: whoever calls closes them
 * @throws `MODEL_NOT_FOUND` for a path that is no folder, or lacks one of these files; `DATA_INVALID` for one that is
 *   damaged or not CLIP's; `MODEL_UNKNOWN_WEIGHTS`; the errors of `findModel` and `WeightsFile.open`
 */
export async function openClipFolder(path: string): Promise<ClipFolder> {
  await checkFolder(path);
  const shape = await readShape(path);
  const tokenizer = clipTokenizer(await readVocabulary(path), shape.text.vocabulary, path);
  const found = await findModel(path, "weights");
  const weights = await WeightsFile.open(found.path);
  try {
    checkClipWeights(weights, shape);
    const { preprocessing, warnings } = await readPreprocessing(found, weights, shape);
    return { weights, shape, tokenizer, preprocessing, warnings };
  } catch (error) {
    await weights[Symbol.asyncDispose]();
    throw error;
  }
}

async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return;
  const what = found ? "This is a file, not a folder." : "There is no such folder.";
  throw new AntidoteError("MODEL_NOT_FOUND", what, {
    place: path,
    next: "Give the folder of a CLIP model: its weights alone tell neither tokens nor shapes.",
  });
}

async function readShape(folder: string): Promise<ClipShape> {
  const kind = await readJsonBeside(folder, "config.json", MODEL_KIND, AGAIN);
  if (!kind) throw lacks(folder, "config.json");
  if (kind.model_type !== "clip") {
    const what = kind.model_type ? `holds a ${kind.model_type} model` : "states no model_type";
    throw new AntidoteError("DATA_INVALID", `This folder ${what}; only CLIP is known here.`, {
      place: join(folder, "config.json"),
      next: "Give the folder of a CLIP model, such as openai/clip-vit-base-patch32. A model with classes of its own is audited as it is.",
    });
  }
  return (await readJsonBeside(folder, "config.json", CLIP_CONFIG, AGAIN))!;
}

async function readVocabulary(folder: string): Promise<Vocabulary> {
  const whole = await readJsonBeside(folder, "tokenizer.json", TOKENIZER_FILE, AGAIN);
  if (whole) return whole;
  const pieces = await readJsonBeside(folder, "vocab.json", VOCAB_FILE, AGAIN);
  const merges = await readBeside(folder, "merges.txt");
  if (!pieces || merges === undefined) throw lacks(folder, "tokenizer.json");
  try {
    return { pieces, merges: mergesIn(merges) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AntidoteError("DATA_INVALID", `"merges.txt" of the model's folder: ${reason}.`, {
      place: join(folder, "merges.txt"),
      next: AGAIN,
      cause,
    });
  }
}

async function readPreprocessing(
  found: FoundModel,
  weights: WeightsFile,
  { image: { size } }: ClipShape,
): Promise<Pick<ClipFolder, "preprocessing" | "warnings">> {
  const image = { name: "", layout: "NCHW", channels: 3, height: size, width: size } as const;
  const facts = { ...(await readFacts(found)), labels: [] };
  const unread = await othersThan(weights.files, found);
  const stated = stateOf(facts, { image, classes: 0 }, unread);
  const [first] = stated.preprocessings;
  if (first) return { preprocessing: first, warnings: stated.warnings };
  const assumed = "The folder states no mean and std of images: CLIP's own are taken.";
  return { preprocessing: USUAL, warnings: [assumed, ...stated.warnings] };
}

function lacks(folder: string, name: string): AntidoteError {
  return new AntidoteError("MODEL_NOT_FOUND", `The folder has no ${name}.`, {
    place: folder,
    next: "Give the folder of a CLIP model as Hugging Face lays it out: config.json, preprocessor_config.json, model.safetensors, and tokenizer.json or vocab.json with merges.txt.",
  });
}
