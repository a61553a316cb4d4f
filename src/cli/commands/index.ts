import type { Command } from "../command.ts";
import { evaluate } from "./evaluate.ts";
import { inspect } from "./inspect.ts";
import { methods } from "./methods.ts";
import { train } from "./train.ts";

/** Every command, in the order of help texts. */
export const COMMANDS: readonly Command[] = [inspect, evaluate, train, methods];
