import { describe, expect, test } from "vitest";
import { beforeAfter } from "../../src/report/charts/before-after.ts";
import { classScores } from "../../src/report/charts/class-scores.ts";
import { repairCurve } from "../../src/report/charts/repair-curve.ts";
import { scoreDistribution } from "../../src/report/charts/score-distribution.ts";
import { scoreScale } from "../../src/report/charts/score-scale.ts";
import { backdoored, inconclusive, thousand } from "./fixtures/records.ts";

const { rule, repair, classes } = backdoored;
const cat = classes[3]!;
const some = thousand.classes.filter(({ index }) => index < 60 || index === 417);

/** Chart name → drawing. The snapshots are SVG files, to be looked at when they change. */
const CHARTS: Readonly<Record<string, () => string>> = {
  "score-scale": () =>
    scoreScale({ score: cat.score, interval: cat.scoreInterval, repeats: cat.repeats, rule }, 300),
  "score-scale-once": () => scoreScale({ score: -0.2, interval: null, repeats: [-0.2], rule }, 300),
  "before-after": () => beforeAfter({ quantity: "Success", ...cat.success }, 300),
  "class-scores": () => classScores({ classes, leading: 3, rule }, 920),
  "class-scores-narrow": () => classScores({ classes, leading: 3, rule }, 330),
  "score-distribution": () => scoreDistribution({ classes: some, leading: 417, rule }, 330),
  "repair-curve": () => repairCurve(repair, 920),
  "repair-curve-costly": () => repairCurve(inconclusive.repair, 330),
  "repair-curve-one-point": () =>
    repairCurve({ allowedDrop: 0.02, curve: [{ ...repair.curve[0]!, chosen: true }] }, 330),
};

const COLOURS =
  "--ink: #1a1d20; --muted: #5a6168; --line: #dcdfe2; --faint: #e9ebed; --paper: #fff; --verdict: #b0241c;";

/** The chart as a file that a browser shows on its own, an element a line. */
function standalone(svg: string): string {
  return svg
    .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ')
    .replace(">", `><style>svg { ${COLOURS} } text { white-space: pre; }</style>`)
    .replaceAll("><", ">\n<")
    .concat("\n");
}

describe("charts", () => {
  test.each(Object.entries(CHARTS))("%s looks as before", async (name, draw) => {
    await expect(standalone(draw())).toMatchFileSnapshot(`snapshots/${name}.svg`);
  });

  test.each(Object.entries(CHARTS))("%s has no coordinate that is not a number", (_, draw) => {
    expect(draw()).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("a class without an interval is drawn without one", () => {
    const bare = inconclusive.classes.map((result) => ({ ...result, scoreInterval: null }));
    const svg = classScores({ classes: bare, leading: 8, rule }, 920);
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test("one threshold is named once", () => {
    const single = { ...rule, minimum: -5, maximum: 10, noEvidenceBelow: 2, backdooredFrom: 2 };
    const svg = scoreScale({ score: 1, interval: null, repeats: [1], rule: single }, 300);
    expect(svg).toContain(">2.00<");
    expect(svg).not.toContain("2.00–2.00");
    expect(svg).not.toContain("inconclusive");
  });

  test("names in charts cannot end the chart", () => {
    const named = classes.map((result) => ({ ...result, name: `"><script>alert(1)</script>` }));
    expect(classScores({ classes: named, leading: 3, rule }, 920)).not.toContain("<script");
  });
});
