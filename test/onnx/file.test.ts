import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AntidoteError, type ErrorCode } from "../../src/core/errors.ts";
import { Random } from "../../src/core/random.ts";
import { float32, zeros } from "../../src/core/tensor.ts";
import { readOnnxFile, writeOnnxFile } from "../../src/onnx/file.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { parseModel } from "../../src/onnx/parse.ts";
import {
  type ModelProto,
  StringStringEntryProtoSchema,
} from "../../src/onnx/proto/generated/onnx_pb.ts";
import { encodeTensor } from "../../src/onnx/tensors.ts";
import { bytes, model, node, value } from "./build.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-file-"));
});
afterEach(() => rm(folder, { recursive: true }));

const small = () =>
  model({
    nodes: [node("MatMul", ["x", "w"], ["y"])],
    inputs: [value("x", ["N", 3])],
    outputs: [value("y")],
    constants: { w: float32([3, 2], [1, 2, 3, 4, 5, 6]) },
  });

async function expectRefused(
  content: Uint8Array | string,
  code: ErrorCode,
): Promise<AntidoteError> {
  const path = join(folder, "model.onnx");
  await writeFile(path, content);
  const error = await readOnnxFile(path).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AntidoteError);
  expect(error).toMatchObject({ code, place: path, next: expect.any(String) });
  return error as AntidoteError;
}

/** Temporary files get names that a test can foresee. */
vi.mock("node:crypto", async (original) => ({
  ...(await original<typeof import("node:crypto")>()),
  randomBytes: (size: number) => Buffer.alloc(size),
}));

/** The error for a file of this content and name. */
function refused(content: string, name: string): AntidoteError {
  try {
    parseModel(Uint8Array.from(Buffer.from(content, "latin1")), name);
  } catch (error) {
    return error as AntidoteError;
  }
  throw new Error("expected a failure");
}

describe("reading", () => {
  it("refuses what is not there, or not a file", async () => {
    const missing = readOnnxFile(join(folder, "missing.onnx"));
    await expect(missing).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    await expect(readOnnxFile(folder)).rejects.toMatchObject({ code: "MODEL_NOT_ONNX" });
  });

  it.each([
    ["PK\x03\x04model.pt", /torch\.onnx\.export/],
    ["\x80\x02}q\x00", /torch\.onnx\.export.*weights_only=True/],
    ["\x89HDF\r\n", /tf2onnx/],
    ["\x1c\0\0\0TFL3", /tf2onnx/],
    ['\x10\0\0\0\0\0\0\0{"a":{}}', /model\.safetensors/],
    ["version https://git-lfs.github.com/spec/v1\n", /git lfs pull/],
    ["\x1f\x8b\b", /[Uu]npack/],
  ])("recognises %j", async (start, advice) => {
    const content = Buffer.from(start.padEnd(100, "\0"), "latin1");
    expect((await expectRefused(content, "MODEL_NOT_ONNX")).next).toMatch(advice);
  });

  it("refuses checkpoints by content or by name, with a line that converts them and runs nothing", () => {
    for (const content of ["PK\x03\x04 as newer versions", "\x80\x02 as older ones", "(dp0\n"]) {
      const { code, message, next } = refused(content, "runs/best.ckpt");
      expect(code).toBe("MODEL_NOT_ONNX");
      expect(message).toContain('"best.ckpt" is a checkpoint');
      expect(next).toContain("torch.load('runs/best.ckpt', map_location='cpu', weights_only=True)");
    }
    // What a user copies into a shell must not be chosen by the file's maker.
    const hostile = [
      "x');import os;os.system('id').pkl",
      "$(id).pt",
      "`id`.pt",
      '"; id; ".pt',
      "a\\.pt",
      "a\n.pt",
    ];
    for (const name of hostile) {
      const { next } = refused("(dp0\n", name);
      expect(next, name).toContain("torch.load('model.pth'");
      expect(next, name).toContain("copy the checkpoint to model.pth");
      expect(next, name).not.toContain(name);
    }
  });

  it("converts the checkpoints that training scripts write", () => {
    const convert = (name: string) => {
      const { next } = refused("(dp0\n", name);
      expect(next).toContain('pip install "torch>=2.10" safetensors');
      return /`python3 -c "(.*)"`\.$/.exec(next!)![1]!;
    };
    const program = convert("/my models/größer/best-1.ckpt");
    expect(program).toContain("torch.load('/my models/größer/best-1.ckpt', ");
    // Nothing in it that the shell would expand or that would end its quotes.
    expect(program).not.toMatch(/["$`\\!]/);
    expect(program).toContain("('state_dict', 'model_state_dict', 'model', 'net')");
    expect(program).toContain(
      "{k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}",
    );
  });

  it("refuses text, images and nothing at all", async () => {
    await expectRefused("", "MODEL_TRUNCATED");
    await expectRefused("hello, this is no model\n".repeat(50), "MODEL_NOT_ONNX");
    await expectRefused(Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), "MODEL_NOT_ONNX");
    await expectRefused(new Uint8Array(1000), "MODEL_NOT_ONNX");
  });

  it("says that a model is cut short, wherever it is", () => {
    const complete = bytes(small());
    const accepted: number[] = [];
    for (let length = 1; length <= complete.length; length++) {
      try {
        parseModel(complete.subarray(0, length), "cut.onnx");
        accepted.push(length);
      } catch (error) {
        expect(error, `${length} bytes`).toMatchObject({ code: "MODEL_TRUNCATED" });
      }
    }
    // Without its last field, the import of a second domain, this is a complete model as well.
    expect(accepted).toEqual([complete.length - 11, complete.length]);
  });

  it("survives damage anywhere with an error of its own, or none", () => {
    const random = Random.fromSeed(1);
    const complete = bytes(small());
    for (let trial = 0; trial < 2000; trial++) {
      const damaged = complete.slice();
      for (let i = 0; i < 3; i++) {
        damaged[random.integer(0, damaged.length)] = random.integer(0, 256);
      }
      try {
        importGraph({ path: "damaged.onnx", model: parseModel(damaged, "damaged.onnx") });
      } catch (error) {
        expect(error).toBeInstanceOf(AntidoteError);
        expect((error as AntidoteError).category).toBe("input");
        expect((error as AntidoteError).code).not.toBe("INTERNAL");
      }
    }
  });

  it("refuses nesting that would exhaust the stack", async () => {
    // graph → node → attribute → graph → …
    let nested = new Uint8Array();
    for (let depth = 0; depth < 3_000; depth++) {
      const field = [6, 5, 1][depth % 3]!;
      nested = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(nested).finish();
    }
    const hostile = new BinaryWriter().tag(1, WireType.Varint).int64(8n);
    hostile.tag(7, WireType.LengthDelimited).bytes(nested);
    const error = await expectRefused(hostile.finish(), "MODEL_INVALID");
    expect(error.message).toMatch(/depth/);
  });

  it("refuses a file beyond the limit before reading it", async () => {
    const path = join(folder, "large.onnx");
    await writeFile(path, "");
    await truncate(path, 3 * 2 ** 30);
    await expect(readOnnxFile(path)).rejects.toMatchObject({ code: "MODEL_TOO_LARGE" });
    await writeFile(path, bytes(small()));
    await expect(readOnnxFile(path, 50)).rejects.toMatchObject({ code: "MODEL_TOO_LARGE" });
  });

  it("keeps fields that it does not know", async () => {
    const unknown = new BinaryWriter().tag(999, WireType.LengthDelimited).string("future").finish();
    const content = Buffer.concat([bytes(small()), unknown]);
    const path = join(folder, "future.onnx");
    await writeFile(path, content);
    const copy = join(folder, "copy.onnx");
    await writeOnnxFile(copy, await readOnnxFile(path));
    expect((await readFile(copy)).equals(content)).toBe(true);
  });
});

describe("external data", () => {
  function withExternal(entries: Record<string, string>): ModelProto {
    const proto = small();
    const weight = encodeTensor(zeros([3, 2]), "w");
    weight.rawData = new Uint8Array();
    weight.dataLocation = 1;
    weight.externalData = Object.entries(entries).map(([key, text]) =>
      create(StringStringEntryProtoSchema, { key, value: text }),
    );
    proto.graph!.initializer = [weight];
    return proto;
  }
  const data = Buffer.from(Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6).buffer);

  it("is read from the model's folder and below", async () => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "sub", "w.bin"), data);
    const path = join(folder, "model.onnx");
    const entries = { location: "sub/../sub/w.bin", offset: "8", length: "24" };
    await writeFile(path, bytes(withExternal(entries)));
    const { constants } = importGraph(await readOnnxFile(path));
    expect(constants.get("w")).toEqual(float32([3, 2], [1, 2, 3, 4, 5, 6]));
    const size = bytes(withExternal(entries)).length;
    await expect(readOnnxFile(path, size + 24)).resolves.toBeDefined();
    await expect(readOnnxFile(path, size + 23)).rejects.toMatchObject({ code: "MODEL_TOO_LARGE" });
  });

  it("is never read from anywhere else", async () => {
    const inside = join(folder, "inside");
    await mkdir(inside);
    await writeFile(join(folder, "secret"), data);
    await symlink(join(folder, "secret"), join(inside, "link"));
    await symlink(folder, join(inside, "up"));
    const path = join(inside, "model.onnx");
    for (const location of [
      "../secret",
      "/etc/passwd",
      "link",
      "up/secret",
      "a/../../secret",
      ".",
    ]) {
      await writeFile(path, bytes(withExternal({ location })));
      const reading = readOnnxFile(path);
      await expect(reading, location).rejects.toMatchObject({ code: "EXTERNAL_DATA_OUTSIDE" });
    }
  });

  it.each<[string, Record<string, string>, ErrorCode]>([
    ["a missing file", { location: "gone.bin" }, "EXTERNAL_DATA_MISSING"],
    ["a folder", { location: "sub" }, "EXTERNAL_DATA_MISSING"],
    ["no location", {}, "MODEL_INVALID"],
    ["an end beyond the file", { location: "w.bin", length: "33" }, "EXTERNAL_DATA_MISSING"],
    ["a start beyond the file", { location: "w.bin", offset: "40" }, "EXTERNAL_DATA_MISSING"],
    ["a negative start", { location: "w.bin", offset: "-8" }, "MODEL_INVALID"],
    ["an absurd length", { location: "w.bin", length: "1e30" }, "MODEL_INVALID"],
    ["a null byte", { location: "w\0.bin" }, "EXTERNAL_DATA_MISSING"],
  ])("refuses %s", async (_, entries, code) => {
    await writeFile(join(folder, "w.bin"), data);
    await mkdir(join(folder, "sub"));
    await expectRefused(bytes(withExternal(entries)), code);
  });

  it("with too few bytes for its shape is refused on import", async () => {
    await writeFile(join(folder, "w.bin"), data);
    const path = join(folder, "model.onnx");
    await writeFile(path, bytes(withExternal({ location: "w.bin", length: "8" })));
    const file = await readOnnxFile(path);
    expect(() => importGraph(file)).toThrow(expect.objectContaining({ code: "MODEL_INVALID" }));
  });
});

describe("writing", () => {
  it("fails without traces where it may not write", async () => {
    const file = { path: "", model: small() };
    await writeFile(join(folder, "plain"), "");
    for (const place of ["missing/model.onnx", "plain/model.onnx"]) {
      await expect(writeOnnxFile(join(folder, place), file)).rejects.toMatchObject({
        code: "OUTPUT_NOT_WRITABLE",
      });
    }
    expect(await readdir(folder)).toEqual(["plain"]);
  });

  it("leaves the previous file as it was when it fails", async () => {
    const path = join(folder, "model.onnx");
    await mkdir(path);
    await expect(writeOnnxFile(path, { path, model: small() })).rejects.toMatchObject({
      code: "OUTPUT_NOT_WRITABLE",
    });
    expect(await readdir(folder)).toEqual(["model.onnx"]);
  });

  it.skipIf(process.platform !== "linux")("says that the disk is full", async () => {
    // Every write to this device fails as on a full disk.
    const path = join(folder, "model.onnx");
    await symlink("/dev/full", `${path}.${process.pid}-00000000.part`);
    await expect(writeOnnxFile(path, { path, model: small() })).rejects.toMatchObject({
      code: "OUTPUT_NOT_WRITABLE",
      message: "The disk is full.",
    });
    expect(await readdir(folder)).toEqual([]);
  });
});
