import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Command, command } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { fieldsOf, listed, toCamel, toKebab } from "../../src/cli/options/fields.ts";
import { resolve } from "../../src/cli/options/resolve.ts";
import { classIndex } from "../../src/cli/options/shared.ts";
import { type Invocation, parseCommandLine } from "../../src/cli/parse.ts";
import { AntidoteError } from "../../src/core/errors.ts";
import { folderWith } from "../data/temporary.ts";

const config = z.strictObject({
  steps: z.int().min(1).default(300).describe("steps"),
  classesPerBatch: z.number().gt(0).max(2).optional().describe("classes"),
  mode: z.enum(["fast", "slow"]).default("fast").describe("mode"),
  resetHead: z.boolean().default(true).describe("reset"),
  limit: z.number().nullable().default(null).describe("limit"),
});
const source = { paper: "P", authors: "A", year: 2020, deviations: [] };
const tune = { name: "tune", summary: "Tunes.", source, config };
const prune = {
  name: "prune",
  summary: "Prunes.",
  source,
  config: z.strictObject({ steps: z.string().default("all").describe("which") }),
};

const fix: Command = command({
  name: "fix",
  summary: "fix",
  description: "Fixes.",
  argument: { name: "model", description: "file" },
  options: z.strictObject({
    images: z.string().describe("images"),
    mean: z.array(z.number()).optional().describe("mean"),
    dryRun: z.boolean().default(false).describe("dry"),
  }),
  slots: {
    repair: { description: "repair", group: "Methods:", methods: { tune, prune }, default: "tune" },
  },
  examples: [],
  run: () => Promise.reject(new Error("not run")),
}) as Command;

function parse(...words: string[]): Extract<Invocation, { kind: "run" }> {
  const invocation = parseCommandLine(["fix", "m.onnx", ...words], [fix], "0.0.0");
  if (invocation.kind !== "run") throw new Error("expected a run");
  return invocation;
}

function resolved(...words: string[]) {
  const { flags, config } = parse(...words);
  return resolve(fix, flags, config);
}

async function failure(...words: string[]): Promise<AntidoteError> {
  try {
    await resolved(...words);
  } catch (error) {
    if (error instanceof AntidoteError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

describe("fields", () => {
  test("are read from the schema", () => {
    const [steps, classes, mode, head, limit] = fieldsOf(config);
    expect(steps).toMatchObject({
      flag: "steps",
      expects: "a whole number of at least 1",
      default: 300,
    });
    expect(classes).toMatchObject({
      flag: "classes-per-batch",
      expects: "a number above 0 and of at most 2",
      required: false,
    });
    expect(mode).toMatchObject({ expects: "fast or slow", placeholder: "<fast|slow>" });
    expect(head?.expects).toBe("true or false");
    expect(limit?.expects).toBe("a number or none");
  });

  test("turn texts into values, and leave what they cannot read", () => {
    const [steps, , , head, limit] = fieldsOf(config);
    expect([steps?.parse("12"), steps?.parse("1e2"), steps?.parse("x"), steps?.parse("")]).toEqual([
      12,
      100,
      "x",
      "",
    ]);
    expect([head?.parse("false"), head?.parse("no")]).toEqual([false, "no"]);
    expect([limit?.parse("none"), limit?.parse("0.5")]).toEqual([null, 0.5]);
    const [list] = fieldsOf(z.strictObject({ list: z.array(z.number()) }));
    expect(list?.parse(".5, 1,2")).toEqual([0.5, 1, 2]);
    expect(list?.expects).toBe("numbers with commas between");
  });

  test("have names in two spellings", () => {
    expect(toKebab("classesPerBatch")).toBe("classes-per-batch");
    expect(toCamel("classes-per-batch")).toBe("classesPerBatch");
    expect([listed(["a"]), listed(["a", "b", "c"])]).toEqual(["a", "a, b or c"]);
  });
});

describe("options", () => {
  test("have the defaults of their schemas", async () => {
    const { options, methods } = await resolved("--images", "d");
    expect(options).toEqual({ images: "d", dryRun: false });
    expect(methods["repair"]).toEqual({
      method: tune,
      config: { steps: 300, mode: "fast", resetHead: true, limit: null },
      ...{ given: [], isStated: false },
    });
    const named = await resolved("--images", "d", "--repair", "tune");
    expect(named.methods["repair"]).toMatchObject({ given: [], isStated: true });
  });

  test("come from dotted flags for the chosen method, each read by its own schema", async () => {
    const tuned = await resolved(
      ...["--images=d", "--repair.steps", "7", "--repair.reset-head", "false", "--mean", ".5,1"],
    );
    expect(tuned.methods["repair"]?.config).toMatchObject({ steps: 7, resetHead: false });
    expect(tuned.options).toMatchObject({ mean: [0.5, 1] });
    const pruned = await resolved("--images", "d", "--repair", "prune", "--repair.steps", "7");
    expect(pruned.methods["repair"]).toEqual({
      method: prune,
      config: { steps: "7" },
      ...{ given: ["steps"], isStated: true },
    });
  });

  test("come from YAML or JSON, with flags before the file", async () => {
    const folder = await folderWith({
      "a.yaml":
        "images: file\ndry-run: true\nrepair:\n  name: tune\n  classes-per-batch: 2\n  steps: 5\n",
      "b.json": '{"images": "json", "repair": {"classesPerBatch": 1}}',
      "c.yaml": "repair: prune\nimages: x\n",
    });
    const { options, methods } = await resolved(
      ...["--config", `${folder}/a.yaml`, "--repair.steps", "9", "--images", "flag"],
    );
    expect(options).toEqual({ images: "flag", dryRun: true });
    expect(methods["repair"]?.config).toMatchObject({ steps: 9, classesPerBatch: 2 });
    const json = await resolved("--config", `${folder}/b.json`);
    expect(json.methods["repair"]?.config).toMatchObject({ classesPerBatch: 1 });
    expect((await resolved("--config", `${folder}/c.yaml`)).methods["repair"]?.method).toBe(prune);
  });

  test.each([
    ["steps: x", "INVALID_CONFIG", /expects a whole number of at least 1, not "x"/, 4],
    ["stepz: 3", "UNKNOWN_OPTION", /"tune" has no option "stepz"/, 4],
    ["mode: slw", "INVALID_CONFIG", /expects fast or slow, not "slw"/, 4],
    [
      "steps: 1\n  steps: 2",
      "INVALID_CONFIG",
      /not valid YAML or JSON: Map keys must be unique/,
      5,
    ],
    ["resetHead: 1\n  reset-head: 1", "INVALID_CONFIG", /given twice/, 5],
    ["name: tun", "UNKNOWN_METHOD", /no repair called "tun"/, 4],
  ])("name the line of a file that is wrong: %s", async (text, code, message, line) => {
    const folder = await folderWith({ "a.yaml": `# options\nimages: d\nrepair:\n  ${text}\n` });
    const error = await failure("--config", `${folder}/a.yaml`);
    expect(error).toMatchObject({ code, place: `${folder}/a.yaml:${line}` });
    expect(error.message).toMatch(message);
  });

  test("of one method are not applied to another one that a flag names", async () => {
    const folder = await folderWith({
      "a.yaml": "images: d\nrepair:\n  name: prune\n  steps: some\n",
      "b.yaml": "images: d\nrepair: prune\n",
    });
    expect(await failure("--config", `${folder}/a.yaml`, "--repair", "tune")).toMatchObject({
      code: "INVALID_CONFIG",
      place: `${folder}/a.yaml:3`,
      message: 'The options in the file are for the repair "prune", not for "tune".',
    });
    const same = await resolved("--config", `${folder}/a.yaml`, "--repair", "prune");
    expect(same.methods["repair"]?.config).toEqual({ steps: "some" });
    // A name alone is only a default.
    const { methods } = await resolved("--config", `${folder}/b.yaml`, "--repair", "tune");
    expect(methods["repair"]?.method).toBe(tune);
  });

  test("refuse what does not exist, with the nearest name", async () => {
    const folder = await folderWith({ "a.yaml": "imges: d\n", "list.yaml": "- 1\n" });
    expect(await failure("--config", `${folder}/a.yaml`)).toMatchObject({
      code: "UNKNOWN_OPTION",
      next: "Did you mean images?",
    });
    expect(await failure("--config", `${folder}/list.yaml`)).toMatchObject({
      code: "INVALID_CONFIG",
    });
    expect(await failure("--config", `${folder}/none.yaml`)).toMatchObject({
      message: "There is no such file.",
    });
    expect(
      await failure("--images", "d", "--repair", "prune", "--repair.mode", "fast"),
    ).toMatchObject({
      code: "UNKNOWN_OPTION",
      message: 'The repair "prune" has no option "mode".',
    });
    expect(() => parse("--repiar", "tune")).toThrow(
      expect.objectContaining({ code: "UNKNOWN_OPTION", next: "Did you mean --repair?" }),
    );
    expect(await failure()).toMatchObject({ code: "USAGE", message: "--images is missing." });
  });
});

describe("help", () => {
  const exampleLines = COMMANDS.flatMap(({ name, examples }) =>
    examples.map(({ line }) => [name, line] as const),
  );

  test.each(COMMANDS.map(({ name }) => name))("%s has examples", (name) => {
    const shown = parseCommandLine([name, "--help"], COMMANDS, "0.0.0");
    expect(shown).toMatchObject({ kind: "help" });
    expect(shown.kind === "help" && shown.text).toMatch(/Examples:\n {2}# .+\n {2}\$ antidote /);
  });

  test.each(exampleLines)("%s: the example works: %s", async (name, line) => {
    const [program, ...words] = line.replace(/ [|>].*/, "").split(" ");
    const invocation = parseCommandLine(words, COMMANDS, "0.0.0");
    expect(program).toBe("antidote");
    if (invocation.kind !== "run") throw new Error("expected a run");
    expect(invocation.command.name).toBe(name);
    await resolve(invocation.command, invocation.flags, invocation.config);
  });
});

test("a target is named by its index, or by a name that is its own", () => {
  const names = ["tench", "crane", "crane"];
  expect(classIndex(2, names)).toBe(2);
  expect(classIndex("tench", names)).toBe(0);
  expect(() => classIndex("crane", names)).toThrow('2 classes are called "crane": 1, 2.');
  expect(() => classIndex("crab", names)).toThrow("no class called");
});
