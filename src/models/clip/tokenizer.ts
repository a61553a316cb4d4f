import { Tokenizer } from "@huggingface/tokenizers";
import { AntidoteError } from "../../core/errors.ts";
import type { Vocabulary } from "./vocabulary.ts";

const START = "<|startoftext|>";
const END = "<|endoftext|>";

/** Cuts texts into tokens as CLIP was trained with. */
export interface ClipTokenizer {
  /** The token that ends every text. */
  readonly end: number;
  /**
   * Start token, the text's own tokens, end token. The text is brought to lower case, its spaces to one each.
   * @throws `INVALID_CONFIG` for a text that spells a start or end token
   */
  encode(text: string): readonly number[];
}

/**
 * CLIP's tokenizer: byte-level byte-pair encoding of words in lower case (Radford et al. 2021, section 2.4). A model
 * decides the pieces alone; how texts are cut up, expressions that are matched included, is fixed here.
 * @param size how many tokens the text tower knows
 * @param place of the model, for messages
 * @throws `DATA_INVALID` if the vocabulary lacks a byte, a merge, or the start or end token, or does not fit the tower
 */
export function clipTokenizer(
  { pieces, merges }: Vocabulary,
  size: number,
  place: string,
): ClipTokenizer {
  const problem = problemWith({ pieces, merges }, size);
  if (problem !== undefined) {
    throw new AntidoteError(
      "DATA_INVALID",
      `The model's tokenizer is none of CLIP's: ${problem}.`,
      {
        place,
        next: "Fetch tokenizer.json, or vocab.json and merges.txt, again from where the model came from.",
      },
    );
  }
  const [start, end] = [pieces.get(START)!, pieces.get(END)!];
  const special = {
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: true,
  };
  const tokenizer = new Tokenizer(
    {
      added_tokens: [
        { id: start, content: START, ...special },
        { id: end, content: END, ...special },
      ],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "NFC" },
          { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
          { type: "Lowercase" },
        ],
      },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: WORDS }, behavior: "Removed", invert: true },
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
        ],
      },
      post_processor: {
        type: "RobertaProcessing",
        cls: [START, start],
        sep: [END, end],
        trim_offsets: false,
        add_prefix_space: false,
      },
      decoder: { type: "ByteLevel" },
      model: {
        type: "BPE",
        unk_token: END,
        continuing_subword_prefix: "",
        end_of_word_suffix: "</w>",
        vocab: Object.fromEntries(pieces),
        merges,
      },
    },
    {},
  );
  return {
    end,
    encode(text) {
      // The package's types cannot be resolved by an ESM project.
      const { ids } = tokenizer.encode(text) as { readonly ids: readonly number[] };
      if (!ids.slice(1, -1).some((id) => id === start || id === end)) return ids;
      throw new AntidoteError("INVALID_CONFIG", `The text "${text}" spells a start or end token.`, {
        place: text,
        next: `Leave out ${START} and ${END}: every text gets them by itself.`,
      });
    },
  };
}

/** Endings of contractions, words, single digits, and runs of other characters. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** Why texts could not be cut into these pieces; undefined if they can. */
function problemWith({ pieces, merges }: Vocabulary, size: number): string | undefined {
  for (const token of [START, END]) if (!pieces.has(token)) return `it has no ${token}`;
  for (const byte of alphabet()) {
    for (const piece of [byte, `${byte}</w>`]) {
      if (!pieces.has(piece)) return `it has no "${piece}"`;
    }
  }
  for (const [left, right] of merges) {
    if (!pieces.has(left + right)) return "it joins pieces to one that it does not have";
  }
  const known = new Set(pieces.values());
  if (known.size < pieces.size) return "two of its pieces have the same number";
  for (const id of known) {
    if (id >= size) return `it has the number ${id}, but the model knows numbers 0 to ${size - 1}`;
  }
  return undefined;
}

/** The characters that stand for the 256 bytes: printable ones for themselves, the others from 256 on. */
function alphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}
