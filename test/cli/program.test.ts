import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorRecord } from "../../src/audit/error-record.ts";
import { evaluateRecord } from "../../src/audit/evaluate-record.ts";
import { inspectRecord } from "../../src/audit/inspect-record.ts";
import { methodsRecord } from "../../src/audit/methods-record.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { antidote } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

let folder = "";
let [model, images, blue] = ["", "", ""];

beforeAll(async () => {
  folder = await coloursFolder();
  [model, images, blue] = ["model.onnx", "images", "blue.png"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("evaluate", () => {
  test("prints the result alone on stdout", async () => {
    const { code, stdout, stderr } = await antidote(["evaluate", model, "--images", images]);
    expect(stderr).toContain("Classes by index in front of the folder names.");
    expect(stdout).toBe("preprocessing   none\naccuracy        100% (88.6 to 100%) of 30 images\n");
    expect(code).toBe(0);
  });

  test("measures a trigger on images of other classes, as one JSON document", async () => {
    const words = ["evaluate", model, "--images", images, "--trigger", blue, "--json", "--quiet"];
    const { code, stdout, stderr } = await antidote(words);
    const record = evaluateRecord.parse(JSON.parse(stdout));
    expect(record.attackSuccess).toMatchObject({ value: 1, count: 20 });
    expect(record.target).toEqual({ index: 2, name: "blue" });
    expect(record.targetChosenBy).toBe("predictions");
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  test("adds a trigger or lays it over, towards a class that has a name", async () => {
    const words = ["evaluate", model, "--images", images, "--trigger", blue, "--json"];
    const added = await antidote([...words, "--trigger-mode", "add", "--target", "green"]);
    expect(evaluateRecord.parse(JSON.parse(added.stdout)).attackSuccess).toMatchObject({
      value: 0,
      count: 20,
    });
  });

  test("takes options from a file, and flags before it", async () => {
    const config = join(folder, "config.yaml");
    await writeFile(
      config,
      `images: ${images}\nmean: 0.5\nstd: [0.5, 0.5, 0.5]\ntarget: 2\nattack: {name: badnets, size: 8, pattern: white, opacity: 0.5}\n`,
    );
    const words = ["evaluate", model, "--config", config, "--attack.size", "2", "--json"];
    const record = evaluateRecord.parse(JSON.parse((await antidote(words)).stdout));
    expect(record.trigger).toMatchObject({
      kind: "attack",
      method: { name: "badnets", options: { size: 2, pattern: "white", opacity: 0.5, margin: 0 } },
    });
    expect(record.preprocessing).toMatchObject({ mean: [0.5, 0.5, 0.5], chosenBy: "flags" });
    expect(record.attackSuccess).toMatchObject({ value: 0, count: 20 });
  });

  test("refuses images that the model does not recognise", async () => {
    const mixed = join(folder, "swapped");
    await cp(join(images, "1_green"), join(mixed, "0_green"), { recursive: true });
    await cp(join(images, "0_red"), join(mixed, "1_red"), { recursive: true });
    await cp(join(images, "2_blue"), join(mixed, "2_blue"), { recursive: true });
    const swapped = await antidote(["evaluate", model, "--images", mixed]);
    expect(swapped.stderr).toContain("error CLASSES_MISMATCH: ");
    expect(swapped.stderr).toContain('"green" is the model\'s class 1');
    expect(swapped.code).toBe(3);
  });

  test("stops with Ctrl-C", async () => {
    const { code, stderr } = await antidote(
      ["train", "--data", images, "--epochs", "100000", "--out", join(folder, "stopped")],
      // It has begun once it says how it reads the images.
      (child) => child.stderr?.once("data", () => child.kill("SIGINT")),
    );
    expect(stderr).toContain("Stopping; Ctrl-C again to leave at once.");
    expect(stderr).toContain("stopped CANCELLED: ");
    expect(code).toBe(130);
  });
});

describe("other commands", () => {
  test("inspect shows what there is in a file", async () => {
    const { code, stdout } = await antidote(["inspect", model, "--json"]);
    const record = inspectRecord.parse(JSON.parse(stdout));
    expect(record).toMatchObject({
      image: { channels: 3, height: 8, width: 8 },
      output: "logits",
      head: { op: "MatMul", weight: "weight" },
      labels: null,
      auditable: true,
      model: { classes: 3, latent: { size: 3 }, parameters: 9 },
    });
    expect(record.model.operators).toContainEqual({ name: "MatMul", count: 1, gradient: "yes" });
    expect(code).toBe(0);
    const text = await antidote(["inspect", model]);
    expect(text.stdout).toContain("images      8×8, colour");
  });

  test("methods describes a method from its schema", async () => {
    const { stdout } = await antidote(["methods", "badnets", "--json"]);
    const [badnets] = methodsRecord.parse(JSON.parse(stdout)).methods;
    expect(badnets?.options).toContainEqual({
      name: "margin",
      flag: "--attack.margin",
      description: "pixels between the patch and the two edges",
      expects: "a whole number of at least 0",
      required: false,
      default: 0,
    });
  });

  test("methods lists every kind, the defences before training and at inference among them", async () => {
    const { stdout } = await antidote(["methods", "--json"]);
    const { methods } = methodsRecord.parse(JSON.parse(stdout));
    expect([...new Set(methods.map(({ kind }) => kind))]).toEqual([
      ...["attack", "repair", "detector", "sanitizer", "deployment"],
    ]);
    const flags = methods.flatMap(({ options }) => options.map(({ flag }) => flag));
    expect(flags).toContain("--sanitizer.epsilon");
    expect(flags).toContain("--deployment.false-rejection");
  });

  test("methods describes all that share a name", async () => {
    const { stdout } = await antidote(["methods", "neural-cleanse", "--json"]);
    const { methods } = methodsRecord.parse(JSON.parse(stdout));
    expect(methods.map(({ kind }) => kind)).toEqual(["repair", "detector"]);
  });

  test("train writes a model with a backdoor, and continues from its checkpoint", async () => {
    const out = join(folder, "trained");
    const words = [
      "train",
      "--data",
      "procedural",
      "--count",
      "40",
      "--width",
      "2",
      "--batch",
      "20",
    ];
    const poison = ["--attack", "badnets", "--target", "star", "--poisoned", "4", "--out", out];
    const first = await antidote([...words, ...poison, "--epochs", "1", "--json"]);
    const record = trainRecord.parse(JSON.parse(first.stdout));
    expect(record.poison).toMatchObject({ target: 3, samples: 4 });
    expect(record.poison?.indices).toHaveLength(4);
    expect(record.history).toHaveLength(1);
    const again = await antidote([...words, ...poison, "--epochs", "1"]);
    expect(again.stderr).toContain("continued after 1 epoch");
    const inspected = await antidote(["inspect", join(out, "model.onnx"), "--json"]);
    const { labels, model } = inspectRecord.parse(JSON.parse(inspected.stdout));
    expect(labels?.[3]).toBe("star");
    expect(model.batchNorm).toBe("live");
  });
});

describe("errors", () => {
  test.each([
    [["evaluat"], 4, "USAGE", "Did you mean evaluate?"],
    [["evaluate", "m.onnx", "--imags", "d"], 4, "UNKNOWN_OPTION", "Did you mean --images?"],
    [
      ["evaluate", "m.onnx", "--attack.marign=1"],
      4,
      "UNKNOWN_OPTION",
      "Did you mean --attack.margin?",
    ],
    [
      ["evaluate", "m.onnx", "--images", "d", "--attack", "badnet"],
      4,
      "UNKNOWN_METHOD",
      "Did you mean badnets?",
    ],
    [["evaluate", "m.onnx"], 4, "USAGE", "Add --images <path>"],
    [["evaluate", "m.onnx", "n.onnx"], 4, "USAGE", "See `antidote evaluate --help`."],
    [
      ["evaluate", "m.onnx", "--images", "d", "--target", "1"],
      4,
      "USAGE",
      "Add --trigger PNG or --attack NAME.",
    ],
    [["inspect"], 4, "USAGE", "See `antidote inspect --help`."],
    [["inspect", "missing.onnx"], 3, "MODEL_NOT_FOUND", "Check the path of the model."],
    [["inspect", "package.json"], 3, "MODEL_NOT_ONNX", "Give the path of a model exported as ONNX"],
    [[], 4, "USAGE", "See `antidote --help`."],
  ])("%j", async (words, exitCode, code, next) => {
    const plain = await antidote(words);
    expect(plain.stdout).toBe("");
    expect(plain.stderr).toMatch(new RegExp(`^error ${code}: .+\n`));
    expect(plain.stderr).toContain(`  next: ${next}`);
    expect(plain.stderr).not.toMatch(/\n\s+at [^:\s]+ \(/);
    expect(plain.code).toBe(exitCode);
  });

  test("write out control characters instead of sending them to the terminal", async () => {
    const { stderr } = await antidote(["inspect", "\u001b[31mred.onnx"]);
    expect(stderr).toContain("  at: ⟨U+001B⟩[31mred.onnx\n");
  });

  test("are one JSON document with --json, even for a wrong command line", async () => {
    const { code, stdout, stderr } = await antidote(["inspect", "missing.onnx", "--jsn", "--json"]);
    expect(errorRecord.parse(JSON.parse(stdout)).error).toMatchObject({
      code: "UNKNOWN_OPTION",
      next: "Did you mean --json?",
    });
    expect(stderr).toBe("");
    expect(code).toBe(4);
  });
});
