import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditRecord } from "../../src/audit/record.ts";
import { readOnnxFile } from "../../src/onnx/file.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { antidote, MAIN } from "./antidote.ts";
import { coloursFolder } from "./colours.ts";

let folder = "";
let [model, images] = ["", ""];
/** Steps that keep an audit within seconds: what it finds does not matter here. */
const SHORT = [
  "--effort",
  "quick",
  "--detector.steps",
  "20",
  "--repair.steps",
  "6",
  "--threads",
  "1",
];

beforeAll(async () => {
  folder = await coloursFolder();
  [model, images] = ["model.onnx", "images"].map((name) => join(folder, name)) as [string, string];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const audit = (out: string, ...words: string[]) =>
  antidote(["audit", model, "--images", images, "--out", out, ...SHORT, ...words]);

/** Names of everything in a folder, sorted. */
const listing = (path: string) => readdirSync(path, { recursive: true, encoding: "utf8" }).sort();

describe("audit", () => {
  test("writes a report, a repaired model and pictures, and says the verdict in its exit code", async () => {
    const out = join(folder, "audited");
    const { code, stdout, stderr } = await audit(out, "--json");
    const record = auditRecord.parse(JSON.parse(stdout));
    expect(code).toBe({ "no-evidence": 0, backdoored: 1, inconclusive: 2 }[record.verdict]);
    expect(record.repairedModel).toBe(join(out, "repaired.onnx"));
    expect(record.report).toBe(join(out, "report.html"));
    expect(record.data).toMatchObject({ kind: "folder", path: images, images: 30 });
    expect(record.data.classOrder).toBe("index in front of the folder names");
    expect(record.stages.map(({ name }) => name)).toEqual([
      "preflight",
      "search",
      "repair",
      "measure",
      "calibrate",
    ]);
    expect(stderr).toContain("model.onnx: 100.0% of 30 trusted images right");
    expect(stderr).toMatch(/Effort quick: one search .+ and a repair .+, about \d+ seconds\./);

    expect(JSON.parse(await readFile(join(out, "report.json"), "utf8"))).toEqual(record);
    const pictures = [...record.classes, ...record.samples].flatMap((part) =>
      "trigger" in part ? [part.trigger!] : [part.original, part.triggered, part.difference],
    );
    expect(listing(out)).toEqual(
      [...pictures, "repaired.onnx", "report.html", "report.json", "samples", "triggers"].sort(),
    );
    const page = await readFile(join(out, "report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain(record.model.sha256);
  });

  test("compares the model with another one, where the detector needs it to", async () => {
    const words = ["--detector", "calibrated-trigger-inversion", "--detector.steps", "2"];
    const line = ["audit", model, "--images", images, "--effort", "quick", "--threads", "1"];
    const repairOf = async (name: string, ...named: string[]) => {
      const out = join(folder, name);
      const run = await antidote([...line, "--quiet", "--out", out, "--json", ...words, ...named]);
      return auditRecord.parse(JSON.parse(run.stdout)).config.repair.name;
    };
    expect(await repairOf("compared")).toBe("pivotal-tuning");
    expect(await repairOf("named", "--repair", "trigger-unlearning")).toBe("trigger-unlearning");
  });

  test("changes weights and adds metadata, and nothing else of the model", async () => {
    const out = join(folder, "changed");
    await audit(out, "--seed", "5", "--repair", "pivotal-tuning");
    const [before, after] = await Promise.all(
      [model, join(out, "repaired.onnx")].map((path) => readOnnxFile(path)),
    );
    const record = auditRecord.parse(JSON.parse(await readFile(join(out, "report.json"), "utf8")));
    const metadata = Object.fromEntries(
      after!.model.metadataProps.map(({ key, value }) => [key, value]),
    );
    expect(metadata["antidote.repaired_from"]).toContain(record.model.sha256);
    expect(metadata["antidote.seed"]).toBe("5");
    expect(JSON.parse(metadata["antidote.repair"]!)).toEqual(record.config.repair);
    expect(JSON.parse(metadata["antidote.preprocessing"]!)).toMatchObject({ range: "0-1" });

    const weights = [before!, after!].map((file) => importGraph(file).constants.get("weight")!);
    expect(weights[1]!.data).not.toEqual(weights[0]!.data);
    const rest = [before!, after!].map(({ model: { graph, metadataProps: _, ...others } }) => ({
      ...others,
      graph: {
        ...graph,
        initializer: graph!.initializer.map(({ rawData, floatData, ...tensor }) =>
          tensor.name === "weight" ? tensor : { ...tensor, rawData, floatData },
        ),
      },
    }));
    expect(rest[1]).toEqual(rest[0]);
  });

  test("writes over an earlier audit, and over nothing else", async () => {
    const out = join(folder, "twice");
    await audit(out, "--detector.families", "masked");
    const first = await readFile(join(out, "report.json"), "utf8");
    await audit(out, "--seed", "1");
    expect(await readFile(join(out, "report.json"), "utf8")).not.toBe(first);

    const repaired = join(out, "repaired.onnx");
    const again = await antidote(["audit", repaired, "--images", images, "--out", out, ...SHORT]);
    expect(again.stderr).toContain("error USAGE: The result would be written over what it is");
    expect([again.code, existsSync(repaired)]).toEqual([4, true]);

    await writeFile(join(out, "notes.txt"), "mine");
    const { code, stderr } = await audit(out);
    expect(stderr).toContain('error OUTPUT_NOT_WRITABLE: The folder already holds "notes.txt".');
    expect(stderr).toContain("next: Choose a new folder");
    expect(code).toBe(3);
    expect(await readFile(join(out, "notes.txt"), "utf8")).toBe("mine");
    expect(existsSync(join(out, "report.json"))).toBe(true);
  });

  test("stops with Ctrl-C within a second or two, and leaves neither files nor processes", async () => {
    const out = join(folder, "stopped", "deep");
    let [stopped, hosts]: [number, string[]] = [0, []];
    const { code, stdout, stderr } = await antidote(
      ["audit", model, "--images", images, "--out", out, "--detector.steps", "100000"],
      (child) =>
        child.stderr?.on("data", (text) => {
          if (!String(text).includes("Effort") || stopped > 0) return;
          hosts = childrenOf(child.pid!);
          stopped = performance.now();
          child.kill("SIGINT");
        }),
    );
    expect(performance.now() - stopped).toBeLessThan(5000); // a busy machine
    expect(stderr).toContain("stopped CANCELLED: ");
    expect(stdout).toBe("");
    expect(code).toBe(130);
    expect(existsSync(join(folder, "stopped"))).toBe(false);
    if (process.platform === "linux") expect(hosts.length).toBeGreaterThan(0);
    expect(hosts.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  test("prints the verdict even if the disk is full at the end", async ({ skip }) => {
    const disk = await mkdtemp(join(tmpdir(), "antidote-full-"));
    const command = 'mount -t tmpfs -o size=16k tmpfs "$1" && shift && exec "$@"';
    const words = ["-rm", "sh", "-c", command, "sh", disk];
    const inside = (...args: string[]) => promisify(execFile)("unshare", [...words, ...args]);
    const allowed = await inside("true").catch(() => undefined);
    if (!allowed) skip("no file system of limited size can be made here");
    const line = ["audit", model, "--images", images, "--out", join(disk, "out"), ...SHORT];
    const result = inside(process.execPath, MAIN, ...line, "--json", "--quiet");
    const { code, stdout, stderr } = await result.then(
      () => ({ code: 0, stdout: "", stderr: "" }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    const record = auditRecord.parse(JSON.parse(stdout));
    expect(record.repairedModel).toBeNull();
    expect(record.report).toBeNull();
    expect(stderr).toContain("error OUTPUT_NOT_WRITABLE: The disk is full.");
    expect(stderr).toContain("next: Free some space, or write elsewhere.");
    expect(code).toBe(3);
    await rm(disk, { recursive: true });
  });
});

describe("mistakes are found before the work", () => {
  const four = () => join(folder, "four");
  beforeAll(async () => {
    for (const name of ["0_red", "1_green", "2_blue", "3_grey"]) {
      await mkdir(join(four(), name), { recursive: true });
      const source = join(images, name === "3_grey" ? "2_blue" : name);
      for (const file of readdirSync(source).slice(0, 3)) {
        await writeFile(join(four(), name, file), readFileSync(join(source, file)));
      }
    }
  });

  test.each<[string, () => string[], number, string, string]>([
    [
      "another number of classes",
      () => [model, "--images", four()],
      3,
      "CLASSES_MISMATCH",
      "--classes",
    ],
    [
      "a folder without a model",
      () => [join(images, "0_red"), "--images", images],
      3,
      "MODEL_NOT_FOUND",
      "give the path",
    ],
    [
      "an option that does not exist",
      () => [model, "--images", images, "--repair.stepps", "3"],
      4,
      "UNKNOWN_OPTION",
      "Did you mean --repair.steps?",
    ],
    [
      "an option of another method",
      () => [model, "--images", images, "--repair.lambda-s", "1"],
      4,
      "UNKNOWN_OPTION",
      "antidote methods trigger-unlearning",
    ],
    [
      "a folder that cannot be made",
      () => [model, "--images", images, "--out", join(model, "below")],
      3,
      "OUTPUT_NOT_WRITABLE",
      "Choose a folder that you may write to.",
    ],
  ])("%s", async (_, words, exitCode, code, next) => {
    const out = join(folder, "never");
    const { stdout, stderr, ...ended } = await antidote(["audit", "--out", out, ...words()]);
    expect(stderr).toContain(`error ${code}: `);
    expect(stderr).toContain("  next: ");
    expect(stderr).toContain(next);
    expect(stderr).not.toContain("Effort");
    expect(stdout).toBe("");
    expect(ended.code).toBe(exitCode);
    expect(existsSync(out)).toBe(false);
  });

  test("too few images of a class", async () => {
    await rm(join(four(), "3_grey"), { recursive: true });
    const { code, stderr } = await antidote([
      "audit",
      model,
      "--images",
      four(),
      "--out",
      join(folder, "few"),
    ]);
    expect(stderr).toContain(
      'error TOO_FEW_IMAGES: At least 5 trusted images of every class are needed; "red" has 3',
    );
    expect(code).toBe(3);
  });
});

/** Processes that a process has started. */
function childrenOf(parent: number): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      // "pid (name) state parent …"; the name may hold spaces.
      const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/\) /);
      return Number(rest.split(" ")[1]) === parent;
    } catch {
      return false;
    }
  });
}
