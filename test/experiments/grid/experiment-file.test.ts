import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FILE_DETAILS } from "../../../src/cli/commands/experiment/shared.ts";
import { choicesOf } from "../../../src/experiments/grid/choices.ts";
import { expand } from "../../../src/experiments/grid/expand.ts";
import {
  type Experiment,
  readExperiment,
  sourceOf,
} from "../../../src/experiments/grid/experiment-file.ts";
import { encodeGraph } from "../../../src/onnx/encode.ts";
import { folderWith } from "../../data/temporary.ts";
import { plainNet } from "../../support/networks.ts";
import { IMAGES } from "./fixtures.ts";

const DOCS = readFileSync(new URL("../../../docs/experiments.md", import.meta.url), "utf8");

const LOGITS = { name: "logits", type: "float32", shape: [null, 5] } as const;
const MODEL = encodeGraph({ ...plainNet(8), values: new Map([["logits", LOGITS]]) });

const read = async (text: string, name = "grid.yaml"): Promise<Experiment> =>
  readExperiment(join(await folderWith({ [name]: text }), name));

describe("an experiment file", () => {
  test.each([
    ["repairs:\n  - nad\n  - pivotal-tunning", "UNKNOWN_METHOD", "grid.yaml:4, repair"],
    ["repairs:\n  - name: nad\n    step: 3", ...["INVALID_CONFIG", "grid.yaml:3, repair nad"]],
    ["attacks:\n  - wanet", "INVALID_CONFIG", "grid.yaml:3, attacks"],
    ["reference: nothing", "UNKNOWN_METHOD", "grid.yaml:2, repair"],
  ])("says in which line a method is wrong: %j", async (text, code, place) => {
    await expect(read(`data: procedural\n${text}`)).rejects.toMatchObject({
      ...{ code, place: expect.stringMatching(new RegExp(`${place}$`)) },
    });
  });

  test.each([
    ["attacks:\n  - {name: badnets, poisoned: 5}\ntarget: 5", "grid.yaml:4, target"],
    ["attacks:\n  - {name: badnets, poisoned: 161}", "grid.yaml:3, attacks"],
    ["attacks:\n  - name: badnets\n    poisoned:\n      - 5\n      - 161", "grid.yaml:6, attacks"],
    [
      "attacks:\n  - {name: adv, poisoned: 5}\n  - adaptive-blend\npreset: imagenet",
      "grid.yaml:4, attacks",
    ],
    ["attacks:\n  - name: badnets\n    poisoned: 5\n    size: 90", "grid.yaml:5, attacks"],
    ["detectors: [mm-bd]\ntrusted:\n  - 50\n  - 201", "grid.yaml:5, trusted"],
    ["detectors: [mm-bd]", "grid.yaml, trusted"],
    ["repairs: [nad]", "grid.yaml:2, repairs"],
    ["repairs: [nad]\ncombine: true", "grid.yaml:3, combine"],
    ["clean-models: 0", "grid.yaml:2, cleanModels"],
  ])("says in which line the images do not allow something: %j", async (text, place) => {
    const plan = await read(`data: procedural\n${text}`);
    expect(() => expand(plan, IMAGES)).toThrow(
      expect.objectContaining({ place: expect.stringMatching(new RegExp(`${place}$`)) }),
    );
  });

  test("may give one value where several may stand", async () => {
    const several = await read(`
data: procedural
attacks: [{name: badnets, poisoned: [5]}]
trusted: [0.25]
repairs: [nad]
detectors: [{name: mm-bd, steps: 3}]
sanitizers: [spectral-signatures]
deployments: [strip]
`);
    const one = await read(`
data: procedural
attacks: {name: badnets, poisoned: 5}
trusted: 0.25
repairs: nad
detectors: {name: mm-bd, steps: 3}
sanitizers: spectral-signatures
deployments: strip
`);
    const keys = (plan: Experiment) => expand(plan, IMAGES).map(({ key }) => key);
    expect(keys(one)).toEqual(keys(several));
    expect(keys(one)).toHaveLength(2 * 2 + 2 + 2);
  });

  test("needs nothing but the images", async () => {
    const plan = await read("data: procedural");
    expect(plan).toMatchObject({
      ...{ name: "grid", data: "procedural", attacks: [], seeds: 1, cleanModels: 1 },
      ...{ trusted: [0.01], allowedDrop: 0.02, heldOut: 0.2, testImages: 2000 },
      ...{
        network: { width: 32 },
        training: { epochs: 8, learningRate: 0.2 },
        reference: { name: "pivotal-tuning" },
      },
    });
    expect(plan.test).toBeUndefined();
  });

  test("names images from its own folder", async () => {
    const folder = await folderWith({ "grid.yaml": "data: images\ntest: /elsewhere" });
    const plan = await readExperiment(join(folder, "grid.yaml"));
    // What the store remembers is as it was written: it may be shared.
    expect(plan).toMatchObject({ data: "images", test: "/elsewhere" });
    const source = sourceOf(plan, folder);
    expect(source).toMatchObject({ data: join(folder, "images"), test: "/elsewhere" });
  });

  test("may name a trained model to start from, from its own folder and by its digest", async () => {
    const about = "data: procedural\nnetwork: {from: start.onnx, preprocessing: half";
    const folder = await folderWith({
      "start.onnx": MODEL,
      "grid.yaml": `${about}}`,
      "other.yaml": `${about}, sha256: "${"0".repeat(64)}"}`,
      "missing.yaml": "data: procedural\nnetwork: {from: gone.onnx}",
      "misspelt.yaml": "data: procedural\nnetwork: {from: start.onnx, preprocesing: half}",
      "both.yaml": "data: procedural\nnetwork: {from: start.onnx, width: 8}",
    });
    const plan = await readExperiment(join(folder, "grid.yaml"));
    const sha256 = createHash("sha256").update(MODEL).digest("hex");
    const from = join(folder, "start.onnx");
    expect(plan.network).toEqual({ from: "start.onnx", preprocessing: "half", sha256 });
    expect(sourceOf(plan, folder)).toMatchObject({ data: "procedural", pretrained: from });
    expect(plan.training.learningRate).toBe(0.001);
    await expect(readExperiment(join(folder, "other.yaml"))).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", place: from },
      message: expect.stringContaining(sha256),
    });
    await expect(readExperiment(join(folder, "missing.yaml"))).rejects.toMatchObject({
      ...{ code: "MODEL_NOT_FOUND", place: join(folder, "gone.onnx") },
    });
    await expect(readExperiment(join(folder, "misspelt.yaml"))).rejects.toMatchObject({
      message: '"network.preprocesing" is unknown.',
      next: "Did you mean preprocessing?",
    });
    await expect(readExperiment(join(folder, "both.yaml"))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^"network.(from|width)" does not go with what is beside it.$/,
      ),
      next: expect.not.stringContaining("Did you mean"),
    });
    const surrogates = (attack: string) =>
      expand({ ...plan, attacks: [{ name: attack, poisoned: [9] }] }, IMAGES).flatMap(
        ({ config }) => (config.kind === "model" ? [config.network] : []),
      );
    // Trials know the file by its digest alone, and attackers begin with it, too.
    expect(surrogates("adv")).toEqual(Array(3).fill({ sha256, preprocessing: "half" }));
  });

  test("may be JSON, and bear a name of its own", async () => {
    const plan = await read('{"name": "figure-5", "data": "procedural"}', "x.json");
    expect(plan.name).toBe("figure-5");
  });

  test("is the same in camelCase and kebab-case, in whatever order", async () => {
    const one = await read(`
data: procedural
cleanModels: 2
training: {learningRate: 0.1, weightDecay: 0}
attacks:
  - {name: badnets, poisoned: [5, 10], size: 2, opacity: 0.5}
repairs: [{name: weight-decay, steps: 9, learningRate: 0.02}]
trusted: [50]
`);
    const other = await read(`
trusted:
  - 50
repairs:
  - learning-rate: 0.02
    name: weight-decay
    steps: 9
attacks:
  - opacity: 0.5
    poisoned: [5, 10]
    size: 2
    name: badnets
training: {weight-decay: 0, learning-rate: 0.1}
clean-models: 2
data: procedural
`);
    const keys = (plan: Experiment) => expand(plan, IMAGES).map(({ key }) => key);
    expect(keys(one)).toHaveLength(2 + 2 + 2);
    expect(keys(other)).toEqual(keys(one));
  });

  test.each([
    ["a part that is not there", "attacks: *x", "Unresolved alias"],
    ["a part that holds itself", "attacks: &x [*x]", "circular"],
  ])("may not repeat %s", async (_, line, reason) => {
    await expect(read(`data: procedural\n${line}\n`)).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", message: expect.stringContaining(reason) },
    });
  });

  test("may repeat a part by an anchor", async () => {
    const plan = await read(`
data: procedural
repairs:
  - &tuned {name: weight-decay, learning-rate: 0.02}
  - nad
attacks: []
reference: *tuned
`);
    expect(plan.reference).toEqual({ name: "weight-decay", learningRate: 0.02 });
  });
});

describe("the examples", () => {
  test.each([
    ["of the help", FILE_DETAILS.example],
    ["of docs/experiments.md", /```yaml\n(.*?)```/s.exec(DOCS)![1]!],
  ])("%s are valid to the last option", async (_, text) => {
    const { attacks, repairs, detectors } = choicesOf(await read(text));
    expect(attacks.length * repairs.length * detectors.length).toBeGreaterThan(1);
  });
});

describe("a mistake in an experiment file is named with its line:", () => {
  const valid = "data: procedural\n";
  test.each([
    [
      "an unknown key",
      `${valid}atacks: [badnets]`,
      2,
      '"atacks" is unknown.',
      "Did you mean attacks?",
    ],
    [
      "one further inside",
      `${valid}training:\n  batch: 8\n  epoch: 3`,
      4,
      '"training.epoch" is unknown.',
      "Did you mean epochs?",
    ],
    [
      "in kebab-case",
      `${valid}training:\n  learning-rat: 3`,
      3,
      '"training.learningRat" is unknown.',
      "Did you mean learningRate?",
    ],
    [
      "a value out of range",
      `${valid}training: {epochs: 0}`,
      2,
      '"training.epochs" is wrong: too small',
      "--help",
    ],
    [
      "a value of another kind",
      `${valid}\nseeds: many`,
      3,
      '"seeds" is wrong: expected number',
      "--help",
    ],
    ["missing images", "seeds: 1", "", '"data" is wrong: expected string', "--help"],
    [
      "no method",
      `${valid}repairs:\n  - nad\n  - 3`,
      4,
      '"repairs[1]" is wrong: expected the name of a method',
      "--help",
    ],
    [
      "a method without a name",
      `${valid}repairs:\n  - {steps: 3}`,
      3,
      '"repairs[0].name" is wrong',
      "--help",
    ],
    [
      "an amount of nothing",
      `${valid}attacks:\n  - name: badnets\n    poisoned: 0`,
      4,
      '"attacks[0].poisoned" is wrong: too small: expected number to be >=1',
      "--help",
    ],
    [
      "a name that is no file name",
      `${valid}name: a/b`,
      2,
      '"name" is wrong: expected letters, digits, dots, dashes and underscores alone.',
      "--help",
    ],
    [
      "a share in per cent",
      `${valid}trusted: [5%]`,
      2,
      '"trusted[0]" is wrong: expected a number, such as 0.05 for 5 %',
      "--help",
    ],
    [
      "what is none of the choices",
      `${valid}attacks:\n  - {name: badnets, poisoned: 5, embed: after}`,
      3,
      '"attacks[0].embed" is wrong: expected one of before-augmentation, after-augmentation.',
      "--help",
    ],
    [
      "a wrong value by itself where several may stand",
      `${valid}seeds: 2\nrepairs: {steps: 3}`,
      3,
      '"repairs[0].name" is wrong',
      "--help",
    ],
    ["a key given twice", `${valid}data: x`, 2, "Map keys must be unique", "Correct this line."],
    ["no YAML", `${valid}attacks: {`, 2, "not valid YAML", "Correct this line."],
    ["nothing at all", "", "", "no keys with values", "data: "],
    ["a text", "hello", "", "no keys with values", "data: "],
    ["a list", "- data", "", "no keys with values", "data: "],
  ])("%s", async (_, text, line, message, next) => {
    const folder = await folderWith({ "grid.yaml": text });
    const path = join(folder, "grid.yaml");
    await expect(readExperiment(path)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining(message),
      place: line === "" ? path : `${path}:${line}`,
      next: expect.stringContaining(next),
    });
  });

  test("all of them at once", async () => {
    await expect(read("atacks: []\ntraining: {epoch: 3}")).rejects.toMatchObject({
      message: expect.stringMatching(/"data".*"training.epoch".*"atacks"/),
      next: "Did you mean epochs and attacks?",
    });
  });

  test("a key in both forms", async () => {
    await expect(read(`${valid}clean-models: 1\ncleanModels: 2`)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: '"cleanModels" is given twice.',
    });
  });

  test("no file, or a folder", async () => {
    const folder = await folderWith({});
    await expect(readExperiment(join(folder, "grid.yaml"))).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", message: "There is no such file." },
    });
    await expect(readExperiment(folder)).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIG", message: "The file cannot be read.", place: folder },
    });
  });

  test("parts that multiply", async () => {
    const levels = Array.from({ length: 12 }, (_, i) => {
      const inner = i === 0 ? "x" : `*l${i - 1}`;
      return `l${i}: &l${i} [${Array(12).fill(inner).join(", ")}]`;
    });
    await expect(read(levels.join("\n"))).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});
