/**
 * Class and tensor names come out of files that an attacker may have written. Control characters could
 * drive a terminal, and bidirectional overrides could make a name read as another.
 */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;

/** Harmless format characters: joiners that scripts and symbols need. */
const JOINERS = new Set(["\u200c", "\u200d"]);

/** The text with every control and invisible format character written out, as in "⟨U+202E⟩". */
export function visible(text: string): string {
  return text.replace(DECEPTIVE, (character) => {
    if (JOINERS.has(character)) return character;
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `⟨U+${code}⟩`;
  });
}

/** The text in at most `length` characters; a longer one ends in an ellipsis. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length
    ? text
    : `${characters
        .slice(0, length - 1)
        .join("")
        .trimEnd()}…`;
}
