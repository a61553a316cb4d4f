import type { Command } from "../command.ts";
import { audit } from "./audit.ts";
import { demo } from "./demo.ts";
import { detect } from "./detect.ts";
import { evaluate } from "./evaluate.ts";
import { experimentExport } from "./experiment/export.ts";
import { experimentMerge } from "./experiment/merge.ts";
import { experimentRun } from "./experiment/run.ts";
import { experimentShow } from "./experiment/show.ts";
import { experimentStatus } from "./experiment/status.ts";
import { gallery } from "./gallery.ts";
import { inspect } from "./inspect.ts";
import { methods } from "./methods.ts";
import { poison } from "./poison.ts";
import { repair } from "./repair.ts";
import { report } from "./report.ts";
import { reproduce } from "./reproduce.ts";
import { search } from "./search.ts";
import { train } from "./train.ts";
import { zeroShot } from "./zero-shot.ts";

/** Every command, in the order of help texts. */
export const COMMANDS: readonly Command[] = [
  audit,
  demo,
  detect,
  repair,
  search,
  evaluate,
  inspect,
  zeroShot,
  train,
  poison,
  gallery,
  experimentRun,
  experimentStatus,
  experimentShow,
  experimentExport,
  experimentMerge,
  reproduce,
  report,
  methods,
];
