import { execFile } from "node:child_process";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { coloursFolder } from "../cli/colours.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);

/** What somebody writes who has installed the package. */
const PROGRAM = `
import { AntidoteError, audit, imageFolder, loadClassifier, writeAudit, type Progress } from "antidote";

const [folder = ""] = process.argv.slice(2);
const short = {
  effort: "quick",
  threads: 1,
  detector: { name: "smallest-trigger", steps: 20 },
  repair: { name: "trigger-unlearning", steps: 6 },
} as const;

// With paths, and written.
const events: Progress[] = [];
const paths = { model: \`\${folder}/model.onnx\`, images: \`\${folder}/images\` };
const result = await audit({ ...paths, ...short, onProgress: (event) => events.push(event) });
const record = await writeAudit(\`\${folder}/out\`, result);

// With what was opened before: the same seed gives the same result.
await using model = await loadClassifier(paths.model, { threads: 1 });
const images = await imageFolder(paths.images, model.classifier.image);
const again = await audit({ ...short, model, images });

// Cancelled on the first step.
const controller = new AbortController();
const stopped: string = await audit({
  ...paths,
  ...short,
  signal: controller.signal,
  onProgress: ({ kind }) => kind === "step" && controller.abort(),
}).then(
  ({ record: { verdict } }) => verdict,
  (error: unknown) => (error instanceof AntidoteError ? error.code : "another error"),
);

// @ts-expect-error There is no such repair.
const wrong = await audit({ ...paths, repair: { name: "trigger-unlearnin" } }).catch(
  (error: AntidoteError) => error.next,
);

const score: number = record.score;
console.log(
  JSON.stringify({
    steps: events.filter(({ kind }) => kind === "step").length,
    report: record.report,
    same: score === again.record.score,
    stopped,
    wrong,
  }),
);
`;

describe("the package, as its users have it", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await coloursFolder();
    await mkdir(join(folder, "node_modules", "@types"), { recursive: true });
    await symlink(ROOT, join(folder, "node_modules", "antidote"));
    const types = dirname(createRequire(import.meta.url).resolve("@types/node/package.json"));
    await symlink(types, join(folder, "node_modules", "@types", "node"));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(join(folder, "program.ts"), PROGRAM);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("is typed, audits, reports progress and can be stopped", async () => {
    const compiler = join(ROOT, "node_modules", ".bin", "tsc");
    const options = ["--strict", "--target", "es2023", "--module", "nodenext", "--types", "node"];
    const lib = ["--lib", "es2023,esnext.disposable"];
    await run(compiler, [...options, ...lib, "program.ts"], { cwd: folder });
    const { stdout } = await run(process.execPath, ["program.js", folder], { cwd: folder });
    const { steps, ...rest } = JSON.parse(stdout) as { steps: number };
    expect(steps).toBeGreaterThan(30);
    expect(rest).toEqual({
      report: join(folder, "out", "report.html"),
      same: true,
      stopped: "CANCELLED",
      wrong: "Did you mean trigger-unlearning?",
    });
  });
});
