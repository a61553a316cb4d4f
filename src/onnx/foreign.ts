import { basename } from "node:path";
import { AntidoteError } from "../core/errors.ts";

/** A file format that people take for a model's, how to tell it, and what to do instead. */
interface ForeignFormat {
  readonly name: string;
  /** What to do instead. @param path of the file */
  readonly next: string | ((path: string) => string);
  /** Whether PyTorch's checkpoints have this form. */
  readonly isCheckpoint?: true;
  /** First bytes of a file, as Latin-1 text, after `offset` bytes. */
  readonly magic: readonly string[];
  readonly offset?: number;
}

/** A path that stays within its quotes, in Python's text and in the shell's, and hides nothing that is printed. */
const QUOTABLE = /^[\p{L}\p{N} ./_+@:,=-]+$/u;

/** Where training scripts keep the weights, if their checkpoint holds more than these. */
const WEIGHTS_KEYS = ["state_dict", "model_state_dict", "model", "net"];

/**
 * How a checkpoint is converted. `weights_only=True` makes PyTorch refuse whatever is more than tensors, so that
 * nothing in the file is executed, but for holes closed in 2.6 (CVE-2025-32434) and 2.10 (CVE-2026-24747). safetensors
 * refuses tensors that share memory, hence the copies.
 */
function convertCheckpoint(path: string): string {
  // A name in a command that a user copies must not end the quotes around it.
  const isQuotable = QUOTABLE.test(path);
  const program = [
    "import torch",
    "from safetensors.torch import save_file",
    `d = torch.load('${isQuotable ? path : "model.pth"}', map_location='cpu', weights_only=True)`,
    `d = next((d[k] for k in (${WEIGHTS_KEYS.map((key) => `'${key}'`).join(", ")}) if isinstance(d.get(k), dict)), d)`,
    "save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, 'model.safetensors')",
  ];
  return (
    'Load the weights in the network\'s own code and export that: `torch.onnx.export(model.eval(), example_images, "model.onnx")`. ' +
    "Or, for a ResNet-18 or a CLIP model, make safetensors of them, which runs nothing that is in the file: " +
    '`pip install "torch>=2.10" safetensors` (older versions can be made to run it all the same), ' +
    (isQuotable ? "then " : "copy the checkpoint to model.pth, then ") +
    `\`python3 -c "${program.join("; ")}"\`.`
  );
}

/** Endings of files that PyTorch and Python write with pickle, which runs code as it reads. */
const CHECKPOINT = /\.(pt|pth|ckpt|bin|pkl|pickle)$/i;

/** Whether a path looks like that of a checkpoint. */
export function isCheckpoint(path: string): boolean {
  return CHECKPOINT.test(path);
}

/** The error for a checkpoint where a model is expected. */
export function checkpointRefused(path: string): AntidoteError {
  return new AntidoteError(
    "MODEL_NOT_ONNX",
    `"${basename(path)}" is a checkpoint, which can only be read by running what it says. Antidote never does that.`,
    { place: path, next: convertCheckpoint(path) },
  );
}

const CONVERT_TENSORFLOW =
  "Convert it with tf2onnx: `python -m tf2onnx.convert --keras model.keras --output model.onnx`.";

const SAFETENSORS: ForeignFormat = {
  name: "a safetensors file without its ending",
  next: "Call it model.safetensors.",
  magic: ['{"'],
  offset: 8,
};

const FOREIGN_FORMATS: readonly ForeignFormat[] = [
  // Before pickles: the length in front of a header may begin like one.
  SAFETENSORS,
  {
    name: "a zip archive, as PyTorch and Keras save them",
    next: convertCheckpoint,
    isCheckpoint: true,
    magic: ["PK\x03\x04"],
  },
  {
    name: "a Python pickle, as older PyTorch versions save them",
    next: convertCheckpoint,
    isCheckpoint: true,
    magic: ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"],
  },
  { name: "an HDF5 file, as Keras saves them", next: CONVERT_TENSORFLOW, magic: ["\x89HDF"] },
  {
    name: "a TensorFlow Lite model",
    next: "Convert it with tf2onnx: `python -m tf2onnx.convert --tflite model.tflite --output model.onnx`.",
    magic: ["TFL3"],
    offset: 4,
  },
  {
    name: "a model in ONNX Runtime's own format",
    next: "Use the .onnx file that it was made from.",
    magic: ["ORTM"],
    offset: 4,
  },
  {
    name: "a Git LFS pointer to the model",
    next: "Fetch the model with `git lfs pull`.",
    magic: ["version https://git-lfs"],
  },
  {
    name: "a web page",
    next: "Open it in a browser to see what it says, and download the file itself.",
    magic: ["<!DOCTYPE", "<!doctype", "<html", "<HTML"],
  },
  { name: "a gzip archive", next: "Unpack it first.", magic: ["\x1f\x8b"] },
];

/** Bytes in which `refusedFormat` finds any signature. */
export const SIGNATURE_BYTES = 64;

/**
 * The error for a file that starts with the signature of another format than the wanted one; undefined for any other.
 * @param bytes the first of the file
 */
export function refusedFormat(
  bytes: Uint8Array,
  path: string,
  wanted: "ONNX" | "safetensors",
): AntidoteError | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, SIGNATURE_BYTES));
  const format = FOREIGN_FORMATS.find(({ magic, offset = 0 }) =>
    magic.some((text) => head.startsWith(text, offset)),
  );
  if (!format || (format === SAFETENSORS && wanted === "safetensors")) return undefined;
  if (format.isCheckpoint && isCheckpoint(path)) return checkpointRefused(path);
  const { name, next } = format;
  const [code, other] =
    wanted === "ONNX"
      ? (["MODEL_NOT_ONNX", "an ONNX file"] as const)
      : (["MODEL_INVALID", "a safetensors file"] as const);
  return new AntidoteError(code, `This is ${name}, not ${other}.`, {
    place: path,
    next: typeof next === "string" ? next : next(path),
  });
}
