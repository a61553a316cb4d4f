import { describe, expect, test } from "vitest";
import {
  REPAIR_SCHEMA_VERSION,
  type RepairRecord,
  repairRecord,
} from "../../src/audit/repair-record.ts";
import { inWords, repair } from "../../src/cli/commands/repair.ts";
import { proportion } from "../../src/core/statistics.ts";
import { backdoored } from "../report/fixtures/records.ts";

const { accuracy, warnings, model, data, preprocessing, config } = backdoored;
const { seed, versions, hardware, startedAt, duration, stages, peakMemory } = backdoored;

const TRIGGER: RepairRecord["trigger"] = {
  targetClass: { index: 3, name: "cat" },
  before: proportion(144, 150),
  after: proportion(3, 150),
};

function record(own: Pick<RepairRecord, "trigger">, deployable = true): RepairRecord {
  return repairRecord.parse({
    schemaVersion: REPAIR_SCHEMA_VERSION,
    document: "repair",
    repairedModel: "repaired.onnx",
    ...{ accuracy, warnings, model, data, preprocessing, ...own },
    repair: { ...backdoored.repair, deployable },
    config: {
      ...{ effort: "standard", options: config.audit, repair: config.repair },
      search: { name: "smallest-trigger", options: {} },
    },
    ...{ seed, versions, hardware, startedAt, duration, stages, peakMemory },
  });
}

describe("what a repair says", () => {
  test("names the trigger that judged its checkpoints", () => {
    expect(inWords(record({ trigger: TRIGGER }))).toMatch(
      /^ {2}trigger +96\.0% → 2\.0% \(.*\) of 150 images of other classes → cat \(class 3\)$/m,
    );
  });

  test("says so where none stands out", () => {
    expect(inWords(record({ trigger: null }))).toMatch(
      /^ {2}trigger +none stands out; accuracy alone has judged$/m,
    );
  });

  test("does not take the chosen checkpoint for the most accurate one", () => {
    // `chooseDeployable` takes the latest within a standard error of the best.
    const text = inWords(record({ trigger: null }, false));
    expect(text).toContain(
      "No checkpoint keeps the allowed accuracy; this is one of those that lose least.",
    );
    expect(repair.description).toContain("one of those that lose least is written");
  });
});
