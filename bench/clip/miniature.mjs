/**
 * A miniature CLIP, trained on real images: both towers with the structure of `openai/clip-vit-base-patch32`, but 96 and 32
 * numbers a position, four and two layers, for images of 32 pixels. Its weights are drawn; then its classifier for CIFAR-10
 * (image tower, and the texts' embeddings as head) is trained on clean images. The result stands where a pretrained CLIP
 * does: `antidote reproduce figure-7 --model clip --from DIR/clip.onnx` poisons it by fine-tuning.
 *
 *     ANTIDOTE_DATA=... node bench/clip/miniature.mjs --out DIR
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { encodeSafetensors } from "../../dist/core/safetensors.js";
import { float32 } from "../../dist/core/tensor.js";
import { CLIP_CONFIG } from "../../dist/models/clip/config.js";
import { clipParameters, LOGIT_SCALE } from "../../dist/models/clip/parameters.js";
import { flagsOf } from "../flags.mjs";
import { antidote } from "../program.mjs";
import { randomWeights } from "./random-weights.mjs";

const HELP = `node bench/clip/miniature.mjs --out DIR [options]

  --out DIR        the CLIP folder, its training, and clip.onnx
  --record FILE    what was trained, and its accuracy on the 10 000 test images
  --epochs N       epochs (12)
  --threads N      threads (2)
`;

const { flags, data } = flagsOf(
  HELP,
  {
    out: null,
    record: null,
    epochs: "12",
    threads: "2",
  },
  ["out"],
);

const [START, END] = ["<|startoftext|>", "<|endoftext|>"];
/** One character for every byte, as CLIP's tokenizer writes them: printable ones stand for themselves. */
const PRINTABLE = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const OTHERS = BYTES.filter((byte) => !PRINTABLE(byte));
const CHARACTERS = [...BYTES.filter(PRINTABLE), ...OTHERS.map((_, i) => 256 + i)].map((code) =>
  String.fromCodePoint(code),
);
/** Each inside a word and at its end. There are no merges, so words are spelt. */
const PIECES = [...CHARACTERS, ...CHARACTERS.map((it) => `${it}</w>`), START, END];
const CONFIG = {
  model_type: "clip",
  projection_dim: 64,
  text_config: {
    ...{ hidden_size: 32, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ vocab_size: PIECES.length, max_position_embeddings: 77 },
  },
  vision_config: {
    ...{ hidden_size: 96, intermediate_size: 384, num_hidden_layers: 4, num_attention_heads: 4 },
    ...{ image_size: 32, patch_size: 8 },
  },
};

const at = (...names) => join(resolve(flags.out), ...names);
const cifar = resolve(data, "cifar10");
writeFolder(at("folder"));
const classes = ["--classes", join(cifar, "batches.meta.txt")];
antidote("zero-shot", at("folder"), ...classes, "--out", at("untrained.onnx"));
const recipe = ["--epochs", flags.epochs, "--optimiser", "adam", "--learning-rate", "0.001"];
const common = ["--seed", "0", "--threads", flags.threads];
const gentle = ["--weight-decay", "0", "--label-smoothing", "0", "--storage", "float16"];
const begin = ["--data", cifar, "--from", at("untrained.onnx"), "--preprocessing", "none"];
const trained = antidote(
  "train",
  ...begin,
  ...recipe,
  ...gentle,
  ...common,
  "--out",
  at("trained"),
);
copyFileSync(trained.model, at("clip.onnx"));
const images = ["--images", join(cifar, "test_batch.bin"), "--preprocessing", "none"];
const judged = antidote("evaluate", at("clip.onnx"), ...images, ...common);
const { hardware, versions, config } = trained;
const record = { network: CONFIG, config, accuracy: judged.accuracy, hardware, versions };
const text = `${JSON.stringify(record, null, 1)}\n`;
if (flags.record) writeFileSync(flags.record, text);
process.stdout.write(text);

/** The untrained model as a folder in the layout of Hugging Face. */
function writeFolder(folder) {
  mkdirSync(folder, { recursive: true });
  const weights = randomWeights(clipParameters(CLIP_CONFIG.parse(CONFIG)));
  weights.set(LOGIT_SCALE, float32([], [Math.log(1 / 0.07)])); // as CLIP's training begins
  const write = (name, content) => writeFileSync(join(folder, name), content);
  const json = (name, content) => write(name, JSON.stringify(content));
  json("config.json", CONFIG);
  json("preprocessor_config.json", {
    ...{ do_resize: true, size: { shortest_edge: 32 }, do_normalize: true, do_rescale: true },
    ...{ image_mean: [0.4914, 0.4822, 0.4465], image_std: [0.247, 0.2435, 0.2616] },
  });
  json("vocab.json", Object.fromEntries(PIECES.map((piece, id) => [piece, id])));
  write("merges.txt", "#version: 0.2\n");
  write("model.safetensors", encodeSafetensors({ tensors: weights, metadata: {} }));
}
