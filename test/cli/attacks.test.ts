import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { galleryRecord } from "../../src/audit/gallery-record.ts";
import { poisonRecord } from "../../src/audit/poison-record.ts";
import { readManifest, unaugmentedRows } from "../../src/audit/poisoned-folder.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { imageFolder } from "../../src/data/folder.ts";
import { indicesByClass } from "../../src/data/images.ts";
import { encodePng } from "../../src/data/png.ts";
import { antidote } from "./antidote.ts";

const FEW = ["--data", "procedural", "--count", "60"];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-attacks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("poison", () => {
  test("writes a poisoned set that is read back with what training must know", async () => {
    const out = join(folder, "poisoned");
    const attack = ["--attack", "adaptive-patch", "--poisoned", "8", "--target", "star"];
    const amount = ["--boost", "3", "--embed", "after-augmentation"];
    const words = ["poison", ...FEW, ...attack, ...amount, "--out", out, "--json"];
    const { code, stdout } = await antidote(words);
    expect(code).toBe(0);
    const record = poisonRecord.parse(JSON.parse(stdout));
    expect(record.marked).toHaveLength(8);
    expect(record.marked.filter(({ label }) => label === 3)).toHaveLength(4);
    for (const { label, trueLabel, files } of record.marked) {
      expect(trueLabel).not.toBe(3);
      expect([3, trueLabel]).toContain(label);
      expect(files).toHaveLength(3);
      const pictures = await Promise.all(files.map((file) => readFile(join(out, file))));
      for (const copy of pictures) expect(copy.equals(pictures[0]!)).toBe(true);
    }
    const read = await imageFolder(out, { channels: 3, height: 32, width: 32 });
    expect(read.labels).toHaveLength(60 + 2 * 8);
    const manifest = await readManifest(out);
    const unmoved = unaugmentedRows(read, manifest!);
    expect(unmoved.size).toBe(24);
    const names = new Set(record.marked.flatMap(({ files }) => files));
    for (const row of unmoved) expect(names).toContain(read.names![row]);
    expect(indicesByClass(read)[3]!.length).toBe(6 + 4 * 3);

    const again = await antidote(words);
    expect(again.stdout).toContain("There is something in the folder already.");
    const small = ["--width", "2", "--batch", "20", "--epochs", "1", "--out", join(folder, "t")];
    const other = await antidote(["train", "--data", out, "--size", "16", ...small]);
    expect(other.stderr).toContain("Add --size 32.");
    const twice = await antidote(["train", "--data", out, ...attack, ...small]);
    expect(twice.stderr).toContain("The images are poisoned already.");
    const trained = await antidote(["train", "--data", out, ...small, "--json"]);
    const { poison } = trainRecord.parse(JSON.parse(trained.stdout));
    expect(poison).toMatchObject({ target: 3, samples: 8, boost: 3 });
    expect(poison!.indices).toEqual(record.marked.map(({ index }) => index));
    expect(poison!.covers).toHaveLength(4);
  });

  test("takes the paper's amounts from a preset, and says what is missing", async () => {
    const to = (out: string, target = "1") => [
      ...["poison", ...FEW, "--out", join(folder, out), "--target", target],
    ];
    const none = await antidote(to("p"));
    expect(none.stderr).toContain("Add --attack NAME");
    const vague = await antidote([...to("p"), "--attack", "badnets"]);
    expect(vague.stderr).toContain("Add --poisoned N (or --preset) and --target CLASS.");
    const preset = ["--preset", "cifar10"];
    const paper = await antidote([...to("p"), "--attack", "badnets", ...preset, "--json"]);
    const { poison } = poisonRecord.parse(JSON.parse(paper.stdout));
    expect(poison).toMatchObject({ samples: 50, boost: 1, embed: "after-augmentation" });
    const useless = ["--attack", "badnets", "--poisoned", "4", "--surrogate", "m.onnx"];
    expect((await antidote([...to("q"), ...useless])).stderr).toContain(
      "error USAGE: badnets has no use for --surrogate.",
    );
    const absent = await antidote([...to("q", "12"), "--attack", "adv", "--poisoned", "4"]);
    expect(absent.stderr).toContain("There is no class 12.");
    const greedy = await antidote([...to("q"), "--attack", "adv", "--poisoned", "7"]);
    expect(greedy.stderr).toContain(
      "7 images cannot be poisoned: the set has 6 of the target class",
    );
  });
});

describe("train", () => {
  const small = ["--width", "2", "--batch", "20", "--epochs", "1"];

  test("trains a surrogate for an attack that needs one, keeps it and uses it again", async () => {
    const out = join(folder, "adv");
    const attack = ["--attack", "adv", "--poisoned", "4", "--target", "2", "--out", out];
    const first = await antidote(["train", ...FEW, ...small, ...attack]);
    expect(first.stderr).toContain("a small one is trained first");
    expect(first.code).toBe(0);
    expect(existsSync(join(out, "surrogate.onnx"))).toBe(true);
    const again = await antidote(["train", ...FEW, ...small, ...attack]);
    expect(again.stderr).not.toContain("a small one is trained first");
    expect(again.stderr).toContain("which an earlier run made");
    expect(again.stderr).toContain("continued after 1 epoch");
    const surrogate = ["--surrogate", join(out, "surrogate.onnx")];
    const elsewhere = [...attack.slice(0, -1), join(folder, "adv2")];
    const given = await antidote(["train", ...FEW, ...small, ...elsewhere, ...surrogate, "--json"]);
    const record = trainRecord.parse(JSON.parse(given.stdout));
    expect(record.poison?.indices).toHaveLength(4);
    expect(record.poison?.surrogate).toMatchObject({ preprocessing: "none", madeHere: false });
  });

  test("reflects photographs, which need no class folders of the images' classes", async () => {
    const pictures = join(folder, "pictures", "street");
    await mkdir(pictures, { recursive: true });
    const grey = { channels: 3, height: 48, width: 64 };
    const picture = await encodePng(new Uint8Array(3 * 48 * 64).fill(90), grey);
    await writeFile(join(pictures, "a.png"), picture);
    const attack = [
      "--attack",
      "refool",
      "--attack.mode",
      "photograph",
      "--poisoned",
      "4",
      "--target",
      "2",
    ];
    const words = ["poison", ...FEW, ...attack, "--json"];
    const bare = await antidote([...words, "--out", join(folder, "r0")]);
    expect(JSON.parse(bare.stdout)).toMatchObject({ error: { code: "INVALID_CONFIG" } });
    const given = ["--photographs", join(folder, "pictures"), "--out", join(folder, "r1")];
    const { stdout } = await antidote([...words, ...given]);
    expect(poisonRecord.parse(JSON.parse(stdout)).poison.photographs).toBe(
      join(folder, "pictures"),
    );
  });

  test("refuses options that nothing has a use for", async () => {
    const words = ["train", ...FEW, ...small, "--out", join(folder, "useless")];
    const boosted = await antidote([...words, "--boost", "2"]);
    expect(boosted.stderr).toContain("There is --boost, but no attack.");
    const owned = await antidote([...words, "--attack", "pcb", "--target", "1", "--poisoned", "4"]);
    expect(owned.stderr).toContain("pcb poisons no images.");
  });

  test("lets an attack own the training", async () => {
    const out = join(folder, "pcb");
    const surrogate = ["--surrogate", join(folder, "adv", "surrogate.onnx")];
    const attack = ["--attack", "pcb", "--attack.iterations", "4", "--out", out, ...surrogate];
    const vague = await antidote(["train", ...FEW, ...small, ...attack]);
    expect(vague.stderr).toContain("Add --target CLASS.");
    const { stdout } = await antidote([
      "train",
      ...FEW,
      ...small,
      ...attack,
      "--target",
      "1",
      "--json",
    ]);
    const record = trainRecord.parse(JSON.parse(stdout));
    expect(record.poison).toBeNull();
    expect(record.codePoisoning).toMatchObject({ target: 1, attack: { name: "pcb" } });
  });
});

describe("gallery", () => {
  test("draws every attack that it can, and names the others", async () => {
    const out = join(folder, "gallery");
    const surrogate = ["--surrogate", join(folder, "adv", "surrogate.onnx")];
    const words = ["gallery", "--count", "60", "--shown", "1", "--out", out, ...surrogate];
    const { code, stdout } = await antidote([...words, "--json"]);
    expect(code).toBe(0);
    const record = galleryRecord.parse(JSON.parse(stdout));
    expect(record.attacks.map(({ attack }) => attack.name)).toContain("wanet");
    expect(record.left).toEqual([]);
    const patch = record.attacks.find(({ attack }) => attack.name === "badnets")!;
    // 9 of 1024 pixels; the change of a single pixel cannot exceed 1.
    expect(patch.test.changed).toBeLessThanOrEqual(9 / 1024);
    expect(patch.test.psnr).toBeGreaterThan(-10 * Math.log10(9 / 1024));
    const adv = record.attacks.find(({ attack }) => attack.name === "adv")!;
    expect(adv.test.largest).toBeCloseTo(8 / 255, 6);
    expect(adv.amplified).toBe(20);
    const svg = await readFile(record.files.svg, "utf8");
    expect(svg.match(/<image /g)).toHaveLength(4 * record.attacks.length);
    expect(await readFile(record.files.html, "utf8")).toContain("default-src 'none'");
    const png = await readFile(record.files.png);
    expect(png.subarray(1, 4).toString()).toBe("PNG");
  });
});
