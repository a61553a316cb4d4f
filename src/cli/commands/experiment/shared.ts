import { z } from "zod";
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
