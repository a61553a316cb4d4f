import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ATTACKS } from "../../src/attacks/index.ts";

const BENCH = fileURLToPath(new URL("../../bench/main.mjs", import.meta.url));
const [WIDTH, BATCH] = [4, 2];

interface Work {
  seconds: number;
  flop: number;
  gflops: number;
  ratio: number | null;
  ratioInterval: [number, number] | null;
  torch: { layout: string; seconds: number } | null;
}
interface Bench {
  training: Work;
  inversion: Work;
  stamping: Record<string, { seconds: number; share: number }>;
  machine: { cores: number; load: { before: number } };
  versions: { onnxruntime: string; torch: string | null };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function bench(...flags: string[]): Promise<{ stdout: string; record: Bench }> {
  const out = join(folder, "records", "bench.json");
  const size = ["--width", `${WIDTH}`, "--batch", `${BATCH}`, "--repeats", "1", "--threads", "1"];
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [BENCH, ...size, "--out", out, ...flags]);
  return { stdout, record: JSON.parse(await readFile(out, "utf8")) as Bench };
}

describe("npm run bench", () => {
  test("times both steps without PyTorch", async () => {
    const { stdout, record } = await bench("--json", "--python", join(folder, "no-python"));
    expect(JSON.parse(stdout)).toEqual(record);
    for (const work of [record.training, record.inversion]) {
      expect(work.seconds).toBeGreaterThan(0);
      expect(work.gflops).toBeCloseTo(work.flop / work.seconds / 1e9, 9);
      expect(work).toMatchObject({ ratio: null, ratioInterval: null, torch: null });
    }
    expect(record.versions).toMatchObject({ onnxruntime: expect.any(String), torch: null });
    expect(record.machine.cores).toBeGreaterThan(0);
    expect(Object.keys(record.stamping).sort()).toEqual(Object.keys(ATTACKS).sort());
    for (const { seconds, share } of Object.values(record.stamping)) {
      expect(share).toBeCloseTo(seconds / record.training.seconds, 9);
    }
    // All of forward, input and weight gradients, but for the gradient of the images: 3×3×3 taps a value.
    const stem = 2 * BATCH * WIDTH * 32 * 32 * 27;
    expect(1.5 * record.inversion.flop - record.training.flop).toBe(stem);
  });

  test.skipIf(process.platform === "win32")("divides PyTorch's time by ours", async () => {
    const python = join(folder, "python");
    const answer = `
      const { do: work, layout } = JSON.parse(line);
      const seconds = layout === "channels_last" ? 10 : 20;
      console.log(JSON.stringify(work === "open" ? { torch: "1.2.3" } : { seconds, cpuSeconds: seconds }));`;
    const program = `require("node:readline").createInterface(process.stdin).on("line", (line) => {${answer}});`;
    await writeFile(python, `#!/usr/bin/env node\n${program}\n`, { mode: 0o755 });
    const { stdout, record } = await bench("--python", python);
    expect(record.versions.torch).toBe("1.2.3");
    for (const { seconds, ratio, torch } of [record.training, record.inversion]) {
      expect(torch).toMatchObject({ layout: "channels_last", seconds: 10 });
      expect(ratio).toBeCloseTo(10 / seconds, 9);
    }
    expect(stdout).toContain("PyTorch 10.000 s (channels_last)");
  });
});
