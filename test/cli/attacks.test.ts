import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { galleryRecord } from "../../src/audit/gallery-record.ts";
import { poisonRecord } from "../../src/audit/poison-record.ts";
import { readManifest, unaugmentedRows } from "../../src/audit/poisoned-folder.ts";
import { trainRecord } from "../../src/audit/train-record.ts";
import { imageFolder } from "../../src/data/folder.ts";
import { indicesByClass } from "../../src/data/images.ts";
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
  });

  test("takes the paper's amounts from a preset, and says what is missing", async () => {
    const words = ["poison", ...FEW, "--out", join(folder, "p"), "--target", "1"];
    const none = await antidote(words);
    expect(none.stderr).toContain("Add --attack NAME");
    const vague = await antidote([...words, "--attack", "badnets"]);
    expect(vague.stderr).toContain("Add --poisoned N (or --preset) and --target CLASS.");
    const paper = await antidote([
      ...words,
      "--attack",
      "badnets",
      "--preset",
      "cifar10",
      "--json",
    ]);
    const { poison } = poisonRecord.parse(JSON.parse(paper.stdout));
    expect(poison).toMatchObject({ samples: 50, boost: 1, embed: "after-augmentation" });
    const useless = await antidote([
      ...words,
      "--attack",
      "tsb",
      "--preset",
      "cifar10",
      "--surrogate",
      "m.onnx",
    ]);
    expect(useless.stderr).toContain("error USAGE: tsb has no use for --surrogate.");
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
    expect(again.stderr).toContain("continued after 1 epoch");
    const surrogate = ["--surrogate", join(out, "surrogate.onnx")];
    const elsewhere = [...attack.slice(0, -1), join(folder, "adv2")];
    const given = await antidote(["train", ...FEW, ...small, ...elsewhere, ...surrogate, "--json"]);
    const record = trainRecord.parse(JSON.parse(given.stdout));
    expect(record.poison?.indices).toHaveLength(4);
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
    const words = ["gallery", "--count", "60", "--images", "1", "--out", out, ...surrogate];
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
