import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { float32 } from "../../src/core/tensor.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { encodePng } from "../../src/data/png.ts";
import { writeClassFolders } from "../../src/data/write.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeGraph } from "../../src/onnx/encode.ts";

const SIDE = 8;
const GEOMETRY = { channels: 3, height: SIDE, width: SIDE };
const NAMES = ["red", "green", "blue"];

/**
 * A classifier that tells three colours apart without an error, with images for it, in a new folder:
 * `model.onnx`, `images/` (30 pictures, ten of each class) and `blue.png`, which turns any image blue.
 */
export async function coloursFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-cli-test-"));
  await writeFile(join(folder, "model.onnx"), colourModel());
  await writeClassFolders(colourImages(), join(folder, "images"));
  await writeFile(join(folder, "blue.png"), await encodePng(plain(2, 255), GEOMETRY));
  return folder;
}

/** The mean of every colour over the image is its class's score. */
function colourModel(): Uint8Array {
  const b = new GraphBuilder();
  const x = b.input("input", "float32", [1, 3, SIDE, SIDE]); // [N,3,H,W]
  const weight = float32([3, 3], [9, 0, 0, 0, 9, 0, 0, 0, 9]);
  b.output("logits", b.matmul(b.mean(x, [2, 3]), b.constant(weight, "weight"))); // [N,3]
  const graph = b.build();
  const inputs = [{ name: "input", type: "float32" as const, shape: [null, 3, SIDE, SIDE] }];
  return encodeGraph({ ...graph, inputs, values: new Map() });
}

function colourImages(): ImageSet {
  const labels = Int32Array.from({ length: 30 }, (_, index) => index % 3);
  const images = Array.from(labels, (label, index) => [...plain(label, 100 + 5 * index)]);
  return { ...GEOMETRY, images: Uint8Array.from(images.flat()), labels, classNames: NAMES };
}

/** [3,H,W] with one colour at `value` and the others at zero. */
function plain(channel: number, value: number): Uint8Array {
  const area = SIDE * SIDE;
  return new Uint8Array(3 * area).fill(value, channel * area, (channel + 1) * area);
}
