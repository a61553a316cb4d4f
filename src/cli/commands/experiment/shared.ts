import { z } from "zod";
import { AntidoteError } from "../../../core/errors.ts";
import type { GridResult } from "../../../experiments/grid/run-grid.ts";
import { grouped } from "../../options/shared.ts";

/** The folder in which results are kept. */
export const STORE_OPTION = grouped("Results:", {
  store: z
    .string()
    .min(1)
    .default("antidote-results")
    .describe("folder of the result store")
    .meta({ placeholder: "dir" }),
});

/** The file that an experiment is described in. */
export const FILE_ARGUMENT = {
  name: "file",
  description: "YAML file that describes the experiment",
};

/** What went wrong with a grid as a whole; undefined if nothing did. */
export function incomplete({
  failed,
  blocked,
}: Pick<GridResult, "failed" | "blocked">): AntidoteError | undefined {
  if (failed.length + blocked.length === 0) return undefined;
  const [first] = failed;
  return new AntidoteError(
    first?.code ?? "INTERNAL",
    `${failed.length} trials failed and ${blocked.length} could not run without them. ${first?.message ?? ""}`.trim(),
    { next: first?.next ?? "Run the same command again: failed trials are tried anew." },
  );
}
