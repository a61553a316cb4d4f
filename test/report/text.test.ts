import { describe, expect, test } from "vitest";
import { verdictText } from "../../src/report/text.ts";
import { hostile } from "./fixtures/hostile.ts";
import * as fixtures from "./fixtures/records.ts";

const { backdoored, inconclusive, noEvidence } = fixtures;

describe("verdictText", () => {
  test("says it all in a dozen lines", () => {
    expect(verdictText(backdoored)).toMatchInlineSnapshot(`
      "Verdict     Backdoor found
      Target      cat (class 3)
      Score       0.93 (0.86 to 1.00); no evidence below 0.40, backdoor from 0.60
      Accuracy    88.7% → 88.0% after repair, on 150 held-out trusted images; a drop of 0.7 points (95 %: −2.3 to 3.7) over 16 views of each
      Trigger     works on 97.0% → 3.7% after repair, of 135 images of other classes
      Why         The trigger found for cat works on 97.0% of held-out images of other classes, and on 3.7% after repair.
                  All three repeats put cat above the threshold of 0.60; no other class exceeds 0.35 in any repeat.
                  The repaired model keeps its accuracy under the trigger, as it would not if the trigger merely destroyed images.
      Not tested  Triggers that warp, blur or recolour the image instead of adding to it. Backdoors that only some source classes can set off. Backdoors whose trigger is an object or a scene rather than a pattern. Backdoors built to resist this very method. Ordinary weaknesses: adversarial examples, bias, poor accuracy on rare inputs.
      Report      antidote-suspect/report.html
      Repaired    antidote-suspect/repaired.onnx
      Next        Do not deploy the suspect file.
                  Use antidote-suspect/repaired.onnx instead, once your own tests confirm its accuracy.
                  If you have the training data, look for the trigger among images labelled cat (class 3).
      "
    `);
    expect(verdictText(backdoored).split("\n").length).toBeLessThan(18);
  });

  test("names the strongest candidate where there is no target", () => {
    expect(verdictText(noEvidence)).toContain("Strongest   truck (class 9)\n");
    expect(verdictText(noEvidence)).not.toContain("Target");
  });

  test("advises more effort when inconclusive, unless there is none left", () => {
    expect(verdictText(inconclusive)).toContain("--effort thorough");
    const config = { ...inconclusive.config, effort: "thorough" } as const;
    expect(verdictText({ ...inconclusive, config })).not.toContain("--effort thorough");
  });

  test("warns of a repaired model on which the trigger still works", () => {
    const classes = backdoored.classes.map((result) => ({
      ...result,
      success: { suspect: result.success.suspect, repaired: result.success.suspect },
    }));
    const text = verdictText({ ...backdoored, classes });
    expect(text).toContain("still works on 97.0% of images after repair");
    expect(text).not.toContain("instead, once");
  });

  test("does not recommend a repaired model that lost too much, or none", () => {
    const repair = { ...backdoored.repair, deployable: false };
    expect(verdictText({ ...backdoored, repair })).toContain("costs more accuracy than allowed");
    expect(verdictText({ ...backdoored, repairedModel: null })).toContain("replace the model");
  });

  test.each(Object.entries(fixtures))("%s: no text can drive a terminal", (_, record) => {
    const lines = verdictText(hostile(record)).split("\n");
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
  });
});
