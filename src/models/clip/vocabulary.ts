import { z } from "zod";

/** The pieces of words that a tokenizer knows, and how it joins them. */
export interface Vocabulary {
  /** Number of every piece; `</w>` at its end marks the end of a word. */
  readonly pieces: ReadonlyMap<string, number>;
  /** Pairs of pieces that are joined, the first of the list first. */
  readonly merges: readonly (readonly [string, string])[];
}

const NUMBERS = z
  .record(z.string(), z.int().min(0).max(10_000_000))
  .transform((record) => new Map(Object.entries(record)));

const PAIR = z.union([
  z.tuple([z.string(), z.string()]),
  z.string().transform((text, context) => pairIn(text) ?? refuse(context)),
]);

/** `vocab.json`. */
export const VOCAB_FILE = NUMBERS;

/** `tokenizer.json`, as far as it differs between models of CLIP: how it cuts texts up is always the same. */
export const TOKENIZER_FILE = z
  .looseObject({
    model: z.looseObject({
      type: z.literal("BPE").optional(),
      end_of_word_suffix: z.literal("</w>"),
      vocab: NUMBERS,
      merges: z.array(PAIR),
    }),
    added_tokens: z
      .array(z.looseObject({ id: z.int().min(0), content: z.string() }))
      .nullish()
      .transform((it) => it ?? []),
  })
  .transform(
    ({ model: { vocab, merges }, added_tokens: added }): Vocabulary => ({
      pieces: new Map([...vocab, ...added.map(({ content, id }) => [content, id] as const)]),
      merges,
    }),
  );

/**
 * The pairs of `merges.txt`: one on each line, with a space between; the first line tells a version.
 * @throws a plain `Error` that names a line
 */
export function mergesIn(text: string): Vocabulary["merges"] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line === "" || (i === 0 && line.startsWith("#version"))) return [];
    const pair = pairIn(line);
    if (pair === undefined) throw new Error(`line ${i + 1} is no pair of pieces`);
    return [pair];
  });
}

function pairIn(text: string): [string, string] | undefined {
  const [left = "", right = "", ...others] = text.split(" ");
  return left !== "" && right !== "" && others.length === 0 ? [left, right] : undefined;
}

function refuse(context: z.core.$RefinementCtx<string>): typeof z.NEVER {
  context.addIssue({ code: "custom", message: "a merge is no pair of pieces" });
  return z.NEVER;
}
