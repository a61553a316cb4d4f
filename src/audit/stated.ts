import { z } from "zod";
import type { Sizing } from "../data/decode.ts";
import type { Classifier } from "../models/classifier.ts";
import {
  type NamedPreprocessing,
  type Preprocessing,
  samePreprocessing,
  usualPreprocessings,
} from "../models/preprocessing.ts";
import type { OnnxFile } from "../onnx/file.ts";
import {
  IMAGE_PROCESSOR,
  type ImageFacts,
  PRETRAINED,
  pretrainedFacts,
  processorFacts,
} from "./image-facts.ts";
import { chooseLabels, labelsInMetadata, namesByIndex, type StatedLabels } from "./labels.ts";
import { type FoundModel, readBeside } from "./model-folder.ts";
import { readJsonBeside } from "./read-json.ts";
import { metadataFacts } from "./stated-metadata.ts";

/**
 * What a model's folder and metadata state about it. All of that is the word of whoever made the model, who may be an
 * attacker: names and preprocessing are candidates, which `preflight` checks by accuracy on trusted images.
 */
export interface Stated {
  readonly labels?: StatedLabels | undefined;
  /** By precedence; each named after what states it. */
  readonly preprocessings: readonly NamedPreprocessing[];
  /** How pictures are to be brought to the model's size. */
  readonly sizing?: Sizing | undefined;
  /** What does not fit together, and files of the folder that nobody looks at. */
  readonly warnings: readonly string[];
}

/** What the files beside a model state, and its metadata, before anything is known about the network. */
export interface Facts {
  readonly labels: readonly StatedLabels[];
  readonly images: readonly ImageFacts[];
}

const side = z.int().min(1).max(65_536);
const CONFIG = z.looseObject({
  id2label: z.record(z.string(), z.union([z.string(), z.number()])).nullish(),
  label_names: z.array(z.string()).nullish(),
  architecture: z.string().nullish(),
  pretrained_cfg: PRETRAINED.nullish(),
  image_size: z
    .union([side, z.tuple([side, side])])
    .nullish()
    .catch(undefined),
});

/** Files with one class name on each line. */
const LISTS = ["labels.txt", "synset.txt"];

/** What transformers calls the classes of a model that names none. */
const NO_NAME = /^LABEL_\d+$/;

/**
 * Reads what a model's folder and its metadata state. Precedence: Hugging Face's configuration, timm's, the metadata
 * of the ONNX file, lists of names.
 * @param file none for weights alone
 * @throws `DATA_INVALID` for a file that is damaged or too large, `EXTERNAL_DATA_OUTSIDE` for a link out of the folder
 */
export async function readFacts({ folder }: FoundModel, file?: OnnxFile): Promise<Facts> {
  const own = file
    ? { labels: labelsInMetadata(file), images: metadataFacts(file) }
    : { labels: [], images: [] };
  if (folder === undefined) return own;
  const config = await readJsonBeside(folder, "config.json", CONFIG);
  const { id2label, label_names: names } = config ?? {};
  // Older files of timm have the fields at the top.
  const pretrained =
    config?.pretrained_cfg ?? (config?.architecture == null ? undefined : PRETRAINED.parse(config));
  const [height, width = height] = [config?.image_size ?? []].flat();
  const size = height !== undefined && width !== undefined ? { height, width } : undefined;
  const labels: StatedLabels[] = [];
  if (id2label) labels.push({ names: namesByIndex(id2label), source: "config.json (id2label)" });
  if (names) labels.push({ names, source: "config.json (label_names)" });
  labels.push(...own.labels);
  for (const source of LISTS) {
    const text = await readBeside(folder, source);
    if (text !== undefined) labels.push({ names: lines(text), source });
  }
  return {
    labels: labels.filter((it) => it.names.length > 0 && !it.names.every((n) => NO_NAME.test(n))),
    images: [
      ...(await processorIn(folder)),
      ...(pretrained ? [pretrainedFacts(pretrained, "config.json")] : []),
      ...(size ? [{ source: "config.json", size }] : []),
      ...own.images,
    ],
  };
}

async function processorIn(folder: string): Promise<ImageFacts[]> {
  const plain = await readJsonBeside(folder, "preprocessor_config.json", IMAGE_PROCESSOR);
  if (plain) return [processorFacts(plain, "preprocessor_config.json")];
  const nested = z.looseObject({ image_processor: IMAGE_PROCESSOR.nullish() });
  const name = "processor_config.json";
  const { image_processor: inside } = (await readJsonBeside(folder, name, nested)) ?? {};
  return inside ? [processorFacts(inside, name)] : [];
}

/** The image size that is stated first. */
export function statedSize({ images }: Facts) {
  return images.find(({ size }) => size !== undefined);
}

/**
 * Brings what is stated into the form of this model.
 * @param others files of the folder that were not read
 */
export function stateOf(
  facts: Facts,
  { image, classes }: Pick<Classifier, "image" | "classes">,
  others: readonly string[],
): Stated {
  const { labels, warnings: disputed } = chooseLabels(facts.labels, classes);
  const warnings = [...disputed];
  const preprocessings = facts.images.flatMap(({ preprocessing, source }) => {
    if (!preprocessing) return [];
    const fitting = perChannel(preprocessing, image.channels);
    if (fitting) return [{ ...fitting, name: nameOf(fitting, source, image.channels) }];
    warnings.push(
      `${source} states mean and std for another number of channels than the model's ${image.channels}: they are not used.`,
    );
    return [];
  });
  const sized = facts.images.find((it) => it.sizing);
  const sizing = sized && sizingFor(sized, image);
  if (sized && !sizing) {
    warnings.push(
      `The way in which ${sized.source} resizes pictures does not fit this model: they are fitted and cut as usual.`,
    );
  }
  if (others.length > 0) {
    const named = others.slice(0, 8).join(", ") + (others.length > 8 ? ", …" : "");
    warnings.push(
      `The model's folder holds other models or weights, which nobody looked at: ${named}.`,
    );
  }
  return { labels, preprocessings, sizing, warnings };
}

/** "imagenet (preprocessor_config.json)", or the source alone for an unusual preprocessing. */
function nameOf(preprocessing: Preprocessing, source: string, channels: number): string {
  const usual = usualPreprocessings(channels).find((it) => samePreprocessing(it, preprocessing));
  return usual ? `${usual.name} (${source})` : source;
}

/** One value for all channels, or one for each; undefined for another number of them. */
function perChannel(preprocessing: Preprocessing, channels: number): Preprocessing | undefined {
  const spread = (values: readonly number[]) =>
    values.length === 1 ? Array.from({ length: channels }, () => values[0]!) : values;
  const [mean, std] = [spread(preprocessing.mean), spread(preprocessing.std)];
  if (mean.length !== channels || std.length !== channels) return undefined;
  return { ...preprocessing, channels: channels === 1 ? "rgb" : preprocessing.channels, mean, std };
}

/** Pixels in proportion to the model's own size; undefined if most of every picture would be cut away. */
function sizingFor(
  { sizing: stated, source: from }: ImageFacts,
  { height, width }: Classifier["image"],
): Sizing | undefined {
  const { resize, kernel = "linear" } = stated!;
  if (resize === "stretch") return { resize, kernel, from };
  const { shorter, kept } = resize;
  if (height !== width || kept > shorter || 2 * kept < shorter) return undefined;
  return { resize: Math.round((shorter * height) / kept), kernel, from };
}

function lines(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.trim());
}
