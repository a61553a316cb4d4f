import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { describe, expect, test } from "vitest";

/** Folders of src/ in their order: a file imports only from its own folder and from those before it. */
const LAYERS = [
  "core",
  "onnx",
  "autodiff",
  "runtime",
  "data",
  "models",
  "train",
  "attacks",
  "inversion",
  "repairs",
  "detectors",
  "sanitizers",
  "deployments",
  "audit",
  "games",
  "experiments",
  "report",
  "cli",
];

/** A file is read in one sitting. */
const MAX_LINES = 400;
/** Files that may be longer, with the reason. */
const LONGER = new Map([
  ["src/onnx/builder.ts", "one short method per operator, looked up rather than read through"],
]);

const ROOT = join(import.meta.dirname, "..");

function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path));
}

/** Relative paths that a file imports or re-exports, types included. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), "utf8");
  const found = source.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)"(\.[^"]*)"/g);
  return [...found].map(([, path]) => normalize(join(dirname(file), path!)));
}

/** The folder below src/ that a file belongs to; undefined for src/index.ts, which may import all. */
function layerOf(file: string): string | undefined {
  const [first, ...rest] = relative("src", file).split(sep);
  return rest.length === 0 ? undefined : first;
}

describe("architecture", () => {
  const sources = filesOf("src");

  test("every folder of src/ has its place in the order of layers", () => {
    const folders = new Set(sources.map(layerOf).filter((layer) => layer !== undefined));
    const unknown = [...folders].filter((layer) => !LAYERS.includes(layer));
    expect(unknown, "add the folder to LAYERS, below everything it imports").toEqual([]);
  });

  test("imports point only to the own folder and to those before it", () => {
    const violations = sources.flatMap((file) => {
      const layer = layerOf(file);
      if (layer === undefined) return [];
      const place = LAYERS.indexOf(layer);
      return importsOf(file)
        .filter((target) => LAYERS.indexOf(layerOf(target) ?? "cli") > place)
        .map((target) => `${file} imports ${target}, which comes after ${layer}`);
    });
    expect(violations, `the order is ${LAYERS.join(", ")}`).toEqual([]);
  });

  test("imports stay inside src/", () => {
    const violations = sources.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith(".."))
        .map((target) => `${file} imports ${target}`),
    );
    expect(violations).toEqual([]);
  });

  test(`no file has more than ${MAX_LINES} lines`, () => {
    const long = [...sources, ...filesOf("test")]
      .filter((file) => !file.includes(`${sep}generated${sep}`) && !LONGER.has(file))
      .map((file) => ({
        file,
        lines: readFileSync(join(ROOT, file), "utf8").split("\n").length - 1,
      }))
      .filter(({ lines }) => lines > MAX_LINES)
      .map(({ file, lines }) => `${file} has ${lines} lines`);
    expect(long, "split it: one file is one thing").toEqual([]);
  });
});
