import { readFileSync } from "node:fs";
import { encodeSafetensors } from "../../../src/core/safetensors.ts";
import { type FloatTensor, float32, type Shape } from "../../../src/core/tensor.ts";
import { CLIP_CONFIG, type ClipShape } from "../../../src/models/clip/config.ts";
import { startValue } from "../../train/fill.ts";

/** The norm of a gradient and seven of its entries, evenly spread. */
export interface GradientSummary {
  readonly norm: number;
  readonly entries: readonly number[];
}

interface TowerGoldens {
  /** [N,L] */
  readonly ids: readonly (readonly number[])[];
  /** Of length 1, [N,24]. */
  readonly imageEmbeddings: readonly (readonly number[])[];
  readonly textEmbeddings: readonly (readonly number[])[];
  /** Images by texts. */
  readonly logits: readonly (readonly number[])[];
  readonly loss: number;
  readonly imageGradient: GradientSummary;
  readonly gradient: Readonly<Record<string, GradientSummary>>;
}

/** What `goldens/make.py` writes. */
interface ClipGoldens extends Readonly<Record<"quick_gelu" | "gelu", TowerGoldens>> {
  /** Shapes of all parameters by name, in the order in which they are filled. */
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly tokens: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly zeroShot: {
    readonly classes: readonly string[];
    readonly templates: readonly string[];
    /** [K,24] */
    readonly head: readonly (readonly number[])[];
    /** [N,K] */
    readonly logits: readonly (readonly number[])[];
  };
}

export const GOLDENS = JSON.parse(goldenFile("clip.json")) as ClipGoldens;

/** The files of the small model's folder, without its weights. */
export const FOLDER_FILES = [
  "config.json",
  "merges.txt",
  "preprocessor_config.json",
  "tokenizer.json",
  "vocab.json",
];

/** The text of a file beside the goldens. */
export function goldenFile(name: string): string {
  return readFileSync(new URL(`goldens/${name}`, import.meta.url), "utf8");
}

/** The shape of the small model. */
export const SMALL: ClipShape = CLIP_CONFIG.parse(JSON.parse(goldenFile("folder/config.json")));

/** The weights of the small model, as `filled` in `make.py`. */
export function smallWeights(): Map<string, FloatTensor> {
  return new Map(
    Object.entries(GOLDENS.shapes).map(([name, shape], seed) => [
      name,
      name === "logit_scale" ? float32([], [2]) : startValue(seed, name, shape),
    ]),
  );
}

/** The small model as a folder in the layout of Hugging Face: the contents of its files by name. */
export function smallFolder(): Record<string, string | Uint8Array> {
  return {
    ...Object.fromEntries(FOLDER_FILES.map((name) => [name, goldenFile(`folder/${name}`)])),
    "model.safetensors": encodeSafetensors({ tensors: smallWeights(), metadata: {} }),
  };
}
