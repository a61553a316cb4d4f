import type { Command } from "../command.ts";
import { methods } from "./methods.ts";

/** Every command, in the order of help texts. */
export const COMMANDS: readonly Command[] = [methods];
