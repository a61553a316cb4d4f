import { claims } from "./claims.ts";
import { figure4 } from "./figure-4.ts";
import { figure5 } from "./figure-5.ts";
import { figure6 } from "./figure-6.ts";
import { figure7, figure7Clip } from "./figure-7.ts";
import { figure9 } from "./figure-9.ts";
import { table2 } from "./table-2.ts";
import { table3 } from "./table-3.ts";
import { table5 } from "./table-5.ts";

/** Every table and figure that is made of trials, by name. Figure 8 shows pictures alone: `antidote gallery`. */
export const ARTEFACTS = {
  "table-2": table2,
  "table-3": table3,
  "table-5": table5,
  "figure-4": figure4,
  "figure-5": figure5,
  "figure-6": figure6,
  "figure-7": figure7,
  "figure-7-clip": figure7Clip,
  "figure-9": figure9,
  claims,
} as const;

/** Those that are about other networks than ResNet-18, by what they are of. */
export const ON_CLIP: Readonly<Record<string, ArtefactName>> = { "figure-7": "figure-7-clip" };

export type ArtefactName = keyof typeof ARTEFACTS;
