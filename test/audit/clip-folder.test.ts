import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openClipFolder } from "../../src/audit/clip-folder.ts";
import { openModel } from "../../src/audit/open.ts";
import { encodeSafetensors } from "../../src/core/safetensors.ts";
import { float32, int64, type Tensor } from "../../src/core/tensor.ts";
import { failureOf, folderWith } from "../data/temporary.ts";
import { SMALL, smallFolder, smallWeights } from "../models/clip/small.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();

type Files = Record<string, string | Uint8Array>;

async function folder(change: (files: Files) => void = () => {}): Promise<string> {
  const files = smallFolder();
  change(files);
  return folderWith(files);
}

function weightsWith(change: (tensors: Map<string, Tensor>) => unknown): Uint8Array {
  const tensors = new Map<string, Tensor>(smallWeights());
  change(tensors);
  return encodeSafetensors({ tensors, metadata: {} });
}

/** Opens a folder and closes it again. */
async function opened(path: string) {
  const clip = await openClipFolder(path);
  await clip.weights[Symbol.asyncDispose]();
  return clip;
}

test("a folder tells shapes, tokens and preprocessing", async () => {
  const clip = await opened(await folder());
  expect(clip.shape).toEqual(SMALL);
  expect(clip.tokenizer.end).toBe(524);
  expect(clip.preprocessing).toMatchObject({
    name: "preprocessor_config.json",
    mean: [0.48145466, 0.4578275, 0.40821073],
  });
  expect(clip.warnings).toEqual([]);
});

test("what may be missing, and what is passed over", async () => {
  const path = await folder((files) => {
    delete files["tokenizer.json"];
    delete files["preprocessor_config.json"];
    files["onnx/model.onnx"] = "x";
    files["pytorch_model.bin"] = "x";
    files["model.safetensors"] = weightsWith((it) =>
      it.set("text_model.embeddings.position_ids", int64([0, 1, 2])),
    );
  });
  const clip = await opened(path);
  expect(clip.tokenizer.end).toBe(524);
  expect(clip.preprocessing.name).toBe("clip");
  expect(clip.warnings).toEqual([
    expect.stringContaining("CLIP's own are taken"),
    expect.stringContaining("onnx/model.onnx, pytorch_model.bin"),
  ]);
});

test("weights may lie in several files", async () => {
  const all = [...smallWeights()];
  const part = (some: typeof all) => encodeSafetensors({ tensors: new Map(some), metadata: {} });
  const map = all.map(([name], i) => [name, i < 20 ? "a.safetensors" : "b.safetensors"]);
  const path = await folder((files) => {
    delete files["model.safetensors"];
    files["a.safetensors"] = part(all.slice(0, 20));
    files["b.safetensors"] = part(all.slice(20));
    files["model.safetensors.index.json"] = JSON.stringify({ weight_map: Object.fromEntries(map) });
  });
  const { weights, warnings } = await opened(path);
  expect(weights.files).toHaveLength(3);
  expect(warnings).toEqual([]);
});

describe("is refused by name", () => {
  test.each<[string, (files: Files) => unknown, object]>([
    ["without config.json", (it) => delete it["config.json"], { code: "MODEL_NOT_FOUND" }],
    [
      "without tokens",
      (it) => {
        delete it["tokenizer.json"];
        delete it["merges.txt"];
      },
      { code: "MODEL_NOT_FOUND", message: "The folder has no tokenizer.json." },
    ],
    [
      "without weights",
      (it) => delete it["model.safetensors"],
      { code: "MODEL_NOT_FOUND", message: "The folder holds no safetensors." },
    ],
    [
      "with a pickle alone",
      (it) => {
        delete it["model.safetensors"];
        it["pytorch_model.bin"] = "x";
      },
      { code: "MODEL_NOT_ONNX", next: expect.stringContaining("a CLIP model, make safetensors") },
    ],
    [
      "another architecture",
      (it) => {
        it["config.json"] = '{"model_type": "siglip"}';
      },
      {
        code: "DATA_INVALID",
        message: "This folder holds a siglip model; only CLIP is known here.",
        next: expect.stringContaining("folder of a CLIP model"),
      },
    ],
    [
      "no stated architecture",
      (it) => {
        it["config.json"] = "{}";
      },
      { code: "DATA_INVALID", message: expect.stringContaining("states no model_type") },
    ],
    [
      "with shapes beyond all bounds",
      (it) => {
        it["config.json"] = '{"model_type": "clip", "projection_dim": 1e12}';
      },
      {
        code: "DATA_INVALID",
        message: expect.stringMatching(/unexpected: projection_dim: [^\n]*\.$/),
        next: expect.not.stringContaining("path of the model itself"),
      },
    ],
    [
      "with heads that do not divide the width",
      (it) => {
        it["config.json"] = '{"model_type": "clip", "text_config": {"num_attention_heads": 5}}';
      },
      { code: "DATA_INVALID", message: expect.stringContaining("multiple") },
    ],
    [
      "with other shapes than its weights",
      (it) => {
        it["config.json"] = (it["config.json"] as string).replace(": 64,", ": 80,");
      },
      { code: "MODEL_UNKNOWN_WEIGHTS", message: expect.stringContaining("instead of [80, 48]") },
    ],
    [
      "with a tensor too few",
      (it) => {
        it["model.safetensors"] = weightsWith((all) => all.delete("logit_scale"));
      },
      { code: "MODEL_UNKNOWN_WEIGHTS", message: expect.stringContaining("lack logit_scale") },
    ],
    [
      "with a tensor too many",
      (it) => {
        it["model.safetensors"] = weightsWith((all) => all.set("extra", float32([1], [1])));
      },
      { code: "MODEL_UNKNOWN_WEIGHTS", message: expect.stringContaining("hold extra as well") },
    ],
    [
      "with a damaged list of merges",
      (it) => {
        delete it["tokenizer.json"];
        it["merges.txt"] = "p h o\n";
      },
      { code: "DATA_INVALID", message: expect.stringContaining("line 1") },
    ],
  ])("%s", async (_, change, error) => {
    const path = await folder((files) => {
      change(files);
    });
    expect(await failureOf(openClipFolder(path))).toMatchObject(error);
  });

  test("a link out of it", async () => {
    const path = await folder();
    const elsewhere = await folderWith({ "vocab.json": "{}" });
    await rm(join(path, "tokenizer.json"));
    await rm(join(path, "vocab.json"));
    await symlink(join(elsewhere, "vocab.json"), join(path, "vocab.json"));
    expect(await failureOf(openClipFolder(path))).toMatchObject({ code: "EXTERNAL_DATA_OUTSIDE" });
  });

  test("what is no folder", async () => {
    const path = await folder();
    const nothing = { "model.safetensors": "a file, not a folder", gone: "no such folder" };
    for (const [name, what] of Object.entries(nothing)) {
      const failing = openClipFolder(join(path, name));
      expect(await failureOf(failing)).toMatchObject({
        code: "MODEL_NOT_FOUND",
        message: expect.stringContaining(what),
      });
    }
    const empty = await folderWith({});
    await mkdir(join(empty, "config.json"));
    expect(await failureOf(openClipFolder(empty))).toMatchObject({ code: "DATA_INVALID" });
    await writeFile(join(path, "config.json"), "{");
    expect(await failureOf(openClipFolder(path))).toMatchObject({ code: "DATA_INVALID" });
  });
});

test("where a classifier is expected, a CLIP model's weights point to the command", async () => {
  expect(await failureOf(openModel(device, await folder()))).toMatchObject({
    code: "MODEL_UNKNOWN_WEIGHTS",
    next: expect.stringContaining("antidote zero-shot"),
  });
});
