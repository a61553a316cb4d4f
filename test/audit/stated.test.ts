import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { readFacts, statedSize, stateOf } from "../../src/audit/stated.ts";
import { ModelProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { failureOf, folderWith } from "../data/temporary.ts";

const IMAGE = { name: "x", layout: "NCHW", channels: 3, height: 224, width: 224 } as const;

/** What a folder with these files, beside a model with this metadata, states about a model of two classes. */
async function stated(
  files: Record<string, unknown>,
  metadata: Record<string, string> = {},
  image: { channels: 1 | 3; height: number; width: number } = IMAGE,
) {
  const texts = Object.entries(files).map(([name, content]) => [
    name,
    typeof content === "string" ? content : JSON.stringify(content),
  ]);
  const folder = await folderWith(Object.fromEntries(texts));
  const metadataProps = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  const file = { path: "m.onnx", model: create(ModelProtoSchema, { metadataProps }) };
  const facts = await readFacts({ path: "m.onnx", folder, others: [] }, file);
  const { size, source } = statedSize(facts) ?? {};
  return { ...stateOf(facts, { image: { ...IMAGE, ...image }, classes: 2 }, []), size, source };
}

const PROCESSOR = {
  do_resize: true,
  size: { shortest_edge: 256 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_rescale: true,
  rescale_factor: 0.00392156862745098,
  do_normalize: true,
  image_mean: [0.485, 0.456, 0.406],
  image_std: [0.229, 0.224, 0.225],
};

describe("an image processor of Hugging Face", () => {
  test("gives preprocessing, size and the way in which pictures get it", async () => {
    const found = await stated({ "preprocessor_config.json": PROCESSOR });
    expect(found.preprocessings).toEqual([
      {
        name: "imagenet (preprocessor_config.json)",
        range: "0-1",
        channels: "rgb",
        mean: PROCESSOR.image_mean,
        std: PROCESSOR.image_std,
      },
    ]);
    expect(found.size).toEqual({ height: 224, width: 224 });
    const from = "preprocessor_config.json";
    expect(found.sizing).toEqual({ resize: 256, kernel: "cubic", from });
    expect(found.warnings).toEqual([]);
    // In proportion, where the model takes another size.
    const small = await stated({ [from]: PROCESSOR }, {}, { channels: 3, height: 112, width: 112 });
    expect(small.sizing).toEqual({ resize: 128, kernel: "cubic", from });
  });

  test("may lie in processor_config.json, and comes after the plain file", async () => {
    const nested = {
      "processor_config.json": { image_processor: PROCESSOR, processor_class: "X" },
    };
    const [first] = (await stated(nested)).preprocessings;
    expect(first!.name).toBe("imagenet (processor_config.json)");
    const both = { ...nested, "preprocessor_config.json": { ...PROCESSOR, image_mean: [0, 0, 0] } };
    expect((await stated(both)).preprocessings.map(({ name }) => name)).toEqual([
      "preprocessor_config.json",
    ]);
  });

  // y of a pixel p in 0 … 255, as the processor computes it.
  test.each<[string, object, (p: number, channel: number) => number]>([
    ["no rescaling", { do_rescale: false, do_normalize: false }, (p) => p],
    ["rescaling alone", { do_normalize: false }, (p) => p / 255],
    [
      "another factor",
      { rescale_factor: 1 / 127.5, image_mean: 1, image_std: 1 },
      (p) => p / 127.5 - 1,
    ],
    [
      "mean and std in units of pixels",
      { do_rescale: false, image_mean: [120, 110, 100], image_std: [60, 50, 40] },
      (p, c) => (p - [120, 110, 100][c]!) / [60, 50, 40][c]!,
    ],
    [
      "what older files leave out",
      { do_rescale: undefined, rescale_factor: undefined, do_normalize: undefined },
      (p, c) => (p / 255 - PROCESSOR.image_mean[c]!) / PROCESSOR.image_std[c]!,
    ],
  ])("means the same here: %s", async (_, changes, expected) => {
    const file = { "preprocessor_config.json": { ...PROCESSOR, ...changes } };
    const [{ range, mean, std }] = (await stated(file)).preprocessings as [never];
    const unit = range === "0-255" ? 255 : 1;
    for (const p of [0, 100, 255]) {
      for (const c of [0, 1, 2]) {
        expect((unit * (p / 255 - mean[c]!)) / std[c]!).toBeCloseTo(expected(p, c), 5);
      }
    }
  });

  test("swaps colours, stretches, and says nothing if it says nothing", async () => {
    const of = (processor: object) => stated({ "preprocessor_config.json": processor });
    const swapped = await of({ do_flip_channel_order: true, do_rescale: true });
    expect(swapped.preprocessings[0]).toMatchObject({
      name: "none-bgr (preprocessor_config.json)",
    });
    const vit = await of({ size: 224, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] });
    expect(vit.sizing).toMatchObject({ resize: "stretch" });
    expect(vit.size).toEqual({ height: 224, width: 224 });
    const convnext = await of({ size: { shortest_edge: 224 }, crop_pct: 0.875 });
    expect(convnext.sizing).toMatchObject({ resize: 256 });
    expect(convnext.preprocessings).toEqual([]);
  });
});

describe("timm's configuration", () => {
  const cfg = {
    input_size: [3, 224, 224],
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: "bicubic",
    crop_pct: 0.95,
  };
  const expected = { resize: 235, kernel: "cubic", from: "config.json" };

  test("gives names, preprocessing and size, also in its older form", async () => {
    const config = { architecture: "resnet18", label_names: ["cat", "dog"], pretrained_cfg: cfg };
    const found = await stated({ "config.json": config });
    expect(found.labels).toEqual({ names: ["cat", "dog"], source: "config.json (label_names)" });
    expect(found.preprocessings[0]!.name).toBe("half (config.json)");
    expect(found.sizing).toEqual(expected);
    const older = await stated({ "config.json": { architecture: "resnet18", ...cfg } });
    expect(older.sizing).toEqual(expected);
    // Without timm's mark these are another library's fields.
    expect((await stated({ "config.json": cfg })).preprocessings).toEqual([]);
  });
});

describe("precedence and disagreement", () => {
  test("Hugging Face before timm before the ONNX file before lists", async () => {
    const files = {
      "config.json": {
        id2label: { 0: "a", 1: "b" },
        architecture: "x",
        pretrained_cfg: { mean: [0, 0, 0], std: [1, 1, 1], input_size: [3, 64, 64] },
      },
      "preprocessor_config.json": PROCESSOR,
      "labels.txt": "a\nc\n",
    };
    const own = { range: "0-255", channels: "rgb", mean: [0, 0, 0], std: [1, 1, 1] };
    const metadata = { "antidote.preprocessing": JSON.stringify(own), names: '["a", "b"]' };
    const found = await stated(files, metadata);
    expect(found.labels?.source).toBe("config.json (id2label)");
    expect(found.preprocessings.map(({ name }) => name)).toEqual([
      "imagenet (preprocessor_config.json)",
      "none (config.json)",
      "0-255 (antidote.preprocessing)",
    ]);
    expect(found.source).toBe("preprocessor_config.json");
    expect(found.warnings).toEqual([
      'labels.txt names 1 of 2 classes otherwise than config.json (id2label) (class 1: "c", not "b"): the latter counts.',
    ]);
    const { "config.json": _, "preprocessor_config.json": __, ...lists } = files;
    expect((await stated(lists, metadata)).labels?.source).toBe("the model file (names)");
    expect((await stated(lists)).labels).toEqual({ names: ["a", "c"], source: "labels.txt" });
  });

  test("ONNX's own image metadata and Ultralytics' size", async () => {
    const metadata = {
      "Image.NominalPixelRange": "NominalRange_0_255",
      "Image.BitmapPixelFormat": "Bgr8",
      imgsz: "[64, 96]",
    };
    const found = await stated({}, metadata);
    expect(found.preprocessings[0]!.name).toBe("0-255-bgr (Image.NominalPixelRange)");
    expect(found.size).toEqual({ height: 64, width: 96 });
  });

  test("names that transformers makes up are none", async () => {
    const config = { id2label: { 0: "LABEL_0", 1: "LABEL_1" }, image_size: 64 };
    const found = await stated({ "config.json": config, "synset.txt": "x\ny\n" });
    expect(found.labels?.source).toBe("synset.txt");
    expect(found.size).toEqual({ height: 64, width: 64 });
  });

  test("what does not fit the model is left out with a warning", async () => {
    const grey = { channels: 1, height: 224, width: 224 } as const;
    const found = await stated({ "preprocessor_config.json": PROCESSOR }, {}, grey);
    expect(found.preprocessings).toEqual([]);
    expect(found.warnings).toEqual([
      "preprocessor_config.json states mean and std for another number of channels than the model's 1: they are not used.",
    ]);
    const zoomed = { ...PROCESSOR, size: { shortest_edge: 60_000 } };
    const { sizing, warnings } = await stated({ "preprocessor_config.json": zoomed });
    expect(sizing).toBeUndefined();
    expect(warnings[0]).toContain("fitted and cut as usual");
  });
});

describe("hostile and damaged files", () => {
  test.each<[string, string, string]>([
    ["config.json", "{", "is not JSON"],
    ["config.json", '{"id2label": {"0": {}}}', "id2label"],
    ["config.json", '{"id2label": ["a"]}', "id2label"],
    ["config.json", `${"[".repeat(1e5)}`, "is not JSON"],
    ["preprocessor_config.json", '{"image_mean": [NaN, 0, 0]}', "is not JSON"],
    ["preprocessor_config.json", '{"image_std": [0, 1, 1]}', "image_std"],
    ["preprocessor_config.json", '{"rescale_factor": -1}', "rescale_factor"],
    ["processor_config.json", '{"image_processor": {"image_mean": [1e999]}}', "image_mean"],
    ["config.json", '{"pretrained_cfg": {"input_size": [3, 1e9, 1e9]}}', "input_size"],
  ])("%s: %s", async (name, content, what) => {
    expect(await failureOf(stated({ [name]: content }))).toMatchObject({
      code: "DATA_INVALID",
      message: expect.stringContaining(what),
      place: expect.stringMatching(`/${name}$`),
      next: expect.stringContaining("path of the model itself"),
    });
  });

  test("a name like a property of every object, and an index far away", async () => {
    const odd = '{"id2label": {"0": "a", "__proto__": "b"}}';
    expect((await stated({ "config.json": odd })).labels).toBeUndefined();
    const far = { id2label: { 0: "a", 4000000000: "b" } };
    expect((await stated({ "config.json": far })).labels).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty("0");
  });
});
