import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { gathered, type Pixels, writtenPixels } from "../../src/data/pixels.ts";

/** For temporary files of these tests alone. */
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-test-"));
  vi.stubEnv("TMPDIR", folder);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const ROWS = [
  [1, 2, 3],
  [4, 5, 6],
  [7, 8, 9],
];
const row = (index: number) => Uint8Array.from(ROWS[index]!);

function look(pixels: Pixels) {
  const at = (begin: number, end: number) => [...pixels.subarray(begin, end)];
  return {
    length: pixels.length,
    one: at(3, 6),
    across: at(2, 8),
    over: at(7, 100),
    none: at(4, 4),
  };
}

const EXPECTED = { length: 9, one: [4, 5, 6], across: [3, 4, 5, 6, 7, 8], over: [8, 9], none: [] };

describe("pixels are the same wherever they are", () => {
  test("in memory", () => {
    const pixels = gathered(3, 3, row);
    expect(pixels).toBeInstanceOf(Uint8Array);
    expect(look(pixels)).toEqual(EXPECTED);
  });

  test("gathered when they are asked for", () => {
    const asked: number[] = [];
    const asking = (index: number) => {
      asked.push(index);
      return row(index);
    };
    const pixels = gathered(3, 3, asking, 8);
    expect(asked).toEqual([]);
    expect(look(pixels)).toEqual(EXPECTED);
    asked.length = 0;
    pixels.subarray(3, 6);
    expect(asked).toEqual([1]);
  });

  test("in a file that nobody can find", async () => {
    const fill = async (write: (bytes: Uint8Array, at: number) => Promise<void>) => {
      // Not even while it is written: a process may be killed.
      expect(await readdir(folder)).toEqual([]);
      for (const index of [2, 0, 1]) await write(row(index), 3 * index);
    };
    const pixels = await writtenPixels(9, fill, 8);
    expect(pixels).not.toBeInstanceOf(Uint8Array);
    expect(await readdir(folder)).toEqual([]);
    expect(look(pixels)).toEqual(EXPECTED);
    expect(await writtenPixels(9, fill)).toBeInstanceOf(Uint8Array);
  });
});

test("what fails while pixels are written leaves nothing behind", async () => {
  const fail = () => Promise.reject(new Error("unreadable"));
  await expect(writtenPixels(9, fail, 8)).rejects.toThrow("unreadable");
  expect(await readdir(folder)).toEqual([]);
});

test("a folder for temporary files that is not there is named, with what to do", async () => {
  vi.stubEnv("TMPDIR", join(folder, "none"));
  try {
    const write = writtenPixels(9, async () => {}, 8);
    await expect(write).rejects.toMatchObject({
      code: "OUTPUT_NOT_WRITABLE",
      place: join(folder, "none"),
      next: expect.stringContaining("TMPDIR"),
    });
  } finally {
    vi.stubEnv("TMPDIR", folder);
  }
});
