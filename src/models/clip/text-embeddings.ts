import { AntidoteError } from "../../core/errors.ts";
import { type FloatTensor, float32, int64 } from "../../core/tensor.ts";
import { GraphBuilder } from "../../onnx/builder.ts";
import type { RunContext } from "../../runtime/context.ts";
import type { ClipShape } from "./config.ts";
import { unitLength } from "./layers.ts";
import { textTower } from "./text-tower.ts";
import type { ClipTokenizer } from "./tokenizer.ts";

/** Texts in one run: their activations take some tens of megabytes. */
const BATCH = 64;

const STAGE = "text embeddings";

/**
 * The embeddings of texts, each of length 1.
 * @param parameters of the text tower
 * @returns [texts,projection]
 * @throws `INVALID_CONFIG` for a text that is longer than the model reads; `CANCELLED`; `RUNTIME_FAILED`
 */
export async function textEmbeddings(
  { device, emit, signal }: Pick<RunContext, "device" | "emit" | "signal">,
  shape: ClipShape,
  parameters: ReadonlyMap<string, FloatTensor>,
  tokenizer: ClipTokenizer,
  texts: readonly string[],
): Promise<FloatTensor> {
  const tokens = texts.map((text) => tokensOf(text, tokenizer, shape));
  // No position sees later ones, so all texts may be as long as the longest, filled up with its end.
  const length = tokens.reduce((longest, ids) => Math.max(longest, ids.length), 0);
  const size = Math.min(BATCH, texts.length);
  const b = new GraphBuilder();
  const at = (name: string) => b.constant(parameters.get(name)!, name);
  const input = b.input("tokens", "int64", [size, length]); // [B,L]
  b.output("embeddings", unitLength(b, textTower({ b, at }, input, shape, tokenizer.end)));
  await using program = await device.compile(b.build());

  const all = new Float32Array(texts.length * shape.projection);
  for (let start = 0; start < texts.length; start += size) {
    const rows = Array.from({ length: size }, (_, row) => tokens[start + row] ?? []);
    const filled = rows.flatMap((ids) =>
      Array.from({ length }, (_, place) => ids[place] ?? tokenizer.end),
    );
    const outputs = await program.run({ tokens: int64(filled, [size, length]) }, { signal });
    const found = outputs["embeddings"]!.data as Float32Array; // [B,p]
    const done = Math.min(start + size, texts.length);
    all.set(found.subarray(0, (done - start) * shape.projection), start * shape.projection);
    emit({ kind: "step", stage: STAGE, done, total: texts.length });
  }
  return float32([texts.length, shape.projection], all);
}

function tokensOf(text: string, tokenizer: ClipTokenizer, { text: tower }: ClipShape) {
  const ids = tokenizer.encode(text);
  if (ids.length <= tower.positions) return ids;
  throw new AntidoteError(
    "INVALID_CONFIG",
    `The text "${text.slice(0, 60)}…" has ${ids.length} tokens; the model reads ${tower.positions}.`,
    { place: text.slice(0, 60), next: "Shorten the class name or the template." },
  );
}
