/** A file format that people take for ONNX, how to tell it, and how to get an ONNX file instead. */
interface ForeignFormat {
  readonly name: string;
  readonly next: string;
  /** First bytes of a file, as Latin-1 text, after `offset` bytes. */
  readonly magic: readonly string[];
  readonly offset?: number;
}

const EXPORT_PYTORCH =
  'Load the model in PyTorch and export it: `torch.onnx.export(model.eval(), example_images, "model.onnx")`.';
const CONVERT_TENSORFLOW =
  "Convert it with tf2onnx: `python -m tf2onnx.convert --keras model.keras --output model.onnx`.";

const FOREIGN_FORMATS: readonly ForeignFormat[] = [
  {
    name: "a zip archive, as PyTorch and Keras save them",
    next: EXPORT_PYTORCH,
    magic: ["PK\x03\x04"],
  },
  {
    name: "a Python pickle, as older PyTorch versions save them",
    next: EXPORT_PYTORCH,
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
    name: "a safetensors file, which holds weights without a network",
    next: EXPORT_PYTORCH,
    magic: ['{"'],
    offset: 8,
  },
  {
    name: "a Git LFS pointer, not the model itself",
    next: "Fetch the model with `git lfs pull`.",
    magic: ["version https://git-lfs"],
  },
  { name: "a gzip archive", next: "Unpack it first.", magic: ["\x1f\x8b"] },
];

/** The format whose signature a file starts with, if it is one that is not ONNX. */
export function foreignFormat(bytes: Uint8Array): ForeignFormat | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  return FOREIGN_FORMATS.find(({ magic, offset = 0 }) =>
    magic.some((text) => head.startsWith(text, offset)),
  );
}
