import { appendFile, readFile } from "node:fs/promises";
import { z } from "zod";
import { drop, natural, options, proportion, share, text } from "../../audit/record-parts.ts";
import { AntidoteError } from "../../core/errors.ts";
import { writeText } from "../../core/write-file.ts";

/** One configuration, run and judged. */
export const trial = z.strictObject({
  options: options.describe("The configuration, complete; its steps are those of the rung."),
  success: share.describe(
    "Success of the planted trigger on held-out images, on the chosen model.",
  ),
  accuracy: proportion.describe("Accuracy of the chosen model on held-out images."),
  drop: drop.describe(
    "By how much it is right less often than the poisoned copy, over all views of these images.",
  ),
  views: z
    .int()
    .min(1)
    .describe("Views of each of these images, itself among them; 1 is the image alone."),
  deployable: z.boolean().describe("Whether the drop is allowed, give or take a standard error."),
  step: natural.describe("Step of the chosen checkpoint."),
  stopped: text.nullable().describe("Why it ended before its last step; null if it did not."),
  duration: z.number().min(0).describe("Seconds that it took."),
});

export type Trial = z.infer<typeof trial>;

const HEADER = z.strictObject({ search: z.string() });

/**
 * The trials of a search, kept in a file with one JSON document per line, so that a search that was killed goes on
 * with what it had. The first line says which search they are of; half a line at the end is dropped.
 */
export class TrialJournal {
  readonly #path: string;
  readonly #trials: Trial[];

  private constructor(path: string, trials: Trial[]) {
    this.#path = path;
    this.#trials = trials;
  }

  /**
   * Opens a journal, or begins one.
   * @param search identifies all that trials depend on: model, images, configurations, seed
   * @throws `DATA_INVALID` if the file is of another search, or damaged; `OUTPUT_NOT_WRITABLE`
   */
  static async open(path: string, search: string): Promise<TrialJournal> {
    const lines = await linesOf(path);
    const trials: Trial[] = [];
    lines.forEach((line, at) => {
      if (at === 0) requireSame(path, line, search);
      else trials.push(read(path, line, at, trial));
    });
    const kept = [{ search }, ...trials].map((entry) => `${JSON.stringify(entry)}\n`);
    await writeText(path, kept.join(""));
    return new TrialJournal(path, trials);
  }

  /** The trial of these options, if it was made. */
  find(wanted: Trial["options"]): Trial | undefined {
    const text = JSON.stringify(wanted);
    return this.#trials.find(({ options }) => JSON.stringify(options) === text);
  }

  /** Adds a trial, and writes it down before returning. */
  async add(made: Trial): Promise<void> {
    try {
      await appendFile(this.#path, `${JSON.stringify(made)}\n`);
    } catch (cause) {
      throw new AntidoteError("OUTPUT_NOT_WRITABLE", "A trial cannot be written down.", {
        place: this.#path,
        next: "Make room on the disk, then run the same command again: it goes on where it was.",
        cause,
      });
    }
    this.#trials.push(made);
  }

  /** All of them, in the order in which they were made. */
  get trials(): readonly Trial[] {
    return this.#trials;
  }
}

/** Complete lines of a file; none if there is no such file. */
async function linesOf(path: string): Promise<string[]> {
  try {
    const lines = (await readFile(path, "utf8")).split("\n");
    return lines.slice(0, -1);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw damaged(path, cause);
  }
}

function requireSame(path: string, line: string, search: string): void {
  if (read(path, line, 0, HEADER).search === search) return;
  throw new AntidoteError("DATA_INVALID", "The folder holds another search.", {
    place: path,
    next: "Choose another --out, or delete this file to start anew.",
  });
}

function read<T extends z.ZodType>(path: string, line: string, at: number, schema: T): z.output<T> {
  try {
    return schema.parse(JSON.parse(line));
  } catch (cause) {
    throw damaged(`${path}:${at + 1}`, cause);
  }
}

function damaged(place: string, cause: unknown): AntidoteError {
  return new AntidoteError("DATA_INVALID", "The trials of an earlier search cannot be read.", {
    place,
    next: "Delete the file to start anew.",
    cause,
  });
}
